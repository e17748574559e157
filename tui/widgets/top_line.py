"""The line at the top: the experiment, what is going on, and how busy the devices are."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.reactive import reactive

from engine.contract.devices import Device
from tui.widgets.words import Words

GB = 1 << 30


class TopLine(Horizontal):
    """`doing` is what a person waits for, such as torch being imported."""

    DEFAULT_CSS = """
    TopLine { height: 1; background: $panel; }
    TopLine #title { width: auto; max-width: 60%; }
    TopLine #doing { width: 1fr; padding: 0 1; color: $text-warning; }
    TopLine #devices { width: auto; max-width: 60%; color: $text-muted; }
    """

    experiment: reactive[str] = reactive("")
    doing: reactive[str] = reactive("")

    def __init__(self) -> None:
        super().__init__()
        self._doing: dict[object, str] = {}

    def compose(self) -> ComposeResult:
        yield Words(id="title")
        yield Words(id="doing")
        yield Words(id="devices")

    def watch_experiment(self, experiment: str) -> None:
        self._words("title").text = " · ".join(filter(None, ("ptrain", experiment)))

    def watch_doing(self, doing: str) -> None:
        self._words("doing").text = doing

    def say(self, who: object, doing: str) -> None:
        """Several may be at work at once; each is shown until it says nothing more."""
        self._doing[who] = doing
        self.doing = " · ".join(filter(None, self._doing.values()))

    def show(self, devices: Sequence[Device]) -> None:
        self._words("devices").text = " · ".join(map(short, devices))

    def _words(self, name: str) -> Words:
        return self.query_one(f"#{name}", Words)


def short(device: Device) -> str:
    """`cpu 12%`, `cuda:0 H200 12/139G 87%`."""
    usage = f" {device.utilisation}%" if device.utilisation is not None else ""
    if device.name == "cpu":
        return f"cpu{usage}"
    used = (device.memory_total - device.memory_free) / GB
    model = device.model.removeprefix("NVIDIA ").split(" ")[0]
    return f"{device.name} {model} {used:.0f}/{device.memory_total / GB:.0f}G{usage}"


def long(device: Device) -> str:
    """For choosing one: its free memory, and who uses it."""
    users = f"; used by {', '.join(device.users)}" if device.users else ""
    usage = f", {device.utilisation}% busy" if device.utilisation is not None else ""
    free, total = device.memory_free / GB, device.memory_total / GB
    return f"{device.name}  {device.model}, {free:.0f} of {total:.0f} GB free{usage}{users}"

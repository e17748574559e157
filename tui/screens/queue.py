"""The experiments that wait for their device: their order, and what could not start."""

from __future__ import annotations

from collections.abc import Callable

from rich.text import Text
from textual import work
from textual.binding import Binding
from textual.widget import Widget
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from engine.contract.problems import InputError
from engine.contract.queue import Entry, Queue
from tui.launching import Launcher
from tui.screens.dialog import Dialog
from tui.widgets.words import Words

LOOK_SECONDS = 1.0
KEYS = "u d: up, down   x: remove   escape: close"
MOVES = "A process of its own starts them, with or without this dashboard."
STILL = "Nobody starts them: m has it done (as `ptrain queue run` does)."
EMPTY = "Nothing waits. A run is queued when its device is busy with another."


class QueueDialog(Dialog[None]):
    """Changes the queue's file itself; a process of its own reads it there."""

    BINDINGS = [
        Binding("u,shift+up", "shift(-1)", "Up", tooltip="Start it earlier"),
        Binding("d,shift+down", "shift(1)", "Down", tooltip="Start it later"),
        Binding("x,delete", "remove", "Remove", tooltip="Take it out of the queue"),
        Binding("m", "move_on", "Move on", tooltip="Have the queue moved on"),
        Binding("Q", "leave", "Close", show=False),
    ]

    def __init__(self, queue: Queue, launcher: Launcher, read_only: bool) -> None:
        super().__init__("Queue", "escape: close" if read_only else KEYS)
        self._queue, self._launcher, self._read_only = queue, launcher, read_only
        self._entries: list[Entry] | None = None

    def content(self) -> list[Widget]:
        return [OptionList(markup=False), Words(id="mover")]

    def on_mount(self) -> None:
        self._look()
        self.set_interval(LOOK_SECONDS, self._look)

    def _look(self, chosen: str | None = None) -> None:
        """Read it again; the cursor stays on its entry."""
        mover = self.query_one("#mover", Words)
        try:
            entries = self._queue.entries()
        except InputError as error:
            mover.text = str(error)
            return
        mover.text = (MOVES if self._queue.moves() else STILL) if entries else EMPTY
        if entries == self._entries:
            return
        at = chosen or getattr(self._chosen, "id", None)
        options = self.query_one(OptionList)
        place = options.highlighted or 0
        self._entries = entries
        options.clear_options()
        options.add_options(
            Option(Text(_words(number, entry)), id=entry.id)
            for number, entry in enumerate(entries, 1)
        )
        ids = [entry.id for entry in entries]
        if ids:
            options.highlighted = ids.index(at) if at in ids else min(place, len(ids) - 1)

    @property
    def _chosen(self) -> Entry | None:
        at, entries = self.query_one(OptionList).highlighted, self._entries or []
        return entries[at] if at is not None and at < len(entries) else None

    def action_shift(self, by: int) -> None:
        self._change(lambda entry: self._queue.move(entry.id, by) or True)

    def action_remove(self) -> None:
        self._change(lambda entry: self._queue.remove(entry.id))

    def _change(self, change: Callable[[Entry], bool]) -> None:
        entry = self._chosen
        if entry is None:
            return
        if self._read_only:
            self.notify("the dashboard was opened with --read-only", severity="warning")
            return
        try:
            if not change(entry):
                self.notify(f"{entry.name} is being started", severity="warning", markup=False)
        except OSError as error:
            self.notify(f"{self._queue.path}: {error.strerror}", severity="error", markup=False)
        except InputError as error:
            self.notify(str(error), severity="error", markup=False)
        self._look(entry.id)

    @work
    async def action_move_on(self) -> None:
        if self._read_only or not self._entries:
            return
        root = str(self._queue.root)
        answer = await self._launcher.ask("queue", "run", "--detach", "--runs", root)
        if answer.code != 0:
            self.notify(answer.err.strip(), severity="error", markup=False)
        self._look()


def _words(number: int, entry: Entry) -> str:
    line = f"{number}  {entry.name}  {', '.join(entry.devices)}  on {entry.host}  {entry.state}"
    if entry.state == "failed":
        return f"{line}: it could not start\n   " + "\n   ".join(entry.error.splitlines())
    return line

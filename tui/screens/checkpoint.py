"""A checkpoint as its event tells of it, and the lines of Python that load it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widget import Widget

from engine.contract.events import CheckpointSaved
from tui.run_list import WatchedRun
from tui.screens.dialog import Dialog
from tui.widgets.words import Words

KINDS = {
    "best": "the best so far",
    "last": "the last that was written",
    "epoch": "the end of that epoch",
}


Answer = Literal["copy", "resume"]


class CheckpointDialog(Dialog[Answer]):
    """Answers with what is to be done with it."""

    DEFAULT_CSS = "CheckpointDialog VerticalScroll { height: auto; max-height: 1fr; }"
    BINDINGS = [
        Binding("y", "dismiss('copy')", "Copy path", tooltip="Copy the checkpoint's path"),
        Binding("R", "dismiss('resume')", "Resume", tooltip="Go on with the run from here"),
    ]

    def __init__(self, path: Path, saved: CheckpointSaved, monitor: str) -> None:
        super().__init__(path.name, "y: copy its path   R: resume from it   escape: close")
        self._text = told(path, saved, monitor)

    def content(self) -> list[Widget]:
        words = Words()
        words.text = self._text
        return [VerticalScroll(words)]


async def show_checkpoint(
    screen: Screen[object], watched: WatchedRun, saved: CheckpointSaved
) -> Answer | None:
    """A path that is to be copied is copied; what else was answered is the caller's."""
    path, started = watched.run.path / saved.path, watched.state.started
    dialog = CheckpointDialog(path, saved, started.monitor if started is not None else "")
    answer = await screen.app.push_screen_wait(dialog)
    if answer == "copy":
        copy_path(screen, path)
    return answer


def copy_path(screen: Screen[object], path: Path) -> None:
    """By OSC 52; where the terminal doesn't take that, the path can be read and marked."""
    screen.app.copy_to_clipboard(str(path))
    screen.notify(str(path), title="copied, if your terminal allows it", timeout=10)


def told(path: Path, saved: CheckpointSaved, monitor: str) -> str:
    """`path`: the whole one. The lines load the weights into a model of torchvision."""
    metric = f"{saved.metric:.6g}" if saved.metric is not None else "not measured"
    rows = {
        "kind": f"{saved.kind}: {KINDS.get(saved.kind, '')}".rstrip(": "),
        "trained": f"{saved.epoch} epochs, {saved.step} steps",
        monitor or "metric": metric,
        "size": f"{saved.bytes / 1e6:.1f} MB",
        "sha256": saved.sha256,
    }
    width = max(map(len, rows))
    table = [f"{name:<{width}}  {value}" for name, value in rows.items()]
    code = [
        "import torch",
        f"checkpoint = torch.load({str(path)!r}, weights_only=True)",
        'model.load_state_dict(checkpoint["model"])  # classes: checkpoint["classes"]',
    ]
    return "\n".join([str(path), "", *table, "", *code])

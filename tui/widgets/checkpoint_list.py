"""The checkpoints of a run, with their paths."""

from __future__ import annotations

from pathlib import Path

from rich.text import Text
from textual.binding import Binding
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from engine.contract.events import CheckpointSaved
from tui.run_list import WatchedRun
from tui.summary import checkpoints


class CheckpointList(OptionList):
    """The best first. `y` asks for the highlighted one's path to be copied."""

    class Copy(Message):
        """This path is wanted."""

        def __init__(self, path: Path) -> None:
            super().__init__()
            self.path = path

    DEFAULT_CSS = "CheckpointList, CheckpointList:focus { border: none; padding: 0; }"
    BINDINGS = [Binding("y", "copy", "Copy path", tooltip="Copy the checkpoint's path")]

    def __init__(self) -> None:
        super().__init__()
        self._shown: list[tuple[str, str]] = []
        self._folder = Path()

    def show(self, watched: WatchedRun | None) -> None:
        saved = _kept(watched) if watched is not None else []
        rows = [(entry.path, _words(entry)) for entry in saved]
        folder = watched.run.path if watched is not None else Path()
        if (folder, rows) == (self._folder, self._shown):
            return
        at = self.highlighted if folder == self._folder else None
        self._folder, self._shown = folder, rows
        self.clear_options()
        self.add_options(Option(Text(words, no_wrap=True), id=path) for path, words in rows)
        if rows:
            self.highlighted = min(at or 0, len(rows) - 1)

    def action_copy(self) -> None:
        if self.highlighted is not None:
            self.post_message(self.Copy(self._folder / self._shown[self.highlighted][0]))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.action_copy()


def _kept(watched: WatchedRun) -> list[CheckpointSaved]:
    """Those that are still there: `checkpoint.keep` deletes the others."""
    try:
        names = {f"checkpoints/{file.name}" for file in watched.run.checkpoints.iterdir()}
    except OSError:
        return []
    return [saved for saved in checkpoints(watched.state) if saved.path in names]


def _words(saved: CheckpointSaved) -> str:
    metric = f"  {saved.metric:.4g}" if saved.metric is not None else ""
    return f"◆ {saved.kind}  epoch {saved.epoch}  step {saved.step}{metric}\n  {saved.path}"

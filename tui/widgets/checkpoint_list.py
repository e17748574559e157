"""The checkpoints of a run, with their paths."""

from __future__ import annotations

from pathlib import Path

from rich.text import Text
from textual.binding import Binding
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from engine.contract.events import CheckpointSaved
from tui.pace import Rest
from tui.run_list import WatchedRun
from tui.summary import checkpoints


class CheckpointList(OptionList):
    """The best first. Of the highlighted one: `y` asks for its path to be copied, enter for it to
    be shown, `R` for the run to go on from it. `rest` is given by tests."""

    class Copy(Message):
        """This path is wanted."""

        def __init__(self, path: Path) -> None:
            super().__init__()
            self.path = path

    class Show(Message):
        """This checkpoint is wanted to be seen."""

        def __init__(self, saved: CheckpointSaved) -> None:
            super().__init__()
            self.saved = saved

    class Resume(Message):
        """The run is to go on from this checkpoint."""

        def __init__(self, saved: CheckpointSaved) -> None:
            super().__init__()
            self.saved = saved

    DEFAULT_CSS = "CheckpointList, CheckpointList:focus { border: none; padding: 0; }"
    BINDINGS = [
        Binding("y", "copy", "Copy path", tooltip="Copy the checkpoint's path"),
        Binding("enter", "select", "Show", tooltip="Show the checkpoint, and how to load it"),
        Binding("R", "resume", "Resume", tooltip="Go on with the run from this checkpoint"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.rest = Rest()
        self._shown: list[tuple[str, str]] = []
        self._saved: list[CheckpointSaved] = []
        self._folder = Path()

    def show(self, watched: WatchedRun | None) -> None:
        if not self.rest.over(watched and (watched.run.path, watched.news)):
            return
        self._saved = _kept(watched) if watched is not None else []
        rows = [(entry.path, _words(entry)) for entry in self._saved]
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
        self.post_message(self.Show(self._saved[event.option_index]))

    def action_resume(self) -> None:
        if self.highlighted is not None:
            self.post_message(self.Resume(self._saved[self.highlighted]))


def _kept(watched: WatchedRun) -> list[CheckpointSaved]:
    """Those that are still there: `checkpoint.keep` deletes the others."""
    try:
        names = {f"checkpoints/{file.name}" for file in watched.run.checkpoints.iterdir()}
    except OSError:
        return []
    return [saved for saved in checkpoints(watched.state) if saved.path in names]


def _words(saved: CheckpointSaved) -> str:
    metric = f"  {saved.metric:.4g}" if saved.metric is not None else ""
    kind = f"{saved.kind}  " if saved.kind != "epoch" else ""
    return f"◆ {kind}epoch {saved.epoch}  step {saved.step}{metric}\n  {saved.path}"

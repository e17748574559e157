"""Asks for a file's name."""

from __future__ import annotations

from pathlib import Path

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label

from tui.experiments import experiment_file, wrong_name


class FileNameScreen(ModalScreen[Path | None]):
    """Dismissed with a path in the folder of the one it was given; with None by escape. What the
    name can't be is said while it is typed."""

    DEFAULT_CSS = """
    FileNameScreen { align: center middle; }
    FileNameScreen > Vertical { width: 90%; max-width: 76; height: auto;
        border: round $primary; background: $surface; padding: 0 1; }
    FileNameScreen #note { width: 100%; color: $text-muted; }
    FileNameScreen #note.-wrong { color: $text-error; }
    """
    BINDINGS = [Binding("escape", "dismiss(None)", "Back")]

    def __init__(self, title: str, path: Path, *, new: bool = False) -> None:
        """`new`: a name that is there already is refused."""
        super().__init__()
        self._title, self._path, self._new = title, path, new

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Label(self._title, markup=False)
            yield Input(self._path.name, compact=True, select_on_focus=True)
            yield Label("", id="note", markup=False)

    def on_mount(self) -> None:
        self._judge(self._path.name)

    def _judge(self, name: str) -> str:
        folder = self._path.parent
        wrong = wrong_name(folder, name, new=self._new)
        note = self.query_one("#note", Label)
        note.update(wrong or f"enter: {experiment_file(folder, name).name} in {folder}")
        note.set_class(bool(wrong), "-wrong")
        return wrong

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._judge(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if not self._judge(event.value):
            self.dismiss(experiment_file(self._path.parent, event.value))

"""Asks for a file's name."""

from __future__ import annotations

from pathlib import Path

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label


class FileNameScreen(ModalScreen[Path | None]):
    """Dismissed with a path in the folder of the one it was given; with None by escape."""

    DEFAULT_CSS = """
    FileNameScreen { align: center middle; }
    FileNameScreen > Vertical { width: 90%; max-width: 76; height: auto;
        border: round $primary; background: $surface; padding: 0 1; }
    """
    BINDINGS = [Binding("escape", "dismiss(None)", "Back")]

    def __init__(self, title: str, path: Path) -> None:
        super().__init__()
        self._title, self._path = title, path

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Label(self._title, markup=False)
            yield Input(self._path.name, compact=True, select_on_focus=True)
            yield Label(f"in {self._path.parent}", markup=False)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        name = event.value.strip()
        if name:
            path = self._path.parent / name
            self.dismiss(path if path.suffix == ".toml" else path.with_name(f"{path.name}.toml"))

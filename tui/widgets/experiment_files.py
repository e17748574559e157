"""The experiments of a folder: its TOML files."""

from __future__ import annotations

from pathlib import Path

from rich.text import Text
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option


class ExperimentFiles(OptionList):
    """Says which file the cursor is on."""

    class Chosen(Message):
        """The cursor is on this file now."""

        def __init__(self, path: Path) -> None:
            super().__init__()
            self.path = path

    DEFAULT_CSS = """
    ExperimentFiles, ExperimentFiles:focus { border: none; padding: 0; }
    ExperimentFiles { height: auto; max-height: 100%; }
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self._shown: list[Path] = []

    def look(self) -> None:
        """Read the folder again; the cursor stays on its file."""
        files = sorted(path for path in self.folder.glob("*.toml") if path.is_file())
        if files == self._shown:
            return
        at = self._shown[self.highlighted] if self.highlighted is not None else None
        self._shown = files
        self.clear_options()
        self.add_options(Option(Text(file.name, no_wrap=True)) for file in files)
        if files:
            self.highlighted = files.index(at) if at in files else 0

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        if event.option_index < len(self._shown):
            self.post_message(self.Chosen(self._shown[event.option_index]))

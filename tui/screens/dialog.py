"""What the dialogs share: a box in the middle that escape closes without an answer."""

from __future__ import annotations

from typing import Generic, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widget import Widget

from tui.widgets.words import Words

Answer = TypeVar("Answer")


class Dialog(ModalScreen[Answer | None], Generic[Answer]):
    """Its answer is None when it was left."""

    DEFAULT_CSS = """
    Dialog { align: center middle; }
    Dialog > #box {
        width: 90%; max-width: 100; height: auto; max-height: 90%;
        border: round $primary; padding: 0 1; background: $surface;
    }
    Dialog OptionList { height: auto; max-height: 1fr; }
    Dialog OptionList, Dialog OptionList:focus { border: none; padding: 0; }
    Dialog #title { text-style: bold; }
    Dialog #hint { color: $text-muted; }
    """
    BINDINGS = [
        Binding("escape", "leave", "Close"),
        Binding("ctrl+c", "app.quit", "Quit", show=False, tooltip="Leave; runs go on"),
    ]

    def __init__(self, title: str, hint: str) -> None:
        super().__init__()
        self._title, self._hint = title, hint

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            title = Words(id="title")
            title.text = self._title
            yield title
            yield from self.content()
            hint = Words(id="hint")
            hint.text = self._hint
            yield hint

    def content(self) -> list[Widget]:
        """What stands between title and hint."""
        return []

    def action_leave(self) -> None:
        self.dismiss(None)

"""All the help of one key or section."""

from __future__ import annotations

from collections.abc import Sequence

from textual.containers import VerticalScroll
from textual.widget import Widget

from tui.screens.dialog import Dialog
from tui.screens.help import HelpDialog
from tui.widgets.words import Words


class FieldHelpDialog(Dialog[None]):
    """To be read, scrolled and closed. `keys` are those of where one is, shown on demand."""

    DEFAULT_CSS = "FieldHelpDialog VerticalScroll { height: auto; max-height: 60vh; }"
    BINDINGS = [("f1", "keys", "Keys"), ("enter,q", "leave", "Close")]

    def __init__(self, title: str, text: str, keys: Sequence[tuple[str, str]]) -> None:
        super().__init__(title, "arrows: scroll   f1: the keys   escape: close")
        self._text, self._keys = text, keys

    def content(self) -> list[Widget]:
        words = Words()
        words.text = self._text
        return [VerticalScroll(words)]

    def action_keys(self) -> None:
        self.app.switch_screen(HelpDialog(self._keys))

"""All the help of one key or section."""

from __future__ import annotations

from collections.abc import Callable

from textual.containers import VerticalScroll
from textual.widget import Widget

from tui.screens.dialog import Dialog
from tui.widgets.words import Words


class FieldHelpDialog(Dialog[None]):
    """To be read, scrolled and closed. `keys` shows the keys of where one is instead."""

    DEFAULT_CSS = "FieldHelpDialog VerticalScroll { height: auto; max-height: 1fr; }"
    BINDINGS = [("f1", "keys", "Keys"), ("enter,q", "leave", "Close")]

    def __init__(self, title: str, text: str, keys: Callable[[], None]) -> None:
        super().__init__(title, "arrows: scroll   f1: the keys   escape: close")
        self._text, self._keys = text, keys

    def content(self) -> list[Widget]:
        words = Words()
        words.text = self._text
        return [VerticalScroll(words)]

    def action_keys(self) -> None:
        self.dismiss(None)
        self._keys()

"""A text that is repainted only when it changes."""

from __future__ import annotations

from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Static


class Words(Static):
    """Shows exactly the text it is given: names and messages may hold brackets."""

    text: reactive[str] = reactive("")

    def watch_text(self, text: str) -> None:
        self.update(Content(text))

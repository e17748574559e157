"""A text that is repainted only when it changes."""

from __future__ import annotations

from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Static


class Words(Static):
    """Shows exactly the text it is given: names and messages may hold brackets."""

    text: reactive[str] = reactive("")

    def watch_text(self, before: str, text: str) -> None:
        """The screen is laid out anew only where the words take other room: that repaints all of
        it, ten times a second while a run is watched."""
        content = Content(text)
        self.update(content, layout=self._room(Content(before)) != self._room(content))

    def _room(self, content: Content) -> tuple[int, int]:
        """Columns without wrapping, and rows with it: a width may follow the one, a height the
        other."""
        auto = self.styles.is_auto_width
        columns = content.get_optimal_width(self.styles, 0) if auto else 0
        return columns, content.get_height(self.styles, max(1, self.size.width))

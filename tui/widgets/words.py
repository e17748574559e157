"""A text that is repainted only when it changes."""

from __future__ import annotations

from typing import cast

from textual.content import Content
from textual.css.styles import RulesMap
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
        rules = cast(RulesMap, self.styles)  # which Textual's widgets give in its place, too
        columns = content.get_optimal_width(rules, 0) if auto else 0
        return columns, content.get_height(rules, max(1, self.size.width))

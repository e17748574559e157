"""The raw TOML, highlighted. The document is what undoes; this only shows it and takes what is
typed."""

from __future__ import annotations

from textual.widgets import TextArea
from textual.widgets.text_area import Selection


class TomlText(TextArea):
    """A TextArea that is brought up to date without losing its cursor."""

    DEFAULT_CSS = """
    TomlText, TomlText:focus { width: 1fr; height: 1fr; border: none; padding: 0; }
    """

    def __init__(self) -> None:
        super().__init__(
            "",
            language="toml",
            theme="css",
            soft_wrap=False,
            show_line_numbers=True,
            tab_behavior="focus",
        )

    def show(self, text: str) -> None:
        """Replace what differs, and nothing else; no Changed is sent for it."""
        before = self.text
        if text == before:
            return
        same = min(len(before), len(text))
        head = next((i for i in range(same) if before[i] != text[i]), same)
        rest = same - head
        tail = next((i for i in range(rest) if before[-1 - i] != text[-1 - i]), rest)
        cursor = self.selection
        start, end = _location(before, head), _location(before, len(before) - tail)
        with self.prevent(TextArea.Changed):
            self.replace(text[head : len(text) - tail], start, end)
        if not self.has_focus:
            self.selection = Selection(*map(self.clamp_visitable, cursor))

    def go_to(self, line: int) -> None:
        """A line, from 1, into the middle of the view."""
        self.move_cursor((line - 1, 0), center=True)


def _location(text: str, place: int) -> tuple[int, int]:
    return text.count("\n", 0, place), place - (text.rfind("\n", 0, place) + 1)

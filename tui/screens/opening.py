"""The first frame: what a person sees while the rest is imported."""

from __future__ import annotations

from pathlib import Path

from textual.app import RenderResult
from textual.message import Message
from textual.screen import Screen
from textual.widget import Widget


class _Line(Widget):
    """One line of words."""

    def __init__(self, words: str, *, id: str) -> None:
        super().__init__(id=id)
        self._words = words

    def render(self) -> RenderResult:
        return self._words


class Opening(Screen[object]):
    """Says when it has been painted; then the main screen covers it for good."""

    class Painted(Message):
        """There is something to be seen."""

    DEFAULT_CSS = """
    Opening #top { height: 1; background: $panel; }
    Opening #words { width: 1fr; height: 1fr; content-align: center middle; color: $text-muted; }
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def compose(self) -> list[Widget]:
        return [_Line("ptrain", id="top"), _Line(f"opening {self._folder.name} …", id="words")]

    def on_mount(self) -> None:
        self.call_after_refresh(self.post_message, self.Painted())

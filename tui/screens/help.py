"""The keys of where one is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widget import Widget

from tui.screens.dialog import Dialog
from tui.widgets.key_line import reachable
from tui.widgets.words import Words


class HelpDialog(Dialog[None]):
    """`keys` are pairs of a key and what it does."""

    DEFAULT_CSS = "HelpDialog VerticalScroll { height: auto; max-height: 60vh; }"
    BINDINGS = [("question_mark,f1,q", "leave", "Close")]

    def __init__(self, keys: Sequence[tuple[str, str]]) -> None:
        super().__init__("Keys", "arrows: scroll   escape: close")
        self._keys = keys

    def content(self) -> list[Widget]:
        width = max((len(key) for key, _ in self._keys), default=0)
        words = Words()
        words.text = "\n".join(f"{key:<{width}}  {does}" for key, does in self._keys)
        return [VerticalScroll(words)]


def keys_of(screen: Screen[Any]) -> list[tuple[str, str]]:
    """What the keys do at the focused widget: ours first, then those of every list and scroll bar.

    Keys that do the same are one line.
    """
    ours: dict[str, list[str]] = {}
    common: dict[str, list[str]] = {}
    for _, binding, _, tooltip in reachable(screen):
        told = tooltip or binding.tooltip
        does = told or binding.description
        if does:
            key = screen.app.get_key_display(binding)
            (ours if told else common).setdefault(does, []).append(key)
    rows = (*ours.items(), *common.items())
    return [(" ".join(dict.fromkeys(keys)), does) for does, keys in rows]

"""What keeps an experiment from running, each problem with its place and its remedy."""

from __future__ import annotations

from collections.abc import Sequence

from textual.containers import VerticalScroll
from textual.widget import Widget

from engine.contract.problems import Problem
from tui.screens.dialog import Dialog
from tui.widgets.words import Words


class ProblemsDialog(Dialog[None]):
    """To be read, scrolled and closed."""

    DEFAULT_CSS = "ProblemsDialog VerticalScroll { height: auto; max-height: 1fr; }"
    BINDINGS = [("enter", "leave", "Close")]

    def __init__(self, title: str, problems: Sequence[Problem], words: str = "") -> None:
        super().__init__(title, "escape: close")
        self._text = "\n".join([*map(_told, problems), *([words] if words else [])])

    def content(self) -> list[Widget]:
        words = Words()
        words.text = self._text
        return [VerticalScroll(words)]


def _told(problem: Problem) -> str:
    place = f"line {problem.line}" if problem.line is not None else ""
    mark = "warning" if problem.severity == "warning" else "✗"
    head = ": ".join(part for part in (place, problem.key, problem.message) if part)
    return "\n    ".join(filter(None, (f"{mark} {head}", problem.hint)))

"""What keeps an experiment from running, each problem with its place and its remedy."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from engine.contract.problems import Problem
from tui.key_words import counted
from tui.screens.dialog import Dialog
from tui.widgets.words import Words


class ProblemsDialog(Dialog[Problem]):
    """Answers with the problem that one wants to mend; without an editor to do so in, with None."""

    DEFAULT_CSS = """
    ProblemsDialog VerticalScroll, ProblemsDialog OptionList { height: auto; max-height: 60vh; }
    """
    BINDINGS = [("enter", "leave", "Close")]  # with only words to read

    def __init__(
        self, title: str, problems: Sequence[Problem], words: str = "", *, can_edit: bool = False
    ) -> None:
        mend = "enter: mend it in the editor   " if can_edit and problems else ""
        super().__init__(title, f"{mend}escape: close")
        self._problems, self._said, self._can_edit = list(problems), words, can_edit

    def content(self) -> list[Widget]:
        listed = OptionList(*(Option(Text(_told(problem))) for problem in self._problems))
        words = Words()
        words.text = self._said
        return [
            *([listed] if self._problems else []),
            *([VerticalScroll(words)] if self._said else []),
        ]

    def on_mount(self) -> None:
        for listed in self.query(OptionList):
            listed.highlighted = 0

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(self._problems[event.option_index] if self._can_edit else None)


def _told(problem: Problem) -> str:
    place = f"line {problem.line}" if problem.line is not None else ""
    mark = "warning" if problem.severity == "warning" else "✗"
    head = ": ".join(part for part in (place, counted(problem.key), problem.message) if part)
    return "\n    ".join(filter(None, (f"{mark} {head}", problem.hint)))

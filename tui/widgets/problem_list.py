"""What is wrong, a line each; enter goes to its line of the text."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from engine.contract.problems import Problem
from tui.key_words import counted


class ProblemList(OptionList):
    """Hidden while there is nothing wrong."""

    DEFAULT_CSS = """
    ProblemList { height: auto; max-height: 5; border: none; border-top: solid $error; padding: 0;
        display: none; }
    ProblemList.-some { display: block; }
    """

    class Chosen(Message):
        """Asks to be taken there."""

        def __init__(self, problem: Problem) -> None:
            super().__init__()
            self.problem = problem

    def __init__(self) -> None:
        super().__init__(markup=False)
        self.problems: tuple[Problem, ...] = ()

    def show(self, problems: Sequence[Problem]) -> None:
        if tuple(problems) == self.problems:
            return
        self.problems = tuple(problems)
        self.clear_options()
        self.add_options([Option(_line(problem)) for problem in problems])
        self.set_class(bool(problems), "-some")
        self.border_title = f"{len(problems)} to mend · f4"

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.post_message(self.Chosen(self.problems[event.option_index]))


def _line(problem: Problem) -> Content:
    hint = f" — {problem.hint}" if problem.hint else ""
    return Content.assemble(
        (f"{problem.line or '':>4} ", "dim"),
        (counted(problem.key), "bold"),
        f" {problem.message}{hint}",
    )

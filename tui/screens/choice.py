"""Choosing one of several; what can't be chosen says why, and is looked at again meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.text import Text
from textual.widget import Widget
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tui.acting import Choice
from tui.screens.dialog import Dialog

LOOK_SECONDS = 0.5


class ChoiceDialog(Dialog[str]):
    """Answers with the id of the choice."""

    def __init__(self, title: str, choices: Callable[[], Sequence[Choice]]) -> None:
        super().__init__(title, "enter: choose   escape: leave everything as it is")
        self._choices = choices
        self._shown: list[Choice] = []

    def content(self) -> list[Widget]:
        return [OptionList()]

    def on_mount(self) -> None:
        self._look()
        self.set_interval(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        choices = list(self._choices())
        if choices == self._shown:
            return
        options = self.query_one(OptionList)
        at, self._shown = options.highlighted, choices
        options.clear_options()
        options.add_options(_option(choice) for choice in choices)
        open_ones = [index for index, choice in enumerate(choices) if not choice.why_not]
        if open_ones:
            options.highlighted = at if at in open_ones else open_ones[0]

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(event.option.id)


def _option(choice: Choice) -> Option:
    words = f"{choice.text}\n    {choice.why_not}" if choice.why_not else choice.text
    return Option(Text(words), id=choice.id, disabled=bool(choice.why_not))

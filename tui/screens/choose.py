"""A question with a few answers, or a long list that typing narrows down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Label, OptionList
from textual.widgets.option_list import Option


class ChooseScreen(ModalScreen[str | None]):
    """Dismissed with the name of the answer; with None by escape."""

    DEFAULT_CSS = """
    ChooseScreen { align: center middle; }
    ChooseScreen > Vertical { width: 90%; max-width: 76; height: auto; max-height: 90%;
        border: round $primary; background: $surface; padding: 0 1; }
    ChooseScreen OptionList, ChooseScreen OptionList:focus {
        height: auto; max-height: 10; border: none; padding: 0;
        text-wrap: nowrap; text-overflow: ellipsis; }
    ChooseScreen #whole { width: 100%; height: auto; max-height: 6; color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Back"),
        Binding("down", "move('cursor_down')", show=False),
        Binding("up", "move('cursor_up')", show=False),
        Binding("pagedown", "move('page_down')", show=False),
        Binding("pageup", "move('page_up')", show=False),
    ]

    def __init__(
        self, title: str, options: Sequence[tuple[str, str]], *, narrowed: bool = False
    ) -> None:
        """`options` are names with their help; `narrowed` puts a line for typing above."""
        super().__init__()
        self._title, self._options, self._narrowed = title, options, narrowed
        self._shown = list(options)

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Label(self._title, markup=False)
            if self._narrowed:
                yield Input(placeholder="type to narrow down", compact=True)
            yield OptionList(*map(_option, self._options), markup=False)
            yield Label("", id="whole", markup=False)

    def on_mount(self) -> None:
        self.query_one(OptionList).highlighted = 0 if self._options else None

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        word = event.value.casefold()
        named = [each for each in self._options if word in each[0].casefold()]
        helped = [
            each for each in self._options if each not in named and word in each[1].casefold()
        ]
        self._shown = named + helped
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options(map(_option, self._shown))
        options.highlighted = 0 if self._shown else None

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.query_one(OptionList).action_select()

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Its whole help: in the list there is one line for each."""
        event.stop()
        self.query_one("#whole", Label).update(self._shown[event.option_index][1])

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(self._shown[event.option_index][0])

    def action_move(self, where: str) -> None:
        """The arrow keys move in the list while one types above it."""
        getattr(self.query_one(OptionList), f"action_{where}")()


def _option(option: tuple[str, str]) -> Option:
    name, help_ = option
    return Option(Content.assemble((name, "bold"), (f"  {help_}" if help_ else "", "dim")))

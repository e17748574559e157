"""The line in which one types which runs are to be shown, and what is wrong with that."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input

from tui.widgets.words import Words

EXAMPLE = "lr < 0.1 and accuracy > 0.9"  # 34 cells hold it


class FilterLine(Vertical):
    """Says what is typed with each key, and when it is done with."""

    class Typed(Message):
        """The filter is this now."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Done(Message):
        """Back to the runs; `cleared`: to all of them."""

        def __init__(self, *, cleared: bool) -> None:
            super().__init__()
            self.cleared = cleared

    DEFAULT_CSS = """
    FilterLine {
        height: auto; display: none;
        &.-shown { display: block; }
        Words { height: auto; max-height: 3; color: $text-error; }
    }
    """
    BINDINGS = [
        Binding("escape", "done(True)", "All runs", tooltip="Clear the filter"),
        Binding("down,enter", "done(False)", "To the runs", tooltip="Keep the filter"),
    ]

    def compose(self) -> ComposeResult:
        yield Input(placeholder=EXAMPLE, select_on_focus=False, compact=True)
        yield Words()

    @property
    def _input(self) -> Input:
        return self.query_one(Input)

    def open(self) -> None:
        self.add_class("-shown")
        self._input.focus()

    def close(self) -> None:
        """Empty and out of sight."""
        self.remove_class("-shown")
        self._input.value = ""
        self.tell("")

    def tell(self, problem: str) -> None:
        words = self.query_one(Words)
        words.text, words.display = problem, bool(problem)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Typed(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_done(False)

    def action_done(self, cleared: bool) -> None:
        self.post_message(self.Done(cleared=cleared))

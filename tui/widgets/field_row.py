"""One key of the form: its name, what it is set to, and what is wrong with it.

Two widgets a row and no more: a form has fifty rows, and each costs a millisecond at opening.
"""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Checkbox, Input, Label, Static

from tui.form_model import Path, Row

NOT_CHANGED_HERE = "has comments inside: change it in the text"


class ChoiceField(Static, can_focus=True):
    """One of several words; asks for the list of them."""

    DEFAULT_CSS = """
    ChoiceField { height: 1; }
    ChoiceField:focus { background: $primary; color: $text; }
    """
    BINDINGS = [Binding("enter,space", "ask", "Choose")]

    class Asked(Message):
        """Wants to be given one of the row's choices."""

    def __init__(self, toml: str) -> None:
        super().__init__(markup=False)
        self.value = toml
        self.show(toml)

    def show(self, toml: str) -> None:
        self.value = toml
        self.update(f"{toml.strip(chr(34) + chr(39))} ▾")

    def action_ask(self) -> None:
        self.post_message(self.Asked())

    def on_click(self) -> None:
        self.action_ask()


class FieldRow(Horizontal):
    """Shows a row and says what its value was changed to."""

    DEFAULT_CSS = """
    FieldRow { height: 1; }
    FieldRow .key { width: 20; text-wrap: nowrap; text-overflow: ellipsis; color: $text-muted; }
    FieldRow:focus-within .key { color: $text; text-style: bold; }
    FieldRow .value { width: 1fr; }
    """

    class Edited(Message):
        """The value is this TOML text now."""

        def __init__(self, path: Path, toml: str) -> None:
            super().__init__()
            self.path, self.toml = path, toml

    class Asked(Message):
        """One of the row's choices is to be chosen."""

        def __init__(self, row: Row) -> None:
            super().__init__()
            self.row = row

    class Submitted(Message):
        """Enter was pressed in what is typed."""

        def __init__(self, row: Row) -> None:
            super().__init__()
            self.row = row

    def __init__(self, row: Row, depth: int = 0) -> None:
        super().__init__()
        self._indent = 2 + 2 * depth
        self.styles.padding = (0, 0, 0, self._indent)
        self.row = row
        self.control = self._made()
        self.control.add_class("value")
        self._wrong: Label | None = None

    def _made(self) -> Widget:
        row = self.row
        if row.kind == "choice":
            return ChoiceField(row.toml)
        if row.kind == "switch":
            return Checkbox("", value=row.toml == "true", compact=True)
        return Input(row.toml, compact=True, disabled=row.kind == "fixed", select_on_focus=False)

    def compose(self) -> ComposeResult:
        yield Label(self.row.label, classes="key", markup=False)
        yield self.control

    def show(self, row: Row) -> None:
        """A row of the same kind and choices, with the value that the text has now."""
        self.row = row
        control = self.control
        with self.prevent(Input.Changed, Checkbox.Changed):
            if isinstance(control, ChoiceField) and control.value != row.toml:
                control.show(row.toml)
            elif isinstance(control, Checkbox):
                control.value = row.toml == "true"
            elif isinstance(control, Input) and control.value != row.toml:
                control.value = row.toml

    @property
    def wrong(self) -> str:
        """What stands below it as wrong."""
        return str(self._wrong.content) if self._wrong is not None else ""

    def tell(self, wrong: str) -> None:
        """What is wrong with it, on a line below; empty when nothing is."""
        if wrong == self.wrong or not isinstance(self.parent, Widget):
            return
        if self._wrong is not None and wrong:
            self._wrong.update(wrong)
        elif self._wrong is not None:
            self._wrong.remove()
            self._wrong = None
        else:
            self._wrong = Label(wrong, classes="wrong", markup=False)
            self._wrong.styles.padding = (0, 0, 0, self._indent + 2)
            self.parent.mount(self._wrong, after=self)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._edited(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Submitted(self.row))

    def on_checkbox_changed(self, event: Checkbox.Changed) -> None:
        event.stop()
        self._edited("true" if event.value else "false")

    def on_choice_field_asked(self, message: ChoiceField.Asked) -> None:
        message.stop()
        self.post_message(self.Asked(self.row))

    def _edited(self, toml: str) -> None:
        if toml != self.row.toml or self.wrong:
            self.post_message(self.Edited(self.row.path, toml))

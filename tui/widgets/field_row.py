"""One key of the form: its name, what it is set to, and what is wrong with it."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Checkbox, Input, Label, Select

from tui.form_model import Path, Row

NOT_CHANGED_HERE = "has comments inside: change it in the text"


class _Choices(Select[str], inherit_bindings=False):
    """Leaves the arrow keys to the form, where they go from row to row."""

    BINDINGS = [Binding("enter,space", "show_overlay", "Choose", show=False)]


class FieldRow(Vertical):
    """Shows a row and says what its value was changed to."""

    DEFAULT_CSS = """
    FieldRow { height: auto; }
    FieldRow > Horizontal { height: 1; }
    FieldRow .key { width: 20; text-wrap: nowrap; text-overflow: ellipsis; color: $text-muted; }
    FieldRow:focus-within .key { color: $text; text-style: bold; }
    FieldRow .value { width: 1fr; }
    FieldRow .wrong { display: none; color: $text-error; padding-left: 2; height: auto; }
    FieldRow.-wrong .wrong { display: block; }
    """

    class Edited(Message):
        """The value is this TOML text now."""

        def __init__(self, path: Path, toml: str) -> None:
            super().__init__()
            self.path, self.toml = path, toml

    def __init__(self, row: Row, depth: int = 0) -> None:
        super().__init__()
        self.styles.padding = (0, 0, 0, 2 + 2 * depth)
        self.row = row
        self._control = self._made()
        self._control.add_class("value")
        self._wrong = Label("", classes="wrong", markup=False)

    def _made(self) -> Widget:
        row = self.row
        if row.kind == "choice":
            options = [(choice.strip("\"'"), choice) for choice in row.choices]
            return _Choices(options, value=row.toml, allow_blank=False, compact=True)
        if row.kind == "switch":
            return Checkbox("", value=row.toml == "true", compact=True)
        return Input(row.toml, compact=True, disabled=row.kind == "fixed", select_on_focus=False)

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Label(self.row.label, classes="key", markup=False)
            yield self._control
        yield self._wrong

    @property
    def control(self) -> Widget:
        """What takes the focus."""
        return self._control

    def show(self, row: Row) -> None:
        """A row of the same kind and choices, with the value that the text has now."""
        self.row = row
        control = self._control
        with self.prevent(Input.Changed, Select.Changed, Checkbox.Changed):
            if isinstance(control, Select):
                control.value = row.toml
            elif isinstance(control, Checkbox):
                control.value = row.toml == "true"
            elif isinstance(control, Input) and control.value != row.toml:
                control.value = row.toml

    def tell(self, wrong: str) -> None:
        """What is wrong with it; empty when nothing is."""
        self._wrong.update(wrong)
        self.set_class(bool(wrong), "-wrong")

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._edited(event.value)

    def on_select_changed(self, event: Select.Changed) -> None:
        event.stop()
        self._edited(str(event.value))

    def on_checkbox_changed(self, event: Checkbox.Changed) -> None:
        event.stop()
        self._edited("true" if event.value else "false")

    def _edited(self, toml: str) -> None:
        if toml != self.row.toml:
            self.post_message(self.Edited(self.row.path, toml))

"""One key of the form: its name, what it is set to, and what is wrong with it.

One widget a row: a form has fifty of them, and each widget costs a millisecond or two at opening.
"""

from __future__ import annotations

from dataclasses import replace

from rich.segment import Segment
from textual.app import RenderResult
from textual.binding import Binding
from textual.content import Content
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input, Label

from tui.form_model import Path, Row
from tui.freeze_section import FREEZE

NOT_CHANGED_HERE = "has comments inside: change it in the text"
LABEL = 20  # columns


class FieldRow(Widget):
    """Shows a row and says what its value was changed to."""

    DEFAULT_CSS = "FieldRow { height: 1; }"

    class Edited(Message):
        """The value is this TOML text now."""

        def __init__(self, path: Path, toml: str) -> None:
            super().__init__()
            self.path, self.toml = path, toml

    class Asked(Message):
        """One of the values that there are is to be chosen."""

        def __init__(self, row: Row) -> None:
            super().__init__()
            self.row = row

    row: Row
    indent: int  # columns before the label
    _wrong: Label | None = None

    @property
    def value(self) -> str:
        """As TOML."""
        return self.row.toml

    def show(self, row: Row) -> None:
        """A row of the same kind and choices, with the value that the text has now."""
        self.row = row
        self.refresh()

    @property
    def label(self) -> str:
        """As wide as those of the other rows."""
        label = self.row.label
        short = label if len(label) < LABEL else f"{label[: LABEL - 2]}…"
        return f"{'':{self.indent}}{short:<{LABEL}}"

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
            self._wrong.styles.padding = (0, 0, 0, self.indent + 2)
            self.parent.mount(self._wrong, after=self)

    def edited(self, toml: str) -> None:
        """By a person."""
        self.show(replace(self.row, toml=toml))
        self.post_message(self.Edited(self.row.path, toml))

    def action_ask(self) -> None:
        self.post_message(self.Asked(self.row))


class WordRow(FieldRow, can_focus=True):
    """What is not typed."""

    DEFAULT_CSS = "WordRow:focus { background: $primary; color: $text; }"

    def __init__(self, row: Row, indent: int) -> None:
        super().__init__()
        self.row, self.indent = row, indent

    @property
    def words(self) -> str:
        """What stands there for the value."""
        raise NotImplementedError

    def render(self) -> RenderResult:
        return Content.assemble((self.label, "" if self.has_focus else "$text-muted"), self.words)


class ChoiceRow(WordRow):
    """One of several words; asks for the list of them."""

    BINDINGS = [
        Binding("enter", "ask", "Choose", key_display="enter", tooltip="Choose from the list"),
        Binding("space", "ask", show=False),
    ]

    @property
    def words(self) -> str:
        return f"{self.row.toml.strip(chr(34) + chr(39))} ▾"

    def on_click(self) -> None:
        self.action_ask()


class SwitchRow(WordRow):
    """True or false."""

    BINDINGS = [
        Binding("enter", "switch", "Switch", key_display="enter", tooltip="true or false"),
        Binding("space", "switch", show=False),
    ]

    @property
    def words(self) -> str:
        return f"[{'x' if self.row.toml == 'true' else ' '}] {self.row.toml}"

    def action_switch(self) -> None:
        toml = "false" if self.row.toml == "true" else "true"
        self.edited(toml)

    def on_click(self) -> None:
        self.action_switch()


class EntryRow(Input, FieldRow):
    """Any value as TOML; where there are some to choose from, enter asks for their list.

    The label is painted into the padding at its left.
    """

    COMPONENT_CLASSES = {"entry-row--label", "entry-row--label-focused"}
    DEFAULT_CSS = """
    EntryRow { width: 1fr;
        & .entry-row--label { color: $text-muted; }
        & .entry-row--label-focused { text-style: bold; }
    }
    """
    BINDINGS = [
        Binding("enter", "submit", "Choose", key_display="enter", tooltip="Choose from the list")
    ]

    def __init__(self, row: Row, indent: int) -> None:
        fixed = row.kind == "fixed"
        super().__init__(row.toml, compact=True, disabled=fixed, select_on_focus=False)
        self.row, self.indent = row, indent
        self.styles.padding = (0, 0, 0, indent + LABEL)

    def render_lines(self, crop: Region) -> list[Strip]:
        focused = "-focused" if self.has_focus else ""
        style = self.get_component_rich_style(f"entry-row--label{focused}")
        label = Strip([Segment(self.label, style)], self.indent + LABEL)
        shown = label.crop(crop.x, min(crop.right, label.cell_length))
        return [
            Strip.join([shown, strip.crop(shown.cell_length)])
            for strip in super().render_lines(crop)
        ]

    def show(self, row: Row) -> None:
        self.row = row
        if self.value != row.toml:
            with self.prevent(Input.Changed):
                self.value = row.toml

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        listed = self.row.choices or self.row.offers or self.row.path == FREEZE
        return action != "submit" or bool(listed)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_ask()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if event.value != self.row.toml:
            self.edited(event.value)


def row_widget(row: Row, depth: int) -> FieldRow:
    """The one for its kind."""
    indent = 2 + 2 * depth
    if row.kind in ("text", "fixed"):
        return EntryRow(row, indent)
    return ChoiceRow(row, indent) if row.kind == "choice" else SwitchRow(row, indent)

"""The form of an experiment: a block for each section, with a row for each key that is set."""

from __future__ import annotations

from collections.abc import Sequence

from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.events import DescendantFocus
from textual.message import Message
from textual.widget import Widget

from engine.contract.problems import Problem
from tui.form_model import Form, Path, Row, Table, beside
from tui.widgets.field_row import FieldRow
from tui.widgets.table_block import TableBlock, TableHead


class ExperimentForm(VerticalScroll, can_focus=False, inherit_bindings=False):
    """Shows a form, lays anew only the sections that changed, and knows where the focus is."""

    DEFAULT_CSS = """
    ExperimentForm { width: 1fr; height: 1fr; }
    ExperimentForm.-waits { opacity: 50%; }
    """
    BINDINGS = [
        Binding("up", "app.focus_previous", "Up", show=False),
        Binding("down", "app.focus_next", "Down", show=False),
        Binding("pageup", "page_up", "Page up", show=False),
        Binding("pagedown", "page_down", "Page down", show=False),
        Binding("f1", "explain", "Explain", tooltip="All that there is to know of this key"),
        Binding("f7", "add", "Add", tooltip="Add a key to the section, or a member to the list"),
        Binding("f8", "remove", "Remove", tooltip="Remove the key, the member or the section"),
        Binding("f5", "move(-1)", "↑", tooltip="Move the member of a list up"),
        Binding("f6", "move(1)", "↓", tooltip="Move the member of a list down"),
    ]

    class Explain(Message):
        """Asks for all the help of a row, or of a section."""

        def __init__(self, row: Row | None, table: Table) -> None:
            super().__init__()
            self.row, self.table = row, table

    class Add(Message):
        """Asks for something more in the section that one is in; None while one is in none."""

        def __init__(self, table: Table | None) -> None:
            super().__init__()
            self.table = table

    class Remove(Message):
        """Asks for what one is at to be removed."""

    class Move(Message):
        """Asks for the member that one is in to be moved by so many places."""

        def __init__(self, by: int) -> None:
            super().__init__()
            self.by = by

    def __init__(self) -> None:
        super().__init__()
        self.form = Form()
        self._blocks: list[TableBlock] = []
        self._at: Widget | None = None  # where one was last
        self._room = self.size

    async def show(self, form: Form, *, typing: Path | None = None) -> None:
        """Bring it up to date; the focus stays at its key."""
        place = self.focused_path
        if [_name(table) for table in form.tables] == [
            _name(block.table) for block in self._blocks
        ]:
            for block, table in zip(self._blocks, form.tables, strict=True):
                if block.table != table:
                    await block.show(table, typing)
        else:
            await self._lay(form)
        changed = form.shape != self.form.shape
        self.form = form
        if changed and place is not None and self.focused_path != place:
            self.focus_path(place)

    async def _lay(self, form: Form) -> None:
        folded = {block.table.path for block in self._blocks if block.folded}
        await self.remove_children()
        self._blocks = [TableBlock(table) for table in form.tables]
        await self.mount_all(self._blocks)
        for block in self._blocks:
            if block.table.path in folded:
                block.on_table_head_folded(TableHead.Folded())

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        self._at = event.widget

    def on_mount(self) -> None:
        self.screen.screen_layout_refresh_signal.subscribe(self, self._laid)

    def _laid(self, _screen: object) -> None:
        """With less room, as for the plan or the problems, one still sees where one is. Not every
        such change sends a Resize."""
        if self.size == self._room:
            return
        self._room = self.size
        if self._at is not None and self._at.is_attached:
            self._at.scroll_visible(animate=False)

    def tell(self, problems: Sequence[Problem]) -> None:
        wrong = beside(problems, self.form)
        for block in self._blocks:
            block.tell({} if block.table.is_list and self._has_single(block) else wrong)

    def _has_single(self, head: TableBlock) -> bool:
        """A [loss] that stands once has the path of its list: it is told there, not twice."""
        return sum(block.table.path == head.table.path for block in self._blocks) > 1

    def tell_at(self, path: Path, wrong: str) -> None:
        """At one row, of what is typed there and is no value yet."""
        for row in self.rows:
            if row.row.path == path:
                row.tell(wrong)

    @property
    def rows(self) -> list[FieldRow]:
        return [row for block in self._blocks for row in block.rows]

    @property
    def focused_block(self) -> TableBlock | None:
        return next((block for block in self._blocks if block.has_focus_within), None)

    @property
    def focused_table(self) -> Table | None:
        block = self.focused_block
        return block.table if block is not None else None

    @property
    def focused_row(self) -> Row | None:
        return next((row.row for row in self.rows if row.has_focus), None)

    @property
    def focused_path(self) -> Path | None:
        row, block = self.focused_row, self.focused_block
        return row.path if row is not None else block.table.path if block is not None else None

    def focus_path(self, path: Path) -> None:
        """Its row, else its section, else the nearest thing around it."""
        places: dict[Path, Widget] = {}
        for block in self._blocks:
            places[block.table.path] = block.head
            places.update({row.row.path: row for row in block.rows})
        while path and path not in places:
            path = path[:-1]
        if path in places:
            self.screen.set_focus(places[path])  # at once: `focus` waits its turn behind keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Moving is for the members of a list."""
        table = self.focused_table
        return action != "move" or table is None or table.member is not None

    def action_explain(self) -> None:
        if (table := self.focused_table) is not None:
            self.post_message(self.Explain(self.focused_row, table))

    def action_add(self) -> None:
        self.post_message(self.Add(self.focused_table))

    def action_remove(self) -> None:
        self.post_message(self.Remove())

    def action_move(self, by: int) -> None:
        self.post_message(self.Move(by))


def _name(table: Table) -> object:
    return table.path, table.is_list

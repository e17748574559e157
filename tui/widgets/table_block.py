"""One section of the form: its head, which folds it, and a row for each key that is set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from engine.contract.problems import Problem
from tui.form_model import Path, Table
from tui.widgets.field_row import NOT_CHANGED_HERE, FieldRow, row_widget


class TableHead(Static, can_focus=True):
    """A section's name; enter folds it."""

    DEFAULT_CSS = """
    TableHead { height: auto; width: 1fr; text-style: bold; color: $text-primary; }
    TableHead:focus { background: $primary; color: $text; }
    """
    BINDINGS = [
        Binding("enter,space", "fold", show=False, tooltip="Fold the section, or unfold it")
    ]

    class Folded(Message):
        """Asks for the rows below to be hidden, or shown again."""

    def show(self, table: Table, folded: bool, wrong: str) -> None:
        sign = "▸" if folded else "▾" if table.rows else " "
        count = "  f7 adds one" if table.is_list else ""
        parts: list[str | tuple[str, str]] = [f"{'  ' * table.depth}{sign} {table.title}"]
        parts.append((count, "not bold dim"))
        if wrong:
            parts.append((f"  {wrong}", "not bold $text-error"))
        self.update(Content.assemble(*parts))

    def action_fold(self) -> None:
        self.post_message(self.Folded())

    def on_click(self) -> None:
        self.action_fold()


class TableBlock(Vertical):
    """One section."""

    DEFAULT_CSS = """
    TableBlock { height: auto; }
    TableBlock .wrong { width: 1fr; height: auto; color: $text-error; }
    TableBlock.-folded FieldRow, TableBlock.-folded EntryRow, TableBlock.-folded .wrong {
        display: none; }
    """

    def __init__(self, table: Table) -> None:
        super().__init__()
        self.table = table
        self.folded = False
        self.head = TableHead(classes="head", markup=False)
        self._wrong = ""
        self.rows: list[FieldRow] = []

    def compose(self) -> ComposeResult:
        self.rows = [row_widget(row, self.table.depth) for row in self.table.rows]
        yield self.head
        yield from self.rows

    def on_mount(self) -> None:
        self._show_head()

    async def show(self, table: Table, typing: Path | None) -> None:
        """The same section as it is now; the row that is typed in is left alone."""
        before, self.table = self.table, table
        if before.shape != table.shape:
            await self.remove_children([each for each in self.children if each is not self.head])
            self.rows = [row_widget(row, table.depth) for row in table.rows]
            await self.mount_all(self.rows)
            self._fold(self.folded and bool(self.rows))
            return
        for row, widget in zip(table.rows, self.rows, strict=True):
            if row.path != typing:
                widget.show(row)

    def tell(self, wrong: Mapping[Path, Sequence[Problem]]) -> None:
        for row in self.rows:
            note = _told(wrong.get(row.row.path, ()))
            row.tell(note or (NOT_CHANGED_HERE if row.row.kind == "fixed" else ""))
        self._wrong = _told(wrong.get(self.table.path, ()))
        self._show_head()

    def on_table_head_folded(self, message: TableHead.Folded) -> None:
        message.stop()
        self._fold(not self.folded and bool(self.rows))

    def _fold(self, folded: bool) -> None:
        self.folded = folded
        self.set_class(folded, "-folded")
        self._show_head()

    def _show_head(self) -> None:
        self.head.show(self.table, self.folded, self._wrong)


def _told(problems: Sequence[Problem]) -> str:
    return "; ".join(
        f"{problem.message} ({problem.hint})" if problem.hint else problem.message
        for problem in problems
    )

"""The backbone, from a table that typing narrows down and tab sorts."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.coordinate import Coordinate
from textual.widget import Widget
from textual.widgets import DataTable, Input

from engine.contract.backbones import Backbone
from tui.backbone_table import COLUMNS, ORDERS, cells, found
from tui.screens.dialog import Dialog


class BackboneDialog(Dialog[str]):
    """Answers with its name."""

    DEFAULT_CSS = """
    BackboneDialog DataTable { height: 1fr; }
    BackboneDialog > #box { height: 90%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "sort(1)", "Sort", tooltip="By the next column", priority=True),
        Binding("shift+tab", "sort(-1)", tooltip="By the column before", priority=True),
        Binding("down", "move('cursor_down')", show=False),
        Binding("up", "move('cursor_up')", show=False),
        Binding("pagedown", "move('page_down')", show=False),
        Binding("pageup", "move('page_up')", show=False),
    ]

    def __init__(self, now: str) -> None:
        super().__init__(f"Backbone, now {now}", "enter: choose   tab: sort   escape: leave it")
        self._now, self._order = now, 0

    def content(self) -> list[Widget]:
        words = "a part of the name, segmentation, 299, <30 (million parameters)"
        table: DataTable[str] = DataTable(cursor_type="row", zebra_stripes=False)
        table.can_focus = False
        return [Input(placeholder=words, compact=True), table]

    def on_mount(self) -> None:
        self._show(self._now)

    @property
    def names(self) -> list[str]:
        """As they stand there."""
        return [row.name for row in self._found()]

    def _found(self) -> list[Backbone]:
        return found(self.query_one(Input).value, ORDERS[self._order])

    def _show(self, at: str | None) -> None:
        table, rows = self.query_one(DataTable), self._found()
        column, down = ORDERS[self._order]
        mark = "▼" if down else "▲"
        table.clear(columns=True)
        table.add_columns(*(f"{name} {mark}" if name == column else name for name in COLUMNS))
        for row in rows:
            table.add_row(*cells(row), key=row.name)
        names = [row.name for row in rows]
        table.move_cursor(row=names.index(at) if at in names else 0)

    def _chosen(self) -> str | None:
        table = self.query_one(DataTable)
        if not table.row_count:
            return None
        return str(table.get_cell_at(Coordinate(table.cursor_row, 0)))

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._show(None)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if (chosen := self._chosen()) is not None:
            self.dismiss(chosen)

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        event.stop()
        self.dismiss(event.row_key.value)

    def action_sort(self, by: int) -> None:
        chosen = self._chosen()
        self._order = (self._order + by) % len(ORDERS)
        self._show(chosen)

    def action_move(self, where: str) -> None:
        """The arrow keys move in the table while one types above it."""
        getattr(self.query_one(DataTable), f"action_{where}")()

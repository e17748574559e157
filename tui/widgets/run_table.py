"""The runs, a row each: a sign for how each is, its name, how far or how good, and its id."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.text import Text
from textual.binding import Binding
from textual.message import Message
from textual.widgets import DataTable

from tui.run_list import WatchedRun
from tui.summary import outcome, sign

COLUMNS = {"run": 18, "how": 11, "id": 20}  # cells; the id goes out of sight first


class RunTable(DataTable[Text]):
    """Says which run the cursor is on; a row is repainted only when its words have changed."""

    class Chosen(Message):
        """The cursor is on this run now."""

        def __init__(self, path: Path) -> None:
            super().__init__()
            self.path = path

    class Edited(Message):
        """It is asked what was edited since the chosen run was launched."""

    DEFAULT_CSS = "RunTable { height: 1fr; scrollbar-size-horizontal: 0; }"
    BINDINGS = [
        Binding("home", "scroll_top", "", show=False, tooltip="The first run"),
        Binding("end", "scroll_bottom", "", show=False, tooltip="The last run"),
        Binding("j", "cursor_down", "", show=False, tooltip="The next run"),
        Binding("k", "cursor_up", "", show=False, tooltip="The run before"),
        Binding("D", "edited", "Edited?", show=False, tooltip="What was edited since its launch"),
    ]

    def __init__(self) -> None:
        super().__init__(cursor_type="row", show_header=False)
        self._shown: dict[str, tuple[str, ...]] = {}

    def on_mount(self) -> None:
        for column, width in COLUMNS.items():
            self.add_column(column, key=column, width=width)

    def show(self, runs: Sequence[WatchedRun]) -> None:
        """Bring the rows up to date. New and deleted runs lay all rows anew, in order."""
        rows = {str(watched.run.path): _words(watched) for watched in runs}
        if list(rows) != list(self._shown):
            self._lay(rows)
        for path, words in rows.items():
            before = self._shown[path]
            if words == before:
                continue
            for column, word, earlier in zip(COLUMNS, words, before, strict=True):
                if word != earlier:
                    self.update_cell(path, column, _cell(word))
        self._shown = rows

    def choose(self, path: Path) -> None:
        """Put the cursor on a run, if it is there."""
        if str(path) in self._shown:
            self.move_cursor(row=self.get_row_index(str(path)))

    def _lay(self, rows: dict[str, tuple[str, ...]]) -> None:
        before = list(self._shown)
        at = before[self.cursor_row] if self.cursor_row < len(before) else ""
        self.clear()
        for path, words in rows.items():
            self.add_row(*map(_cell, words), key=path)
        self._shown = rows
        self.move_cursor(row=list(rows).index(at) if at in rows else 0)

    def action_edited(self) -> None:
        self.post_message(self.Edited())

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        event.stop()
        if event.row_key.value is not None:
            self.post_message(self.Chosen(Path(event.row_key.value)))


def _words(watched: WatchedRun) -> tuple[str, ...]:
    return (f"{sign(watched)} {watched.run.name}", outcome(watched), watched.run.id)


def _cell(word: str) -> Text:
    return Text(word.replace("\n", " "), no_wrap=True, overflow="ellipsis")  # no markup in names

"""The runs, a row each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from textual.message import Message
from textual.widgets import DataTable

from tui.run_list import WatchedRun

# A sign beside the word: not every terminal has colours, nor every person all of them.
SIGNS = {"running": "●", "finished": "✓", "stopped": "■", "failed": "✗", "lost": "?"}
COLUMNS = ("run", "state", "epoch", "loss", "best")


class RunTable(DataTable[str]):
    """Says which run the cursor is on; a row is repainted only when its words have changed."""

    class Chosen(Message):
        """The cursor is on this run now."""

        def __init__(self, path: Path) -> None:
            super().__init__()
            self.path = path

    DEFAULT_CSS = "RunTable { height: 1fr; }"

    def __init__(self) -> None:
        super().__init__(cursor_type="row", zebra_stripes=True)
        self._shown: dict[str, tuple[str, ...]] = {}

    def on_mount(self) -> None:
        for column in COLUMNS:
            self.add_column(column, key=column)

    def show(self, runs: Sequence[WatchedRun]) -> None:
        """Bring the rows up to date. New and deleted runs lay all rows anew, in order."""
        rows = {str(watched.run.path): _words(watched) for watched in runs}
        if list(rows) != list(self._shown):
            self._lay(rows)
        for path, words in rows.items():
            for column, word, before in zip(COLUMNS, words, self._shown[path], strict=True):
                if word != before:
                    self.update_cell(path, column, word, update_width=True)
        self._shown = rows

    def _lay(self, rows: dict[str, tuple[str, ...]]) -> None:
        at = min(self.cursor_row, max(0, len(rows) - 1))
        self.clear()
        for path, words in rows.items():
            self.add_row(*words, key=path)
        self._shown = rows
        self.move_cursor(row=at)

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        event.stop()
        if event.row_key.value is not None:
            self.post_message(self.Chosen(Path(event.row_key.value)))


def _words(watched: WatchedRun) -> tuple[str, ...]:
    state = watched.state
    step, best = state.last_step, state.best
    epoch = f"{step.epoch + 1}/{state.epochs}" if step is not None else ""
    loss = f"{step.loss:.4f}" if step is not None and step.loss is not None else ""
    metric = f"{best.metric:.4f}" if best is not None and best.metric is not None else ""
    how = watched.status.state
    return (f"{watched.run.name} {watched.run.id}", f"{SIGNS[how]} {how}", epoch, loss, metric)

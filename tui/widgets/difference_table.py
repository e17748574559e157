"""Overlaid runs beside each other: how they went, and what differs in their experiments."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.binding import Binding
from textual.coordinate import Coordinate
from textual.events import Resize
from textual.widgets import DataTable

from engine.contract.canvas import sample
from engine.contract.differences import differences, shown
from engine.contract.outcome import outcome_of, outcome_rows
from tui.overlay import Overlaid
from tui.summary import duration

KEYS = 28  # cells for the settings' names, at most
NARROWEST, WIDEST = 8, 24  # cells of a column

Row = tuple[str, tuple[str, ...]]


class DifferenceTable(DataTable[Text]):
    """A column a run, in its line's look; there only while runs are overlaid. Worked out only with
    news, and only the cells that have changed are repainted."""

    DEFAULT_CSS = """
    DifferenceTable { height: auto; max-height: 40%; display: none; scrollbar-size-vertical: 1; }
    DifferenceTable.-shown { display: block; }
    """
    BINDINGS = [
        Binding("j", "cursor_down", "", show=False, tooltip="The next setting"),
        Binding("k", "cursor_up", "", show=False, tooltip="The setting before"),
    ]

    def __init__(self, *, ascii: bool = False) -> None:
        super().__init__(cursor_type="row", fixed_columns=1, cell_padding=0)
        self._ascii = ascii
        self._runs: Sequence[Overlaid] = ()
        self._known: list[tuple[object, ...]] = []
        self._laid: tuple[object, ...] = ()
        self._rows: list[Row] = []

    def show(self, overlaid: Sequence[Overlaid]) -> None:
        known: list[tuple[object, ...]]
        known = [(run.watched.run.path, run.look, run.watched.news) for run in overlaid]
        if known == self._known:
            return
        self._runs, self._known = overlaid, known
        self.set_class(bool(overlaid), "-shown")
        self._fill()

    def on_resize(self, event: Resize) -> None:
        self._fill()

    def _fill(self) -> None:
        if not self._runs or not self.size.width:  # in a pane that isn't shown it has no width
            return
        room = self.size.width - 1  # the scroll bar's
        keys = min(KEYS, max(NARROWEST, room // 3))
        width = min(max((room - keys - 1) // len(self._runs) - 1, NARROWEST), WIDEST)
        rows = rows_of(self._runs, width)
        keys = min(keys, max(len(title) for title, _ in rows))
        laid = (
            keys,
            width,
            [(run.name, run.look) for run in self._runs],
            [title for title, _ in rows],
        )
        if laid != self._laid:
            self._lay(rows, keys, width)
        for place, ((_, cells), (_, before)) in enumerate(zip(rows, self._rows, strict=True)):
            for column, (cell, earlier) in enumerate(zip(cells, before, strict=True)):
                if cell != earlier:
                    self.update_cell_at(Coordinate(place, 1 + column), _cell(cell, width))
        self._laid, self._rows = laid, rows

    def _lay(self, rows: list[Row], keys: int, width: int) -> None:
        at, left = self.cursor_row, self.scroll_x
        self.clear(columns=True)
        self.add_column("", width=keys + 1)
        for run in self._runs:
            line = sample(run.look.style, ascii=self._ascii, width=3, colour=run.look.colour)
            self.add_column(line.append(f" {_end(run.name, width - 4)}"), width=width + 1)
        for title, cells in rows:
            self.add_row(Text(_end(title, keys), "bold"), *(_cell(cell, width) for cell in cells))
        self._rows = rows
        self.move_cursor(row=min(at, len(rows) - 1))
        self.scroll_to(x=left, animate=False)


def rows_of(runs: Sequence[Overlaid], width: int) -> list[Row]:
    """A title and a cell a run: first what differs, then how they went."""
    outcomes = [outcome_of(run.watched.state, run.watched.status) for run in runs]
    settings = [run.watched.settings() for run in runs]
    rows: list[Row] = []
    if not all(settings):
        told = ["" if known else "can't be read" for known in settings]
        rows.append(("experiment.toml", tuple(told)))
    known = [some for some in settings if some]
    for difference in differences(known):
        values = iter(difference.values)
        cells = shown([next(values) if some else None for some in settings], width)
        rows.append((difference.key, tuple(cells)))
    if not rows:
        rows.append(("settings", ("the same",) * len(runs)))
    return rows + [(title, tuple(cells)) for title, cells in outcome_rows(outcomes, duration)]


def _cell(words: str, width: int) -> Text:
    cell = Text(words)
    cell.truncate(width, overflow="ellipsis")
    return cell


def _end(words: str, width: int) -> str:
    """Of a dotted key and of a run's id the end tells more than the beginning."""
    return words if len(words) <= width else f"…{words[len(words) - width + 1 :]}"

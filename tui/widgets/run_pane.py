"""The runs: their table in an order and behind a filter that a person chose, pins and marks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.message import Message

from tui.overlay import MOST, Marks, Overlaid
from tui.run_filter import Filter, FilterError, parse
from tui.run_list import WatchedRun
from tui.run_order import ORDERS, RunWords, arranged, facts_of
from tui.widgets.filter_line import FilterLine
from tui.widgets.run_table import RunTable
from tui.widgets.words import Words


class RunPane(Vertical):
    """Nothing is done while no run has any news."""

    class OverlayChanged(Message):
        """Other runs are marked than before."""

    DEFAULT_CSS = """
    RunPane { height: 1fr; }
    RunPane > Words { height: 1; color: $text-muted; text-wrap: nowrap; text-overflow: ellipsis; }
    """
    BINDINGS = [
        Binding("slash", "filter", "Filter", tooltip="Show some runs: by name, setting, metric"),
        Binding("o", "order", "Sort", show=False, tooltip="Sort the runs by something else"),
        Binding("escape", "clear", "", show=False, tooltip="Show all runs; then overlay none"),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._runs: Sequence[WatchedRun] = ()
        self._news: list[tuple[Path, int]] = []
        self._order = next(iter(ORDERS))
        self._filter = Filter()
        self._held: dict[Path, tuple[int, bool]] = {}  # by run: at what news the filter held
        self._pinned: set[Path] = set()
        self._marks = Marks()

    def compose(self) -> ComposeResult:
        yield Words()
        yield FilterLine()
        yield RunTable()

    @property
    def _table(self) -> RunTable:
        return self.query_one(RunTable)

    @property
    def _line(self) -> FilterLine:
        return self.query_one(FilterLine)

    def show(self, runs: Sequence[WatchedRun]) -> None:
        """All runs, the newest first."""
        news = [(watched.run.path, watched.news) for watched in runs]
        self._runs = runs
        if news == self._news:
            return
        self._news = news
        self._marks.keep({path for path, _ in news})
        self._arrange()

    def overlaid(self, chosen: Path | None) -> list[Overlaid]:
        """The marked runs and the chosen one; none where that is one run."""
        return self._marks.overlaid(self._runs, chosen)

    def choose(self, path: Path) -> None:
        """Put the cursor on a run, even if the filter has hidden it."""
        if not self._table.choose(path):
            self._show_all()
            self._table.choose(path)

    def _arrange(self) -> None:
        kept = [watched for watched in self._runs if self._holds(watched)]
        self._table.show(arranged(kept, self._order, self._pinned), self._marks.looks, self._pinned)
        some = f" {len(kept)}/{len(self._runs)}" if self._filter.tests else ""
        marked = f" · {len(self._marks.looks)} marked" if self._marks.looks else ""
        self.query_one(Words).text = f"Runs{some}{marked} · {self._order}"

    def _holds(self, watched: WatchedRun) -> bool:
        news, held = self._held.get(watched.run.path, (-1, False))
        if news != watched.news:
            held = self._filter(facts_of(watched))
            self._held[watched.run.path] = watched.news, held
        return held

    # The filter

    def action_filter(self) -> None:
        self._line.open()

    @on(FilterLine.Typed)
    def _typed(self, message: FilterLine.Typed) -> None:
        """A wrong filter is told, and the runs stay as they were."""
        message.stop()
        try:
            typed = parse(message.text, RunWords(self._runs))
        except FilterError as error:
            self._line.tell(str(error))
            return
        some = any(typed(facts_of(watched)) for watched in self._runs)
        self._line.tell("" if some else "no run is like that")
        if some or not typed.open:
            self._set_filter(typed)

    def _set_filter(self, new: Filter) -> None:
        self._filter, self._held = new, {}
        self._arrange()

    @on(FilterLine.Done)
    def _done(self, message: FilterLine.Done) -> None:
        message.stop()
        if message.cleared or not self._filter.tests:
            self._show_all()
        self._table.focus()

    def _show_all(self) -> None:
        self._line.close()
        self._set_filter(Filter())

    def action_clear(self) -> None:
        if self._line.has_class("-shown"):
            self._show_all()
        else:
            self._marks.looks.clear()
            self._marked()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Where there is nothing to clear, escape is left to whatever this is in."""
        return action != "clear" or self._line.has_class("-shown") or bool(self._marks.looks)

    # Order, pins, marks

    def action_order(self) -> None:
        names = list(ORDERS)
        self._order = names[(names.index(self._order) + 1) % len(names)]
        self._arrange()

    @on(RunTable.Pin)
    def _pin(self, message: RunTable.Pin) -> None:
        message.stop()
        self._pinned ^= {message.path}
        self._arrange()

    @on(RunTable.Overlay)
    def _overlay(self, message: RunTable.Overlay) -> None:
        message.stop()
        if not self._marks.toggle(message.path):
            told = f"{MOST} runs are overlaid already: more could not be told apart"
            self.notify(told, severity="warning")
            return
        self._marked()

    def _marked(self) -> None:
        self._arrange()
        self.post_message(self.OverlayChanged())

"""Charts in a grid that fits: in columns where it is wide, and what is too much scrolls."""

from __future__ import annotations

from collections.abc import Sequence

from textual.containers import VerticalScroll

from tui.content import Content
from tui.widgets.chart import Chart

LOWEST = 6  # rows of a chart: below, there is no room for a curve between legend and axis
GOOD = 11  # rows that a chart should have before another is shown beside it unasked
NARROWEST = 56  # cells of a chart, before there is a second column


class ChartGrid(VerticalScroll, can_focus=False):
    """`charts` are its charts by their keys, in the order in which they are seen."""

    DEFAULT_CSS = "ChartGrid { height: 1fr; layout: grid; grid-gutter: 0; }"

    def __init__(self, *, ascii: bool = False, id: str | None = None) -> None:
        super().__init__(id=id)
        self.ascii = ascii
        self.charts: dict[str, Chart] = {}
        self._settings: dict[str, bool] = {}  # of the charts that have been here: logarithmic

    def room(self) -> int:
        """How many charts fit well."""
        size = self.size
        return (size.height // GOOD) * max(1, size.width // NARROWEST)

    def lay_out(self, keys: Sequence[str]) -> list[Chart]:
        """Show these charts; those that are new to the grid are returned, empty."""
        new = []
        if keys != list(self.charts):
            new = self._replace(keys)
        columns = self._columns(len(keys))
        self.styles.grid_size_columns = columns
        rows = -(-len(keys) // columns)
        heights = _heights(rows, self.size.height)
        self.styles.grid_rows = " ".join(map(str, heights))
        return new

    def _replace(self, keys: Sequence[str]) -> list[Chart]:
        """The other charts stay the widgets that they are: one of them may have the focus."""
        before = self.charts
        self.charts = {key: before.get(key) or self._chart(key) for key in keys}
        new = [chart for key, chart in self.charts.items() if key not in before]
        if self.is_mounted:
            gone = [chart for key, chart in before.items() if key not in self.charts]
            for chart in gone:
                self._settings[chart.key] = chart.logarithmic
                chart.remove()
            self.mount(*new)
            order = list(self.charts.values())
            self.sort_children(key=lambda child: order.index(child) if child in order else -1)
        return new

    def _chart(self, key: str) -> Chart:
        chart = Chart(key=key, ascii=self.ascii)
        chart.content, chart.logarithmic = Content(), self._settings.get(key, False)
        return chart

    @property
    def logarithmic(self) -> list[str]:
        """The keys of the charts with a logarithmic axis, those that are not shown among them."""
        now = self._settings | {key: chart.logarithmic for key, chart in self.charts.items()}
        return [key for key, is_so in now.items() if is_so]

    @logarithmic.setter
    def logarithmic(self, keys: Sequence[str]) -> None:
        self._settings = dict.fromkeys(keys, True)
        for key, chart in self.charts.items():
            chart.logarithmic = key in keys

    def _columns(self, charts: int) -> int:
        """A second one where the charts would be low, or wide beyond use, in one."""
        size = self.size
        most = max(1, min(3, size.width // NARROWEST, charts))
        return next((n for n in range(1, most) if size.height // -(-charts // n) >= GOOD), most)


def _heights(rows: int, height: int) -> list[int]:
    """The first is the loss: it gets half as much again where there is room."""
    least = max(1, min(LOWEST, height))
    if height < rows * least:
        return [least] * rows
    first = max(least, min(round(height * 3 / (2 * rows + 1)), height - (rows - 1) * least))
    rest = height - first
    return [first, *(rest // (rows - 1) + (n < rest % (rows - 1)) for n in range(rows - 1))]

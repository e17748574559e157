"""A chart as rows of characters: lines, marks, axes, legend. Pure: the same in, the same out.

title and legend    with each line's last value, or its value at the cursor
numbers │ plot
        └ x axis
          its numbers
What a small window has no room for is left out, the plot last.
"""

from __future__ import annotations

from rich.text import Text

from engine.contract.axis import Axis
from engine.contract.canvas import Canvas
from tui.chart_view import View
from tui.content import Content
from tui.legend import GREY, head
from tui.numbers import value_words, x_ticks
from tui.series import Reduced, extent, reduced, spans

ALARM = "#d55e00"
MARGIN = 7  # at least, so that charts above each other have their plots so too
NUMBERED = 30  # cells: a narrower chart has no numbers beside it
DEEPEST = 1e-12  # of the highest: a logarithmic axis goes no lower
ROOMY = 9  # rows: a chart of fewer has its legend on one


def draw(
    content: Content,
    view: View,
    width: int,
    height: int,
    *,
    log: bool = False,
    ascii: bool = False,
) -> list[Text]:
    """`height` rows of `width` cells."""
    if width < 1 or height < 1:
        return []
    frame = _Frame(content, view, width, height, log=log, ascii=ascii)
    rows = [*frame.head, *frame.plot(), *frame.foot()][:height]
    rows += [Text()] * (height - len(rows))
    for row in rows:
        row.truncate(width, pad=True)
    return rows


def x_at(
    content: Content, view: View, width: int, height: int, column: int, log: bool
) -> float | None:
    """The x of a column of cells in the drawing; None in the margin."""
    frame = _Frame(content, view, width, height, log=log, ascii=False)
    cell = column - frame.margin
    low, high = frame.window
    inside = 0 <= cell < frame.canvas.width
    return low + (cell + 0.5) / frame.canvas.width * (high - low) if inside else None


class _Frame:
    """One drawing: what its parts have in common is worked out once."""

    def __init__(
        self, content: Content, view: View, width: int, height: int, *, log: bool, ascii: bool
    ) -> None:
        self.content, self.view, self.log, self.ascii = content, view, log, ascii
        self.window = view.window or content.whole
        self.foot_rows = 2 if height >= 6 else 0
        rows = max(0, height - 1 - self.foot_rows)
        self.axis = Axis(0.0, 1.0, log=False)
        self.series: list[Reduced] = []
        self.labels: dict[int, str] = {}
        # The margin is as wide as its numbers, which only the columns' range tells: where they need
        # more than is usual, all is measured once more.
        self.margin = min(MARGIN, width // 3) if width >= NUMBERED else 0
        guess = -1
        while guess < self.margin:
            guess = self.margin
            self.canvas = Canvas(max(1, width - self.margin), rows, ascii)
            self._measure(width)
        self.empty = not any(series.inside for series in self.series)
        most = 2 if height >= ROOMY else 1
        self.head = head(content, view.cursor, self._notes(), width, ascii=ascii, rows=most)
        if len(self.head) > 1:
            self.canvas = Canvas(self.canvas.width, rows - 1, ascii)
            self._number(width)

    def _measure(self, width: int) -> None:
        columns = self.canvas.columns
        lines = self.content.lines
        self.series = [reduced(li.x, li.y, self.window, columns, log=self.log) for li in lines]
        inside = [column for series in self.series for column in series.inside]
        found = extent([end for column in inside for end in (column.low, column.high)])
        if found is not None:
            self.axis = axis_of(*self.content.range(*found, log=self.log), log=self.log)
            self._number(width)

    def _number(self, width: int) -> None:
        """The numbers beside the plot, and room for the longest."""
        if width < NUMBERED:
            return
        top = self.canvas.height - 1
        count = max(3, self.canvas.height // 3)
        ticks = self.axis.ticks(count) if top > 0 else []
        if len(ticks) < 2 and top > 0:  # a part of a decade has no power of ten in it
            ticks = [self.axis.low, self.axis.high] if self.log else self.axis.ticks(2 * count)
        self.labels = {round(self.axis.height(tick) * top): value_words(tick) for tick in ticks}
        longest = max((len(label) for label in self.labels.values()), default=0)
        self.margin = min(max(longest + 1, self.margin), width // 3)

    def _notes(self) -> list[str]:
        notes = [*(["log"] if self.log else []), *self.content.notes]
        left_out = sum(series.left_out for series in self.series)
        if left_out:
            notes.append(f"{left_out:,} not above 0 left out")
        if any(series.odd for series in self.series):
            notes.append(f"{self._mark_of_odd} not finite")
        return notes

    @property
    def _mark_of_odd(self) -> str:
        return "!" if self.ascii else "×"

    def plot(self) -> list[Text]:
        canvas = self.canvas
        if canvas.height < 1:
            return []
        if self.empty:
            return self._nothing()
        for line, series in zip(self.content.lines, self.series, strict=True):
            found = spans(series, self.axis, canvas.rows)
            behind = line.behind or line.planned
            canvas.line(found, line.style, colour=line.colour, behind=behind)
        self._mark_all()
        names = [self.labels.get(row, "") for row in reversed(range(canvas.height))]
        bar = "|" if self.ascii else "│"
        tick = "+" if self.ascii else "┤"
        room = self.margin - 1
        margins = [name.rjust(room)[:room] + (tick if name else bar) for name in names]
        rows = zip(margins if self.margin else [""] * len(names), canvas.text(), strict=True)
        return [Text().append(margin, GREY).append_text(row) for margin, row in rows]

    def _nothing(self) -> list[Text]:
        """In words where there is no line: nothing yet, or nothing that can be shown."""
        canvas = self.canvas
        some = any(len(line.x) for line in self.content.lines)
        words = "nothing here that can be drawn" if some else "nothing yet"
        rows = [Text() for _ in range(canvas.height)]
        blank = " " * (max(0, canvas.width + self.margin - len(words)) // 2)
        rows[canvas.height // 2] = Text().append(blank + words, GREY)
        return rows

    def _mark_all(self) -> None:
        canvas = self.canvas
        self._upright(self.view.anchor, ":" if self.ascii else "┊")
        self._upright(self.view.cursor, "|" if self.ascii else "│")
        per_cell = canvas.columns // canvas.width
        for series in self.series:
            for column in series.odd:
                canvas.mark(column // per_cell, canvas.height - 1, self._mark_of_odd, ALARM)
        for mark in self.content.marks:
            cell = self._cell(mark.x)
            if cell is not None:
                height = self.axis.height(mark.y) if mark.y is not None else 0.0
                character = mark.ascii if self.ascii else mark.character
                canvas.mark(cell, round(height * (canvas.height - 1)), character, mark.colour)

    def _upright(self, x: float | None, character: str) -> None:
        """Beside the lines and not over them: what one reads is where it crosses them."""
        at = self._cell(x) if x is not None else None
        if at is not None:
            for row in range(self.canvas.height):
                if self.canvas.is_free(at, row):
                    self.canvas.mark(at, row, character, "bold")

    def _cell(self, x: float) -> int | None:
        low, high = self.window
        if not low <= x <= high:
            return None
        return min(self.canvas.width - 1, int((x - low) / (high - low) * self.canvas.width))

    def foot(self) -> list[Text]:
        """The x axis and its numbers, as many as there is room for."""
        if not self.foot_rows:
            return []
        width = self.canvas.width
        corner, dash, tick = ("+", "-", "+") if self.ascii else ("└", "─", "┴")
        line, numbers, free = [dash] * width, [" "] * width, 0
        unit, ticks = x_ticks(self.window, self.content.x_axis, max(2, width // 12))
        for x, name in ticks:
            cell = self._cell(x)
            if cell is None:
                continue
            line[cell] = tick
            begin = max(0, cell - len(name) // 2)
            if begin >= free and begin + len(name) <= width - len(unit) - 1:
                numbers[begin : begin + len(name)] = name
                free = begin + len(name) + 1
        if len(unit) < width:
            numbers[width - len(unit) :] = unit
        indent = " " * max(0, self.margin - 1)
        above = (indent + corner if self.margin else "") + "".join(line)
        below = " " * self.margin + "".join(numbers)
        return [Text().append(above, GREY), Text().append(below, GREY)]


def axis_of(low: float, high: float, *, log: bool) -> Axis:
    """Of values from `low` to `high`, both above 0 where it is logarithmic."""
    if log:
        return Axis(max(low, high * DEEPEST, 5e-300), max(high, 1e-299), log=True)
    return Axis(low, high, log=False)

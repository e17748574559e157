"""A chart as rows of characters: lines, marks, axes, legend. Pure: the same in, the same out.

title and legend    with each line's last value, or its value at the cursor
numbers │ plot
        └ x axis
          its numbers
What a small window has no room for is left out, the plot last.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.text import Text

from engine.contract.axis import Axis
from engine.contract.canvas import Canvas, sample
from tui.chart_view import View
from tui.numbers import x_ticks, x_words
from tui.series import Floats, Reduced, Window, extent, reduced, spans, value_at

# Okabe and Ito's palette (2008), which eyes of every kind tell apart, on dark and on light.
PALETTE = ("#56b4e9", "#e69f00", "#cc79a7", "#009e73", "#d55e00", "#0072b2")
GREY = "#808080"
ALARM = "#d55e00"
MARGIN = 7  # at least, so that charts above each other have their plots so too
NUMBERED = 30  # cells: a narrower chart has no numbers beside it
DEEPEST = 1e-12  # of the highest: a logarithmic axis goes no lower


@dataclass(frozen=True, eq=False)
class Line:
    """A series and its looks. `style` is the number of its pattern (engine.contract.canvas)."""

    name: str
    x: Floats  # ascending
    y: Floats
    style: int = 0
    colour: str = PALETTE[0]
    behind: bool = False  # shown where nothing else is, without a place in the legend


@dataclass(frozen=True)
class Mark:
    """A point with a character of its own, such as a checkpoint; `y` None is at the bottom."""

    x: float
    y: float | None
    character: str
    ascii: str
    colour: str = ""


@dataclass(frozen=True, eq=False)
class Content:
    """What a chart shows."""

    title: str = ""
    lines: Sequence[Line] = ()
    marks: Sequence[Mark] = ()
    marks_name: str = ""
    x_axis: str = "step"  # step | epoch | time
    span: Window | None = None  # the whole of several charts that are seen together

    @property
    def whole(self) -> Window:
        """The window in which everything is."""
        if self.span is not None and self.span[1] > self.span[0]:
            return self.span
        ends = [float(x) for line in self.lines if len(line.x) for x in (line.x[0], line.x[-1])]
        low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
        return (low, high) if high > low else (low - 0.5, low + 0.5)

    @property
    def points(self) -> Floats:
        """Where a cursor can be: the points of the line that has most."""
        return max((line.x for line in self.lines), key=len, default=np.zeros(0))


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
    rows = [frame.head(), *frame.plot(), *frame.foot()][:height]
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

    def _measure(self, width: int) -> None:
        columns = self.canvas.columns
        lines = self.content.lines
        self.series = [reduced(li.x, li.y, self.window, columns, log=self.log) for li in lines]
        inside = [column for series in self.series for column in series.inside]
        found = extent([end for column in inside for end in (column.low, column.high)])
        if found is not None:
            self.axis = _axis(*found, log=self.log)
        if found is None or width < NUMBERED:
            return
        top = self.canvas.height - 1
        ticks = self.axis.ticks(max(3, self.canvas.height // 3)) if top > 0 else []
        if len(ticks) < 2 and top > 0:  # a part of a decade has no power of ten in it
            ticks = [self.axis.low, self.axis.high]
        self.labels = {round(self.axis.height(tick) * top): f"{tick:.4g}" for tick in ticks}
        longest = max((len(label) for label in self.labels.values()), default=0)
        self.margin = min(max(longest + 1, self.margin), width // 3)

    def head(self) -> Text:
        """The title, what is to be known about it, and the legend."""
        # Pieces, each with its style: a style of the whole would be the legend's too.
        text = Text().append(self.content.title, "bold")
        notes = ["log"] if self.log else []
        left_out = sum(series.left_out for series in self.series)
        if left_out:
            notes.append(f"{left_out:,} not above 0 left out")
        odd = sum(len(series.odd) for series in self.series)
        if odd:
            notes.append(f"{self._mark_of_odd} not finite")
        if notes:
            text.append(f" ({', '.join(notes)})", GREY)
        at = self.view.cursor
        if at is not None:
            text.append(f"  {self.content.x_axis} {x_words(at, self.content.x_axis)}", "bold")
        for line in self.content.lines:
            if not line.behind:
                text.append("  ")
                text.append_text(sample(line.style, ascii=self.ascii, width=3, colour=line.colour))
                text.append(f" {line.name}{_value_words(line, at)}")
        if self.content.marks_name and self.content.marks:
            mark = self.content.marks[-1]
            text.append("  ")
            text.append(mark.ascii if self.ascii else mark.character, mark.colour)
            text.append(f" {self.content.marks_name}")
        return text

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
            canvas.line(found, line.style, colour=line.colour, behind=line.behind)
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
        at = self._cell(self.view.cursor) if self.view.cursor is not None else None
        if at is not None:
            for row in range(canvas.height):
                canvas.mark(at, row, "|" if self.ascii else "│", "bold")
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


def _axis(low: float, high: float, *, log: bool) -> Axis:
    if log:
        return Axis(max(low, high * DEEPEST, 5e-300), max(high, 1e-299), log=True)
    return Axis(low, high, log=False)


def _value_words(line: Line, at: float | None) -> str:
    value = value_at(line.x, line.y, math.inf if at is None else at)
    return "" if value is None else f" {value:.4g}"

"""Charts as a figure: lines, symbols and words with places in pixels, for a page and not a
terminal. Pure; how that is written is another module's matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from engine.contract.axis import Axis
from engine.contract.canvas import PATTERNS
from tui.chart_view import View
from tui.content import BEST, Content, Line
from tui.numbers import value_words, x_ticks, x_words
from tui.picture import axis_of
from tui.series import Column, Reduced, Window, extent, reduced, value_at

WIDTH, HEIGHT = 900, 320  # of one chart
LEFT, RIGHT, TOP, BOTTOM = 62, 16, 30, 34  # around its plot; TOP is without the legend
ROW = 18  # of the legend
LETTER = 6.6  # about as wide as a letter of 12 pixels is
SAMPLE = 26  # of a line in the legend
INK, FAINT, ALARM = "ink", "faint", "#d55e00"

Point = tuple[float, float]


@dataclass(frozen=True)
class Path:
    """A line through points. `dash`: lengths drawn and left out in turn; none for a whole line."""

    points: Sequence[Point]
    colour: str
    width: float = 1.6
    dash: tuple[float, float] | None = None


@dataclass(frozen=True)
class Words:
    """`y` is the baseline."""

    x: float
    y: float
    text: str
    anchor: Literal["start", "middle", "end"] = "start"
    colour: str = INK
    bold: bool = False


@dataclass(frozen=True)
class Diamond:
    """A mark around its middle."""

    x: float
    y: float
    colour: str
    filled: bool


@dataclass
class Figure:
    """Colours are #rrggbb, for a dark ground, or INK and FAINT, that are of the ground."""

    width: float
    height: float
    shapes: list[Path | Words | Diamond] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Seen:
    """A chart as it is seen."""

    content: Content
    view: View = field(default_factory=View)
    log: bool = False

    @property
    def window(self) -> Window:
        return self.view.window or self.content.whole


def figure(charts: Sequence[Seen], title: str = "") -> Figure:
    """The charts below one another."""
    top = 28.0 if title else 4.0
    out = Figure(WIDTH, top)
    if title:
        out.shapes.append(Words(LEFT, 20, title, bold=True))
    for chart in charts:
        out.height += _Drawing(chart, out.height, out.shapes).height
    return out


class _Drawing:
    """One chart, from `top` on, into `shapes`."""

    def __init__(self, seen: Seen, top: float, shapes: list[Path | Words | Diamond]) -> None:
        self.seen, self.shapes = seen, shapes
        entries = list(_entries(seen))
        rows = _rows(entries)
        self.top = top + TOP + ROW * (len(rows) - 1)
        self.bottom = self.top + HEIGHT - TOP - BOTTOM
        self.height = HEIGHT + ROW * (len(rows) - 1)
        width = WIDTH - LEFT - RIGHT
        self.series = [
            reduced(li.x, li.y, seen.window, width, log=seen.log) for li in seen.content.lines
        ]
        inside = [column for series in self.series for column in series.inside]
        found = extent([end for column in inside for end in (column.low, column.high)])
        self.axis = Axis(0.0, 1.0, log=False)
        if found is not None:
            self.axis = axis_of(*seen.content.range(*found, log=seen.log), log=seen.log)
        self._legend(rows, top)
        self._frame(numbered=found is not None)
        self._lines()
        self._marks()

    def x(self, at: float) -> float:
        low, high = self.seen.window
        return LEFT + (at - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        return self.bottom - self.axis.height(value) * (self.bottom - self.top)

    def _legend(self, rows: list[list[_Entry]], top: float) -> None:
        for number, row in enumerate(rows):
            x, y = float(LEFT), top + 16 + ROW * number
            for entry in row:
                if entry.line is not None:
                    middle = y - 4
                    self.shapes.append(_stroke([(x, middle), (x + SAMPLE, middle)], entry.line))
                    x += SAMPLE + 6
                if entry.mark:
                    self.shapes.append(Diamond(x + 5, y - 4, entry.mark, filled=True))
                    x += 14
                self.shapes.append(Words(x, y, entry.text, bold=entry.bold))
                x += LETTER * len(entry.text) + 18

    def _frame(self, *, numbered: bool) -> None:
        right = float(WIDTH - RIGHT)
        count = 4 if self.axis.log else 5
        for value in self.axis.ticks(count) if numbered else ():
            y = self.y(value)
            self.shapes.append(Path([(LEFT, y), (right, y)], FAINT, 0.4))
            self.shapes.append(Words(LEFT - 7, y + 4, value_words(value), "end"))
        unit, ticks = x_ticks(self.seen.window, self.seen.content.x_axis, 8)
        for at, name in ticks:
            x = self.x(at)
            self.shapes.append(Path([(x, self.bottom), (x, self.bottom + 4)], FAINT, 1.0))
            if x < right - LETTER * (len(unit) + len(name)):
                self.shapes.append(Words(x, self.bottom + 17, name, "middle"))
        self.shapes.append(Words(right, self.bottom + 17, unit, "end"))
        corner = [(LEFT, self.top), (LEFT, self.bottom), (right, self.bottom)]
        self.shapes.append(Path(corner, FAINT, 1.0))

    def _lines(self) -> None:
        pairs = list(zip(self.seen.content.lines, self.series, strict=True))
        pairs.sort(key=lambda pair: not (pair[0].behind or pair[0].planned))  # those first
        for line, series in pairs:
            for piece in _pieces(series):
                places = [(LEFT + place, self.y(value)) for place, value in piece]
                if len(places) == 1:  # alone between two gaps
                    places.append((places[0][0] + 1, places[0][1]))
                self.shapes.append(_stroke(places, line))
            for column in series.odd:
                self.shapes.append(Words(LEFT + column, self.bottom - 3, "×", "middle", ALARM))

    def _marks(self) -> None:
        low, high = self.seen.window
        for mark in self.seen.content.marks:
            if low <= mark.x <= high:
                y = self.y(mark.y) if mark.y is not None else self.bottom
                shape = Diamond(self.x(mark.x), y, mark.colour, filled=mark.character == BEST[0])
                self.shapes.append(shape)
        cursor = self.seen.view.cursor
        if cursor is not None and low <= cursor <= high:
            x = self.x(cursor)
            self.shapes.append(Path([(x, self.top), (x, self.bottom)], INK, 0.8))


@dataclass(frozen=True)
class _Entry:
    """Of the legend."""

    text: str
    line: Line | None = None
    mark: str = ""
    bold: bool = False

    @property
    def width(self) -> float:
        return LETTER * len(self.text) + 18 + (SAMPLE + 6 if self.line else 14 if self.mark else 0)


def _entries(seen: Seen) -> Iterator[_Entry]:
    content, at = seen.content, seen.view.cursor
    notes = [*(["log"] if seen.log else []), *content.notes]
    yield _Entry(content.title + (f" ({', '.join(notes)})" if notes else ""), bold=True)
    if at is not None:
        yield _Entry(f"{content.x_axis} {x_words(at, content.x_axis)}", bold=True)
    for line in content.named():
        yield _Entry(f"{line.name}{_value(content, line, at)}", line)
    if content.marks_name and content.marks:
        yield _Entry(content.marks_name, mark=content.marks[-1].colour)


def _value(content: Content, line: Line, at: float | None) -> str:
    if at is None or not content.is_known(line, at):
        return ""
    value = value_at(line.x, line.y, at)
    return "" if value is None else f" {value_words(value)}"


def _rows(entries: list[_Entry]) -> list[list[_Entry]]:
    rows: list[list[_Entry]] = [[]]
    room = float(WIDTH - LEFT - RIGHT)
    for entry in entries:
        if rows[-1] and entry.width > room:
            rows.append([])
            room = float(WIDTH - LEFT - RIGHT)
        rows[-1].append(entry)
        room -= entry.width
    return rows


def _stroke(points: list[Point], line: Line) -> Path:
    drawn, left_out = PATTERNS[line.style % len(PATTERNS)]
    dash = (2.5 * drawn, 2.5 * left_out) if left_out else None
    return Path(points, line.colour, 1.0 if line.behind else 1.6, dash)


def _pieces(series: Reduced) -> Iterator[list[Point]]:
    """What is joined, as (column, value); from and to the points beyond, up to the edge."""
    piece: list[Point] = []
    before: Column | None = None
    for column in series.columns:
        if column.broken or before is None:
            if piece:
                yield piece
            piece = []
        if 0 <= column.place < series.width:
            if before is not None and before.place < 0 and not column.broken:
                piece.append((0.0, _between(before, column, 0.0)))
            values = dict.fromkeys((column.first, column.low, column.high, column.last))
            piece += [(column.place, value) for value in values]
        elif column.place >= series.width and before is not None and not column.broken:
            edge = float(series.width)
            if not piece and before.place < 0:  # nothing inside: only the line between
                piece.append((0.0, _between(before, column, 0.0)))
            piece.append((edge, _between(before, column, edge)))
        before = column
    if piece:
        yield piece


def _between(one: Column, other: Column, place: float) -> float:
    part = (place - one.place) / (other.place - one.place)
    return one.last + part * (other.first - one.last)

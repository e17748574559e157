"""Numbers for charts: a million points as the few that a screen can show. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.contract.axis import Axis
from engine.contract.canvas import Span

Floats = NDArray[np.float64]
Window = tuple[float, float]  # the lowest and highest x that is seen

LEAP = 86400.0  # seconds: no step takes a day
WIDEST = 1e300  # what is beyond it is drawn there: sums and differences would overflow


def floats(values: ArrayLike) -> Floats:
    """A copy: an `array` that is looked into can't grow."""
    return np.array(values, dtype=np.float64)


def elapsed(time: Floats) -> Floats:
    """Seconds since the first. A clock that was set back stands still; so does one that leaps, or a
    run that rests, for more than a day: what was trained would be a line at the edge."""
    passed = np.diff(time)
    passed[(passed < 0) | (passed > LEAP)] = 0
    return np.concatenate([np.zeros(min(1, len(time))), passed.cumsum()])


class Column(NamedTuple):
    """What is in one column of dots. `place` is its number; of the nearest points outside of the
    window, that the line comes from and goes to, it is the fraction before 0 or after the last."""

    place: float
    low: float
    high: float
    first: float
    last: float
    broken: bool  # something that is not finite is between it and the one before


@dataclass
class Reduced:
    """A series in a window: at most a Column for each column of dots, so that no spike is lost."""

    columns: list[Column] = field(default_factory=list)
    width: int = 1
    odd: list[int] = field(default_factory=list)  # the columns with something that is not finite
    left_out: int = 0  # values of the window that a logarithmic axis can't show

    @property
    def inside(self) -> list[Column]:
        return [column for column in self.columns if 0 <= column.place < self.width]


def reduced(x: Floats, y: Floats, window: Window, width: int, *, log: bool = False) -> Reduced:
    """The columns of a series; x ascends, and may repeat itself. 5 ms for a million points."""
    low, high = window
    begin, end = np.searchsorted(x, low, "left"), np.searchsorted(x, high, "right")
    near = slice(max(0, begin - 1), end + 1)  # with the points that the line comes from and goes to
    x, y = x[near], y[near]
    shown = np.isfinite(y)
    out = Reduced(width=width)
    if not shown.all():
        out.odd = np.unique(_places(_seen(x[~shown], window), window, width)).tolist()
    if log:
        positive = shown & (y > 0)
        out.left_out = len(_seen(x[shown & ~positive], window))
        shown = positive
    if shown.all():
        out.columns = _columns(x, y, None, window, width)
    else:
        index = np.flatnonzero(shown)
        gaps = np.concatenate([[False], np.diff(index) > 1])
        out.columns = _columns(x[index], y[index], gaps, window, width)
    return out


def _seen(x: Floats, window: Window) -> Floats:
    return x[(x >= window[0]) & (x <= window[1])]


def _places(x: Floats, window: Window, width: int) -> NDArray[np.int64]:
    low, high = window
    return np.minimum((x - low) * (width / (high - low)), width - 1).astype(np.int64)


def _columns(
    x: Floats, y: Floats, gaps: NDArray[np.bool_] | None, window: Window, width: int
) -> list[Column]:
    """x, y: finite; gaps: whether a point is behind a gap. Looks for the columns' edges among the
    points and not for each point's column, which takes three times as long."""
    low, high = window
    edges = np.linspace(low, high, width + 1)
    bounds = np.searchsorted(x, edges, "left")
    bounds[-1] = np.searchsorted(x, high, "right")
    occupied = np.flatnonzero(np.diff(bounds))
    starts, ends = bounds[:-1][occupied], bounds[1:][occupied] - 1
    places = occupied.astype(np.float64)
    per_x = width / (high - low)
    if bounds[0] > 0:
        starts, ends = np.insert(starts, 0, 0), np.insert(ends, 0, bounds[0] - 1)
        places = np.insert(places, 0, min(-1e-9, (x[bounds[0] - 1] - low) * per_x))
    if bounds[-1] < len(x):
        starts, ends = np.append(starts, bounds[-1]), np.append(ends, len(x) - 1)
        places = np.append(places, max(float(width), (x[bounds[-1]] - low) * per_x))
    if not len(starts):
        return []
    broken = np.zeros(len(starts), np.bool_) if gaps is None else gaps[starts]
    parts = (np.minimum.reduceat(y, starts), np.maximum.reduceat(y, starts), y[starts], y[ends])
    return list(map(Column, places.tolist(), *(part.tolist() for part in parts), broken.tolist()))


def spans(series: Reduced, axis: Axis, rows: int) -> list[Span | None]:
    """For each column of dots the lowest and highest, joined to the one before; None in a gap."""
    found: list[Span | None] = [None] * series.width
    before: Column | None = None
    dot: int | None = None
    top = rows - 1
    for column in series.columns:
        first = axis.height(column.first) * top
        if before is None or column.broken:
            dot = None
        else:
            start, from_height = before.place, axis.height(before.last) * top
            slope = (first - from_height) / (column.place - start)
            for place in range(max(0, int(start) + 1), min(series.width, int(column.place))):
                row = round(from_height + slope * (place - start))
                found[place] = _joined(row, row, dot)
                dot = row
        before = column
        if 0 <= column.place < series.width:
            low, high = (round(axis.height(value) * top) for value in (column.low, column.high))
            found[int(column.place)] = _joined(low, high, dot)
            dot = round(axis.height(column.last) * top)
    return found


def _joined(low: int, high: int, before: int | None) -> Span:
    if before is None or low <= before <= high:
        return low, high
    return (before + 1, high) if before < low else (low, before - 1)


def extent(values: list[float]) -> Window | None:
    """From the lowest to the highest; a little around a constant; None of none."""
    if not values:
        return None
    low, high = (min(max(end, -WIDEST), WIDEST) for end in (min(values), max(values)))
    room = max(abs(low), abs(high)) * 1e-6
    if high - low > max(room, 1e-290):
        return low, high
    room = max(abs(low), abs(high)) * 0.05 or 1.0
    return low - max(room, 1e-280), high + max(room, 1e-280)


def value_at(x: Floats, y: Floats, at: float) -> float | None:
    """The newest value that is not after `at`; of several at one x the last; None before all."""
    index = int(np.searchsorted(x, at, "right")) - 1
    return float(y[index]) if index >= 0 else None

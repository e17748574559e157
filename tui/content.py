"""What a chart shows, before anyone knows how large it will be. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tui.series import Floats, Window

# Okabe and Ito's palette (2008), which eyes of every kind tell apart, on dark and on light.
PALETTE = ("#56b4e9", "#e69f00", "#cc79a7", "#009e73", "#d55e00", "#0072b2")

BEST, OTHER = ("◆", "@"), ("◇", "+")  # checkpoints, in braille and in ASCII


@dataclass(frozen=True, eq=False)
class Line:
    """A series and its looks. `style` is the number of its pattern (engine.contract.canvas)."""

    name: str
    x: Floats  # ascending
    y: Floats
    style: int = 0
    colour: str = PALETTE[0]
    behind: bool = False  # shown where nothing else is, without a place in the legend
    planned: bool = False  # behind as well; goes on where nothing is measured yet


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
    notes: Sequence[str] = ()  # what is to be known, beside the title
    from_zero: bool = False  # the axis: where a part of the whole is what is to be seen
    measured: float | None = None  # up to where; None for everything

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
        """Where a cursor can be: the points of the line that has most, and then of the plan."""
        measured = [line.x for line in self.lines if not line.planned]
        most = max(measured, key=len, default=np.zeros(0))
        planned = max((line.x for line in self.lines if line.planned), key=len, default=most)
        if planned is most:
            return most
        later = planned[planned > most[-1]] if len(most) else planned
        return np.concatenate([most, later])

    def range(self, low: float, high: float, *, log: bool) -> Window:
        """Of the values' axis, for values from `low` to `high`."""
        return (min(0.0, low), max(0.0, high)) if self.from_zero and not log else (low, high)

    def named(self) -> list[Line]:
        """The lines of the legend: of what was planned the first stands for all."""
        found = [line for line in self.lines if not line.behind and not line.planned]
        return [*found, *[line for line in self.lines if line.planned][:1]]

    def is_known(self, line: Line, at: float) -> bool:
        """Whether the line has anything to say there: what is measured ends with the run."""
        return line.planned or self.measured is None or at <= self.measured

"""A run's state as the contents of its charts. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from engine.contract.events import CheckpointSaved
from engine.contract.run_state import RunState
from tui.picture import PALETTE, Content, Line, Mark
from tui.series import Floats, Window, elapsed, floats, value_at
from tui.smoothing import Growing, Smoother

XAxis = Literal["step", "epoch", "time"]
X_AXES: tuple[XAxis, ...] = ("step", "epoch", "time")
RAW = "#3d6c85"  # the train line's hue, darker: what is behind it
BEST, OTHER = ("◆", "@"), ("◇", "+")


@dataclass(frozen=True, eq=False)
class Curves:
    """A run's columns, by ascending step."""

    step: Floats
    loss: Floats
    time: Floats
    lr: Sequence[Floats]
    groups: Sequence[str]
    val_step: Floats
    val_loss: Floats
    checkpoints: Sequence[CheckpointSaved]  # those that are still there
    steps_per_epoch: int  # 0 where it isn't known

    @cached_property
    def seconds(self) -> Floats:
        """Of each step since the first."""
        return elapsed(self.time)

    def x(self, steps: Floats, axis: XAxis) -> Floats:
        """Where these steps are on that axis."""
        if axis == "epoch" and self.steps_per_epoch:
            return steps / self.steps_per_epoch
        if axis == "time" and len(self.step):
            at = np.searchsorted(self.step, steps, "left")
            return self.seconds[np.minimum(at, len(self.step) - 1)]
        return steps

    def span(self, axis: XAxis) -> Window | None:
        """Everything that any chart of the run shows."""
        seen = (
            self.x(np.concatenate([self.step[[0, -1]], self.val_step]), axis)
            if len(self.step)
            else self.x(self.val_step, axis)
        )
        return (float(seen.min()), float(seen.max())) if len(seen) else None


class CurveReader:
    """Reads a run's state again and again, of a million steps only those that are new."""

    def __init__(self, state: RunState) -> None:
        self.state = state
        self._begin()

    def _begin(self) -> None:
        groups = len(self.state.curve.lr)
        self._resumed = self.state.resumed
        self._columns = [Growing() for _ in range(3 + groups)]  # step, loss, time, lr
        self._smoother = Smoother(0.0)

    def read(self) -> Curves:
        """All that is known now. Whoever got an earlier one can go on with it."""
        state, columns = self.state, self._columns
        if state.resumed is not self._resumed or len(columns) != 3 + len(state.curve.lr):
            self._begin()  # a resume takes steps back
            columns = self._columns
        known, curve = len(columns[0]), state.curve
        # No engine of ours goes back without a resume; in a damaged file such steps stand still.
        steps = np.concatenate([columns[0].values[-1:], floats(curve.step[known:])])
        columns[0].extend(np.maximum.accumulate(steps)[min(known, 1) :])
        for column, numbers in zip(columns[1:], (curve.loss, curve.time, *curve.lr), strict=True):
            column.extend(floats(numbers[known:]))
        step, loss, time, *lr = (column.values for column in columns)
        told = [event for event in state.validated if "val/loss" in event.metrics]
        values = (event.metrics["val/loss"] for event in told)
        names = state.started.groups if state.started is not None else []
        return Curves(
            step=step,
            loss=loss,
            time=time,
            lr=lr,
            groups=[*names, *(f"group {number}" for number in range(len(names), len(lr)))],
            val_step=np.maximum.accumulate(floats([event.step for event in told])),
            val_loss=floats([np.nan if value is None else value for value in values]),
            checkpoints=list({event.path: event for event in state.checkpoints}.values()),
            steps_per_epoch=state.started.steps_per_epoch if state.started is not None else 0,
        )

    def smoothed(self, weight: float) -> Floats:
        """The loss that was read, averaged."""
        if weight != self._smoother.weight:
            self._smoother = Smoother(weight)
        averages = self._smoother.averages
        self._smoother.extend(self._columns[1].values[len(averages) :])
        return averages.values


def loss_content(curves: Curves, axis: XAxis, line: Floats, weight: float) -> Content:
    """Train, smoothed to `line` by that weight, over raw; validation, and the checkpoints on it."""
    x, val_x = curves.x(curves.step, axis), curves.x(curves.val_step, axis)
    train = Line("train" if weight <= 0 else f"train ~{weight:g}", x, line)
    raw = [Line("raw", x, curves.loss, colour=RAW, behind=True)] if weight > 0 else []
    val = [Line("val", val_x, curves.val_loss, 1, PALETTE[1])] if len(val_x) else []
    return Content(
        title="Loss",
        lines=[*raw, train, *val],
        marks=_marks(curves, axis, val[0] if val else train),
        marks_name="checkpoint",
        x_axis=axis,
        span=curves.span(axis),
    )


def lr_content(curves: Curves, axis: XAxis) -> Content:
    """A line a group, never smoothed."""
    x = curves.x(curves.step, axis)
    lines = [
        Line(name, x, rates, number, PALETTE[number % len(PALETTE)])
        for number, (name, rates) in enumerate(zip(curves.groups, curves.lr, strict=False))
    ]
    return Content(title="Learning rate", lines=lines, x_axis=axis, span=curves.span(axis))


def _marks(curves: Curves, axis: XAxis, on: Line) -> list[Mark]:
    """The best last, so that it is over the others and in the legend."""
    saved = sorted(curves.checkpoints, key=lambda event: (event.kind == "best", event.step))
    steps = curves.x(floats([event.step for event in saved]), axis)
    return [
        Mark(x, value_at(on.x, on.y, x), *(BEST if event.kind == "best" else OTHER), PALETTE[2])
        for event, x in zip(saved, steps.tolist(), strict=True)
    ]

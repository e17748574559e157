"""A run's state as columns, of a million steps only those that are new each time. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np

from engine.contract.events import CheckpointSaved, Validated
from engine.contract.run_state import RunState
from tui.chart_view import View
from tui.series import Floats, Window, elapsed, floats
from tui.smoothing import Growing, Smoother

XAxis = Literal["step", "epoch", "time"]
X_AXES: tuple[XAxis, ...] = ("step", "epoch", "time")


@dataclass(frozen=True, eq=False)
class Points:
    """A few numbers by ascending step: a metric, or what the system measured."""

    step: Floats
    value: Floats
    time: Floats | None = None  # where they were measured between two steps


@dataclass(frozen=True, eq=False)
class Curves:
    """A run's columns, by ascending step."""

    step: Floats
    loss: Floats
    time: Floats
    lr: Sequence[Floats]
    groups: Sequence[str]
    metrics: dict[str, Points]  # by their names: `val/loss`, `train/loss`, `val/accuracy`, ...
    gauges: dict[str, Points]  # `memory`, `cpu`, ...: those of which anything is known
    terms: Sequence[str]  # of the loss, where a step tells them
    checkpoints: Sequence[CheckpointSaved]  # those that are still there
    monitor: str  # the metric that decides which checkpoint is the best
    steps_per_epoch: int  # 0 where it isn't known

    @cached_property
    def seconds(self) -> Floats:
        """Of each step since the first."""
        return elapsed(self.time)

    def x(self, steps: Floats, axis: XAxis) -> Floats:
        """Where these steps are on that axis; of steps to come, at the speed of the last ones."""
        if axis == "epoch" and self.steps_per_epoch:
            return steps / self.steps_per_epoch
        if axis == "time" and len(self.step):
            at = np.minimum(np.searchsorted(self.step, steps, "left"), len(self.step) - 1)
            to_come = np.maximum(steps - self.step[-1], 0.0)
            return self.seconds[at] + np.where(to_come > 1, to_come, 0.0) * self._seconds_a_step
        return steps

    def x_of(self, points: Points, axis: XAxis) -> Floats:
        if axis != "time" or points.time is None or not len(self.step):
            return self.x(points.step, axis)
        last = np.searchsorted(self.step, points.step, "left") - 1  # `step` of them were done
        since = points.time - self.time[np.maximum(last, 0)]
        at = np.where(last < 0, 0.0, self.seconds[np.maximum(last, 0)] + np.maximum(since, 0.0))
        return np.maximum.accumulate(at)

    @cached_property
    def _seconds_a_step(self) -> float:
        some = slice(-min(len(self.step), 1000), None)
        seconds, steps = self.seconds[some], self.step[some]
        return float((seconds[-1] - seconds[0]) / max(1.0, steps[-1] - steps[0]))

    def span(self, axis: XAxis) -> Window | None:
        """Everything that was measured, in any chart of the run."""
        ends = [self.step[[0, -1]]] if len(self.step) else []
        ends += [points.step[[0, -1]] for points in self.metrics.values()]
        seen = self.x(np.concatenate([np.zeros(0), *ends]), axis)
        return (float(seen.min()), float(seen.max())) if len(seen) else None


@dataclass
class _Metrics:
    """What was validated, as columns; made anew only when there is more, or less."""

    seen: list[Validated] = field(default_factory=list)
    columns: dict[str, Points] = field(default_factory=dict)

    def of(self, told: list[Validated]) -> dict[str, Points]:
        if len(told) != len(self.seen) or told[-1:] != self.seen[-1:]:
            self.seen = list(told)
            names = dict.fromkeys(name for event in told for name in event.metrics)
            self.columns = {name: self._column(name) for name in names}
        return self.columns

    def _column(self, name: str) -> Points:
        some = [event for event in self.seen if name in event.metrics]
        values = [event.metrics[name] for event in some]
        return Points(
            np.maximum.accumulate(floats([event.step for event in some])),
            floats([np.nan if value is None else value for value in values]),
        )


class CurveReader:
    """Reads a run's state again and again, of a million steps only those that are new.

    A column that no chart shows is not copied: see `column`."""

    def __init__(self, state: RunState) -> None:
        self.state = state
        self._begin()

    def _begin(self) -> None:
        self._resumed, self._groups = self.state.resumed, len(self.state.curve.lr)
        self._columns: dict[str, Growing] = {}
        self._smoothers: dict[str, Smoother] = {}
        self._metrics = _Metrics()

    def read(self) -> Curves:
        """All that is known now. Whoever got an earlier one can go on with it."""
        state, curve = self.state, self.state.curve
        if state.resumed is not self._resumed or self._groups != len(curve.lr):
            self._begin()  # a resume takes steps back
        step = self._steps()
        names = state.started.groups if state.started is not None else []
        groups = len(curve.lr)
        return Curves(
            step=step,
            loss=self.column("loss"),
            time=self.column("time"),
            lr=[self.column(f"lr/{group}") for group in range(groups)],
            groups=[*names, *(f"group {number}" for number in range(len(names), groups))],
            metrics=self._metrics.of(state.validated),
            gauges=self._gauges(),
            terms=list(curve.terms),
            checkpoints=list({event.path: event for event in state.checkpoints}.values()),
            monitor=state.started.monitor if state.started is not None else "",
            steps_per_epoch=state.started.steps_per_epoch if state.started is not None else 0,
        )

    def _steps(self) -> Floats:
        """Ascending: in a damaged file steps that go back without a resume stand still."""
        column = self._columns.setdefault("step", Growing())
        known = len(column)
        steps = np.concatenate([column.values[-1:], floats(self.state.curve.step[known:])])
        column.extend(np.maximum.accumulate(steps)[min(known, 1) :])
        return column.values

    def column(self, name: str) -> Floats:
        """`loss`, `time`, `speed`, `lr/0` (a group's number), `term/NAME`: as many as `read` had
        steps."""
        column = self._columns.setdefault(name, Growing())
        known, end = len(column), len(self._columns["step"])
        if known < end:
            column.extend(floats(self._source(name)[known:end]))
        return column.values

    def _source(self, name: str) -> Sequence[float]:
        curve = self.state.curve
        kind, _, which = name.partition("/")
        if kind == "lr":
            return curve.lr[int(which)]
        if kind == "term":
            return curve.terms[which]
        return {"loss": curve.loss, "time": curve.time, "speed": curve.speed}[kind]

    def _gauges(self) -> dict[str, Points]:
        gauges = self.state.gauges
        step = np.maximum.accumulate(floats(gauges.step))
        time = floats(gauges.time)
        columns = {name: floats(column) for name, column in gauges.values.items()}
        return {
            name: Points(step, column, time)
            for name, column in columns.items()
            if np.isfinite(column).any()
        }

    def smoothed(self, weight: float, name: str = "loss") -> Floats:
        """That column as it was read, averaged."""
        smoother = self._smoothers.get(name)
        if smoother is None or weight != smoother.weight:
            smoother = self._smoothers[name] = Smoother(weight)
        smoother.extend(self.column(name)[len(smoother.averages) :])
        return smoother.averages.values


def on_axis(curves: Curves | None, view: View, before: XAxis, after: XAxis) -> View:
    """All of the other axis, with the cursor on its step."""
    if curves is None or view.cursor is None or not len(curves.step):
        return View()
    index = int(np.searchsorted(curves.x(curves.step, before), view.cursor, "right")) - 1
    return View(cursor=float(curves.x(curves.step, after)[max(0, index)]))


def extent(state: RunState) -> tuple[object, ...]:
    """Differs where anything that a chart shows has been added or taken back."""
    counts = (len(state.curve.step), len(state.validated), len(state.checkpoints))
    return (id(state), *counts, len(state.gauges.step), state.resumed, state.started is None)

"""What a run's events add up to: `fold(state, event)`, read by every command and the dashboard."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby, zip_longest
from typing import cast

from engine.contract.events import (
    AnyEvent,
    CheckpointSaved,
    Compiled,
    Compiling,
    LastWord,
    PrefixKept,
    RequestDone,
    RunFailed,
    RunFinished,
    RunResumed,
    RunStarted,
    RunStopped,
    Step,
    System,
    Unfrozen,
    Validated,
    Warned,
)
from engine.contract.news import News

NAN = float("nan")
WAITS = 6  # half a minute: one wait alone is a new epoch, or a disk that woke up


@dataclass
class Curve:
    """The steps as columns: 8 bytes a number, so that a million steps of two groups are 44 MB and
    not 600. `lr` has a column for each group, NaN where a step has no such group; so `terms` for
    each term of the loss. `speed`: samples per second, half as exact."""

    step: array[int] = field(default_factory=lambda: array("q"))
    loss: array[float] = field(default_factory=lambda: array("d"))
    time: array[float] = field(default_factory=lambda: array("d"))
    lr: list[array[float]] = field(default_factory=list)
    speed: array[float] = field(default_factory=lambda: array("f"))
    terms: dict[str, array[float]] = field(default_factory=dict)

    def extend(self, steps: Sequence[Step]) -> None:
        before = len(self.step)
        self.step.extend([step.step for step in steps])
        self.loss.extend([NAN if step.loss is None else step.loss for step in steps])
        self.time.extend([step.time for step in steps])
        self.speed.extend([step.samples_per_second for step in steps])
        if self.terms or any(step.terms for step in steps):
            self._extend_terms(steps, before)
        groups = max([len(self.lr), *(len(step.lr) for step in steps)])
        self.lr += [array("d", [NAN]) * before for _ in range(groups - len(self.lr))]
        rates = zip_longest(*(step.lr for step in steps), fillvalue=NAN)
        for column, values in zip(self.lr, rates, strict=False):
            column.extend(_numbers(values))
        for column in self.lr:  # a group that none of these steps has
            column.extend([NAN] * (len(self.step) - len(column)))

    def _extend_terms(self, steps: Sequence[Step], before: int) -> None:
        for step in steps:
            for name in step.terms or ():
                if name not in self.terms:
                    self.terms[name] = array("d", [NAN]) * before
        for name, column in self.terms.items():
            values = [(step.terms or {}).get(name) for step in steps]
            column.extend([NAN if value is None else value for value in values])

    def forget_from(self, step: int) -> None:
        keep = bisect_left(self.step, step)
        del self.step[keep:]
        for column in (self.loss, self.time, self.speed, *self.lr, *self.terms.values()):
            del column[keep:]


def _numbers(values: tuple[float | None, ...]) -> Iterable[float]:
    """NaN for None; the search for one is quick, and there hardly ever is one."""
    if None in values:
        return [NAN if value is None else value for value in values]
    return cast(Iterable[float], values)


# The numbers of a `system` event, as they are called there.
GAUGES = ("memory", "cpu", "device_memory", "device_memory_total", "device_utilisation")


@dataclass
class Gauges:
    """The `system` events as columns: one every few seconds, 56 bytes each. `step`: how many steps
    were done; a value that was not measured is NaN."""

    step: array[int] = field(default_factory=lambda: array("q"))
    time: array[float] = field(default_factory=lambda: array("d"))
    values: dict[str, array[float]] = field(
        default_factory=lambda: {name: array("d") for name in GAUGES}
    )

    def add(self, event: System, steps_done: int) -> None:
        self.step.append(steps_done)
        self.time.append(event.time)
        for name, column in self.values.items():
            value = getattr(event, name)
            column.append(NAN if value is None else value)

    def forget_from(self, step: int) -> None:
        """What was measured after this step began."""
        keep = bisect_right(self.step, step)
        del self.step[keep:]
        for column in (self.time, *self.values.values()):
            del column[keep:]


@dataclass
class RunState:
    """All that is known of a run from its events."""

    started: RunStarted | None = None
    resumed: RunResumed | None = None
    last_step: Step | None = None
    curve: Curve = field(default_factory=Curve)
    validated: list[Validated] = field(default_factory=list)
    checkpoints: list[CheckpointSaved] = field(default_factory=list)
    news: list[News] = field(default_factory=list)
    requests: dict[str, RequestDone] = field(default_factory=dict)
    system: System | None = None
    compiling: Compiling | None = None  # while the run stands still for torch.compile
    gauges: Gauges = field(default_factory=Gauges)
    waits: deque[float] = field(default_factory=lambda: deque(maxlen=WAITS))  # the last data_wait
    last_word: RunFinished | RunStopped | RunFailed | None = None
    last_time: float = 0.0
    epochs: int = 0  # planned; a request or a resume may change them
    planned_end: int = 0  # in optimizer steps

    @property
    def steps_done(self) -> int:
        done = self.last_step.step + 1 if self.last_step is not None else 0
        return max(done, self.resumed.step if self.resumed is not None else 0)

    @property
    def warnings(self) -> list[Warned]:
        return [event for event in self.news if isinstance(event, Warned)]

    @property
    def best(self) -> CheckpointSaved | None:
        return next((c for c in reversed(self.checkpoints) if c.kind == "best"), None)


def fold(state: RunState, event: AnyEvent) -> RunState:
    """The state after one more event. The state is changed in place: it may hold a million steps.

    An event adds; only `run_resumed` takes away: the steps that the resumed run does again.
    """
    state.last_time = event.time
    match event:
        case Step():
            state.last_step = event
            state.curve.extend([event])
        case Validated():
            state.validated.append(event)
        case CheckpointSaved():
            state.checkpoints.append(event)
        case Compiling():
            state.news.append(event)
            state.compiling = event
        case Compiled() | Warned():  # a warning tells that it can't be compiled
            state.news.append(event)
            state.compiling = None
        case Unfrozen() | PrefixKept():
            state.news.append(event)
        case System():
            state.system = event
            state.gauges.add(event, state.steps_done)
            if event.data_wait is not None:
                state.waits.append(event.data_wait)
        case RequestDone():
            state.requests[event.id] = event
            state.epochs, state.planned_end = event.epochs, event.planned_end
        case RunStarted():
            state.started = event
            state.epochs, state.planned_end = event.epochs, event.planned_end
        case RunResumed():
            _rewind(state, event)
        case LastWord():
            state.last_word, state.compiling = event, None
    return state


def fold_all(state: RunState, events: Iterable[AnyEvent]) -> RunState:
    """`fold` for many: steps in a row are added at once, which takes half the time."""
    for is_step, some in groupby(events, lambda event: isinstance(event, Step)):
        if is_step:
            steps = [event for event in some if isinstance(event, Step)]
            state.curve.extend(steps[:-1])
            fold(state, steps[-1])
        else:
            for event in some:
                fold(state, event)
    return state


def _rewind(state: RunState, event: RunResumed) -> None:
    state.resumed, state.last_word, state.compiling = event, None, None
    state.waits.clear()
    state.epochs, state.planned_end = event.epochs, event.planned_end
    state.curve.forget_from(event.step)
    state.gauges.forget_from(event.step)
    state.validated = [v for v in state.validated if v.step <= event.step and not _later(v, event)]
    state.checkpoints = [
        c for c in state.checkpoints if (c.step, c.epoch) <= (event.step, event.epoch)
    ]
    if state.last_step is not None and state.last_step.step >= event.step:
        state.last_step = None


def _later(validated: Validated, event: RunResumed) -> bool:
    """An epoch's validation at the very step of a checkpoint belongs to what is done again,
    unless the checkpoint was written after it: then the resumed epoch is the next one. One that a
    person asked for is not done again."""
    again = validated.step == event.step and not validated.requested
    return again and validated.epoch >= event.epoch

"""The learning rate of every step, from the real chain, without a model: what `ptrain lr` shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from engine.contract.experiment import Experiment
from engine.parts.rates import GroupRates
from engine.parts.schedule import Schedule
from engine.parts.schedule_member import Member


@dataclass
class Acting:
    """Where a member of the chain changes a learning rate.

    `spans` are the optimizer steps whose learning rate is new through it, each as (first, last) of
    steps that follow one another; `changes` is how many steps that are.
    """

    key: str
    name: str
    interval: str
    spans: list[tuple[int, int]] = field(default_factory=list)

    def note(self, step: int) -> None:
        if self.spans and self.spans[-1][1] == step - 1:
            self.spans[-1] = (self.spans[-1][0], step)
        else:
            self.spans.append((step, step))

    @property
    def changes(self) -> int:
        return sum(last - first + 1 for first, last in self.spans)

    @property
    def first(self) -> int | None:
        return self.spans[0][0] if self.spans else None

    @property
    def last(self) -> int | None:
        return self.spans[-1][1] if self.spans else None


@dataclass(frozen=True)
class Plan:
    """`lrs[step]` has the learning rate of each group, as the `step` event of that step has it."""

    groups: list[str]
    lrs: list[list[float]]
    members: list[Acting]
    steps_per_epoch: int
    epochs: int

    @cached_property
    def series(self) -> list[list[float]]:
        """The same by group: the learning rates of each, over the steps."""
        return [[lrs[group] for lrs in self.lrs] for group in range(len(self.groups))]


class _Watched(Schedule):
    """The chain itself, and a note of each member that changed a rate for a step to come."""

    def __init__(self, *arguments: Any, total_steps: int, **more: Any) -> None:
        self.acting: dict[str, Acting] = {}
        self._planned = total_steps
        super().__init__(*arguments, total_steps=total_steps, **more)

    def _reach(self, member: Member, count: int, metrics: Mapping[str, float]) -> None:
        groups = member.rates.param_groups
        before = [group["lr"] for group in groups]
        super()._reach(member, count, metrics)
        acting = self.acting.get(member.key)
        if acting is None:
            interval = "step" if member.by_step else "epoch"
            acting = self.acting[member.key] = Acting(member.key, member.section.name, interval)
        # What it does after the last step is seen by no step.
        if self._steps < self._planned and [g["lr"] for g in member.rates.param_groups] != before:
            acting.note(self._steps)


def plan_lr(
    experiment: Experiment,
    groups: Sequence[GroupRates],
    steps_per_epoch: int,
    folder: Path,
    metric: Sequence[float] = (),
) -> Plan:
    """Run the chain through all epochs, in the loop's order. A step costs 3 to 8 µs.

    `metric` has a value an epoch, for every plateau; an epoch without one does not count, and nor
    does NaN. A `val/…` metric is seen only after epochs that are validated.
    Raises InputError as `Schedule` does, and where one's own code or factor fails at any step.
    """
    schedule = _Watched.of(experiment, groups, steps_per_epoch, folder)
    train = experiment.train
    lrs: list[list[float]] = []
    for epoch in range(train.epochs):
        for _ in range(steps_per_epoch):
            lrs.append(schedule.lrs)
            schedule.step()
        values = metric[epoch : epoch + 1]
        validated = train.validates(epoch, train.epochs)
        seen = [n for n in schedule.needs_metric if validated or not n.startswith("val/")]
        schedule.epoch_end({name: value for name in seen for value in values})
    return Plan(
        groups=[group.name for group in groups],
        lrs=lrs,
        members=list(schedule.acting.values()),
        steps_per_epoch=steps_per_epoch,
        epochs=train.epochs,
    )

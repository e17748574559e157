"""What a chain of schedulers will do that its author hardly meant, told before it is done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.contract.experiment import Experiment
from engine.contract.problems import InputError, Problem
from engine.contract.scheduler import (
    CosineAnnealingLR,
    CyclicLR,
    MultiStepLR,
    OneCycleLR,
    ReduceLROnPlateau,
    Scheduler,
    StepLR,
)
from engine.contract.training import Train
from engine.parts.planned_lr import Plan, plan_lr
from engine.parts.rates import GroupRates

LONGEST = 200_000  # optimizer steps that are planned one by one: a second
HORIZONS = ("T_max", "T_0", "total_iters", "step_size", "step_size_up")
SLACK = 0.01  # of the run: so much at its end may be odd
ZERO = 1e-10  # of a group's highest rate: less moves no weight in fp32


def chain_problems(
    experiment: Experiment, groups: Sequence[GroupRates], steps_per_epoch: int, folder: Path
) -> list[Problem]:
    """Every surprise as a warning, and as an error what will fail at some step of the run.

    Plans the chain for it, in a second at most. Of a longer run only the epochs are planned; where
    a member acts by the step, nothing is, and what only a plan can show is not told.
    """
    epochs = experiment.train.epochs
    planned: int | None = steps_per_epoch
    if epochs * steps_per_epoch > LONGEST:
        by_step = any(_by_step(section) for section in experiment.scheduler)
        planned = None if by_step or epochs > LONGEST else 1
    try:
        plan = planned and plan_lr(experiment, groups, planned, folder)
    except InputError as error:
        return list(error.problems)
    return list(surprises(experiment, groups, plan or None, steps_per_epoch))


def surprises(
    experiment: Experiment,
    groups: Sequence[GroupRates],
    plan: Plan | None,
    steps_per_epoch: int | None = None,
) -> Iterator[Problem]:
    """A warning for each surprise. `plan` is of the whole run, or None where it is too long.

    `steps_per_epoch` need not be given where it is the plan's. A plateau's metric is not known, so
    of it only its patience is looked at.
    """
    per_epoch = steps_per_epoch or (plan.steps_per_epoch if plan else 1)
    idle = {member.key for member in plan.members if not member.spans} if plan else set()
    for position, section in enumerate(experiment.scheduler):
        member = _Planned(section, f"scheduler.{position}", experiment.train, per_epoch)
        problem = member.never_acts(idle)
        if problem is not None:
            yield problem
            continue
        yield from member.too_far()
        yield from member.climbs_again()
        yield from _flattens(section, member.key, groups)
    if plan is not None:
        yield from _zero(plan, per_epoch // plan.steps_per_epoch)


def _by_step(section: Scheduler) -> bool:
    return getattr(section, "interval", "epoch") == "step"


class _Planned:
    """A member against the length of the run. Its counts are of its own interval.

    `run`   the counts of the run; the last that any step sees is `run - 1`
    `own`   its own last count that is seen: it starts at 0 where it begins
    """

    def __init__(self, section: Scheduler, key: str, train: Train, per_epoch: int) -> None:
        self.section, self.key, self.train = section, key, train
        self.steps = train.epochs * per_epoch
        by_step = _by_step(section)
        self.unit, self.run = ("step", self.steps) if by_step else ("epoch", train.epochs)
        last = self.run - 1 if section.end is None else min(section.end, self.run - 1)
        self.own = last - section.begin

    def never_acts(self, idle: set[str]) -> Problem | None:
        """`idle`: the keys of the members that change nothing in the plan."""
        section = self.section
        run = _count(self.run, self.unit)
        if self.own < 0:
            message = f"never acts: it begins at {self.unit} {section.begin}, and the run has {run}"
            return self.warning("begin", message, self.by_step(section.begin, "a smaller begin"))
        if isinstance(section, ReduceLROnPlateau):
            return self._impatient(section)
        if isinstance(section, StepLR) and section.step_size > self.own:
            message = f"never acts: its first decay is after {section.step_size} {self.unit}s, "
            hint = self.by_step(section.step_size, "a smaller step_size")
            return self.warning("step_size", message + f"and it has {self.own} of them", hint)
        if isinstance(section, MultiStepLR) and section.milestones:
            first = section.milestones[0]
            if first > self.own:
                message = f"never acts: its first milestone is {first}, and the run has {run}"
                hint = self.by_step(section.milestones[-1], "earlier milestones")
                return self.warning("milestones", message, hint)
        if self.key in idle:
            message = f"never changes a learning rate in the {run} of the run"
            more = ', or interval = "step"' if self.unit == "epoch" and self.run == 1 else ""
            return self.warning("", message, f"take it out, or train longer{more}")
        return None

    def _impatient(self, section: ReduceLROnPlateau) -> Problem | None:
        """Epochs that it watches: one to compare with, `patience` that are let pass, and one more;
        the last epoch of the run is too late."""
        watched = [
            epoch
            for epoch in range(section.begin, section.begin + self.own)
            if not section.monitor.startswith("val/")
            or self.train.validates(epoch, self.train.epochs)
        ]
        if len(watched) >= section.patience + 2:
            return None
        patience = section.patience
        message = (
            f"never acts: a patience of {patience} takes {patience + 2} epochs, and "
            f"{len(watched)} are measured before the last begins"
        )
        hint = "write a smaller patience, or train longer"
        return self.warning("patience", message, hint)

    def too_far(self) -> Iterator[Problem]:
        """What reaches far beyond the end of the run: mostly steps where epochs are counted."""
        for field in HORIZONS:
            value = getattr(self.section, field, None)
            if value is not None and value >= 2 * self.run and self.run > 1:
                run = _count(self.run, self.unit)
                message = f"is {value} {self.unit}s, and the run has {run}: it ends on the way"
                hint = self.by_step(value, f"{field} = {max(1, self.own + 1)}")
                yield self.warning(field, message, hint)
        milestones = getattr(self.section, "milestones", [])
        beyond = [milestone for milestone in milestones if milestone > self.own + 1]
        if beyond:
            message = f"never gets to {', '.join(map(str, beyond))}: the run has "
            hint = self.by_step(beyond[-1], "earlier milestones")
            yield self.warning("milestones", message + _count(self.run, self.unit), hint)

    def climbs_again(self) -> Iterator[Problem]:
        section = self.section
        if not isinstance(section, CosineAnnealingLR):
            return
        after = self.own - section.T_max
        if after > SLACK * self.run:
            bottom = section.begin + section.T_max
            message = (
                f"goes down until {self.unit} {bottom} and climbs again in the "
                f"{_count(after, self.unit)} after that"
            )
            hint = (
                f"write T_max = {self.run - section.begin} for the whole run, end = {bottom} to "
                "stay down, or CosineAnnealingWarmRestarts for cycles"
            )
            yield self.warning("T_max", message, hint)

    def by_step(self, value: int, other: str) -> str:
        """The remedy, with the interval where the count makes sense in steps only."""
        if self.unit == "epoch" and self.run <= value < 1.5 * self.steps:
            return f'write interval = "step" if it counts steps; else {other}'
        return f"write {other}, or train longer"

    def warning(self, field: str, message: str, hint: str) -> Problem:
        key = f"{self.key}.{field}" if field else self.key
        return Problem(message, key, hint, severity="warning")


def _flattens(section: Scheduler, key: str, groups: Sequence[GroupRates]) -> Iterator[Problem]:
    """One number where the groups differ: CyclicLR and OneCycleLR ignore the optimizer's lr."""
    rates = [group.lr for group in groups]
    if not isinstance(section, CyclicLR | OneCycleLR) or len(set(rates)) == 1:
        return
    for field in ("base_lr", "max_lr"):
        value = getattr(section, field, None)
        if isinstance(value, float):
            names = ", ".join(f"{group.name} {group.lr:g}" for group in groups)
            each = ", ".join(f"{value * rate / max(rates):.4g}" for rate in rates)
            leave = ", or leave it out for each group's own lr" if field == "max_lr" else ""
            leave = leave if isinstance(section, OneCycleLR) else ""
            yield Problem(
                f"is {value:g} for all groups, whose own lr differ ({names}) and are ignored",
                f"{key}.{field}",
                f"write one a group: {field} = [{each}]{leave}",
                severity="warning",
            )


def _zero(plan: Plan, scale: int) -> Iterator[Problem]:
    """Steps in which no group learns. `scale`: optimizer steps in one of the plan's."""
    tops = [max(lrs) for lrs in plan.series]
    if not any(tops):
        return
    still = [
        step
        for step, lrs in enumerate(plan.lrs)
        if all(lr <= ZERO * top for lr, top in zip(lrs, tops, strict=True))
    ]
    if len(still) <= max(1, SLACK * len(plan.lrs)) and not (still and scale > 1):
        return
    first, count = still[0], len(still)
    by = [m for m in plan.members if any(a <= first <= b for a, b in m.spans)]
    epoch = first // plan.steps_per_epoch
    yield Problem(
        f"the learning rate of every group is 0 from step {first * scale} (epoch {epoch}) on, for "
        f"{_count(count * scale, 'step')} of {len(plan.lrs) * scale}: nothing is learned in them",
        by[-1].key if by else "scheduler",
        "let it take the whole run, stop it before with `end`, or give it a lowest learning rate",
        severity="warning",
    )


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}{'' if number == 1 else 's'}"

"""`ptrain lr`: the planned learning rate of every group for every step."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from engine.contract.problems import EXIT_FINISHED, InputError, Problem
from engine.contract.scheduler import ReduceLROnPlateau
from engine.contract.telling import telling
from engine.contract.toml_file import ExperimentFile, read
from engine.importing import importing
from engine.lr_plot import print_plan
from engine.printing import print_problems

if TYPE_CHECKING:
    from engine.parts.planned_lr import Plan
    from engine.parts.rates import GroupRates


def lr_of_file(
    path: Path,
    overrides: list[str],
    steps_per_epoch: int | None,
    metric: str | None,
    text: bytes | None = None,
    *,
    json: bool,
    most_points: int | None = None,
) -> int:
    """Print the plan: points as JSON, or a plot. What a person should know goes to standard error.

    With `steps_per_epoch` no data is looked for; with `most_points` the JSON has only about so many
    points, those that draw the curve.
    """
    series = None if metric is None else numbers(metric)
    file = read(path, overrides, text)
    if sys.stderr.isatty():
        print("importing torch …", file=sys.stderr)  # seconds in which nothing else is seen
    try:
        groups = skeleton_rates(file)
        plan = _plan(file, groups, steps_per_epoch, series or [])
    except InputError as error:
        raise InputError(*file.locate(error.problems)) from None
    from engine.chain_surprises import surprises

    told = file.locate([*_unfed(file, series), *surprises(file.experiment, groups, plan)])
    print_problems([*_about_series(file, series), *told], json=False)
    if json:
        sys.stdout.write(as_json(plan, most_points).decode() + "\n")
    else:
        print_plan(plan)
    return EXIT_FINISHED


def numbers(text: str) -> list[float]:
    """The values of `--metric`, one an epoch; an empty one is NaN: it was not measured."""
    values = []
    for position, part in enumerate(text.split(",")):
        try:
            values.append(float(part) if part.strip() else math.nan)
        except ValueError:
            message = f'value {position + 1}, "{part.strip()}", is no number'
            hint = 'write the metric of each epoch: --metric "1.0,0.9,0.95"'
            raise InputError(Problem(message, "--metric", hint)) from None
    return values


def skeleton_rates(file: ExperimentFile) -> list[GroupRates]:
    """The groups as training would have them, from a model without memory or weights."""
    with importing():
        from engine.parts.backbones import build_skeleton
        from engine.parts.optimizers import planned_rates
        from engine.parts.unfreezing import build_stages

    section = file.experiment.model
    built = build_skeleton(section, section.outputs or 2)  # their number is in no group's rate
    build_stages(built.model, section, built.heads)  # all that will ever train is in a group
    return planned_rates(file.experiment.optimizer, built.model)


def _plan(
    file: ExperimentFile,
    groups: Sequence[GroupRates],
    per_epoch: int | None,
    metric: Sequence[float],
) -> Plan:
    from engine.parts.planned_lr import plan_lr

    if per_epoch is None:
        per_epoch = steps_of_data(file)
    return plan_lr(file.experiment, groups, per_epoch, file.folder, metric)


def steps_of_data(file: ExperimentFile) -> int:
    """Optimizer steps an epoch, from the number of training samples. No image is read."""
    from engine.parts.datasets import build_sources
    from engine.parts.steps import batches_per_epoch, steps_per_epoch

    experiment, data = file.experiment, file.experiment.data
    task, ignore_index = experiment.task, experiment.ignore_index
    sources = build_sources(
        data, file.folder, experiment.seed, task=task, ignore_index=ignore_index
    )
    batches = batches_per_epoch(len(sources.train), data.batch_size, drop_last=data.drop_last)
    return steps_per_epoch(batches, experiment.train.accumulate)


def _plateaus(file: ExperimentFile) -> dict[str, str]:
    """The key of each, and what it looks at."""
    return {
        f"scheduler.{position}": section.monitor
        for position, section in enumerate(file.experiment.scheduler)
        if isinstance(section, ReduceLROnPlateau)
    }


def _unfed(file: ExperimentFile, series: Sequence[float] | None) -> list[Problem]:
    """The plateaus that see nothing."""
    hint = 'give it a series, one value an epoch: --metric "1.0,0.9,0.95"'
    return [
        _warning(f"{monitor} is not known before the run: this plateau is not acting", key, hint)
        for key, monitor in _plateaus(file).items()
        if series is None
    ]


def _about_series(file: ExperimentFile, series: Sequence[float] | None) -> list[Problem]:
    """A series that nobody looks at, or that is not as long as the run."""
    epochs = file.experiment.train.epochs
    if series is None:
        return []
    if not _plateaus(file):
        return [_warning("no scheduler looks at a metric", "--metric", "leave it out")]
    if len(series) < epochs:
        rest = f"{len(series)} values for {epochs} epochs: the other epochs do not count"
        return [_warning(rest, "--metric", "give one value an epoch; an empty one is not measured")]
    if len(series) > epochs:
        rest = f"{len(series)} values for {epochs} epochs: the last are not used"
        return [_warning(rest, "--metric", "give one value an epoch")]
    return []


def _warning(message: str, key: str, hint: str) -> Problem:
    return Problem(message, key, hint, severity="warning")


def as_json(plan: Plan, most: int | None = None) -> bytes:
    """One object. A learning rate that is not finite is null, as in the events."""
    per_epoch = plan.steps_per_epoch
    kept: Iterable[int] = range(len(plan.lrs))
    if most is not None:
        kept = telling(np.array(plan.lrs, dtype=np.float64), most).tolist()
    return msgspec.json.encode(
        {
            "groups": plan.groups,
            "steps_per_epoch": per_epoch,
            "epochs": plan.epochs,
            "members": [
                {
                    "key": member.key,
                    "name": member.name,
                    "interval": member.interval,
                    "first": member.first,
                    "last": member.last,
                    "changes": member.changes,
                }
                for member in plan.members
            ],
            "points": [
                {"step": step, "epoch": step // per_epoch, "lr": plan.lrs[step]} for step in kept
            ],
        }
    )

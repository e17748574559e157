"""An experiment: all that decides a run's numbers, and the rules that span its sections."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, Field

from engine.contract.data import Data
from engine.contract.loss import CrossEntropyLoss, Loss
from engine.contract.model import Model, unordered
from engine.contract.optimizer import SGD, Optimizer
from engine.contract.problems import Problem
from engine.contract.scheduler import Scheduler
from engine.contract.section import Section
from engine.contract.training import Checkpoint, Train


def _folder_name(value: str) -> str:
    if not re.fullmatch(r"[^/\\.\s\x00-\x1f][^/\\\x00-\x1f]*", value) or len(value) > 100:
        raise ValueError(
            "can't be the name of a folder; write 1 to 100 characters without / and \\, "
            "and without a dot or a space in front"
        )
    return value


class Experiment(Section):
    """One experiment file. `[data]`, `[model] backbone` and `[train] epochs` are enough."""

    name: Annotated[str, AfterValidator(_folder_name)]
    """The folder of its runs. Default: the file's name."""
    seed: int = Field(default=0, ge=0, lt=2**63)
    """Decides the split, the shuffling, the augmentation, the new head and the dropout."""
    data: Data = Data()
    """What it learns from."""
    model: Model
    """What learns."""
    loss: Loss = CrossEntropyLoss()
    """What is minimized."""
    # The PyTorch transfer-learning tutorial's, for a file without an [optimizer].
    optimizer: Optimizer = SGD(lr=1e-3, momentum=0.9)
    """How the parameters are moved. Default: SGD, lr 1e-3, momentum 0.9."""
    scheduler: list[Scheduler] = []
    """How the learning rate changes: a chain, applied back to back in this order."""
    train: Train
    """How long, on what device."""
    checkpoint: Checkpoint = Checkpoint()
    """What is kept of it."""


def cross_checks(experiment: Experiment) -> Iterator[Problem]:
    """The rules that no single field can check; nothing here needs torch."""
    yield from unordered(experiment.model)
    yield from _groups(experiment)
    yield from _monitors(experiment)
    if experiment.optimizer.name == "LBFGS" and experiment.train.precision == "fp16":
        yield Problem(
            "LBFGS evaluates the loss several times a step, which torch's gradient scaler can't do",
            key="train.precision",
            hint='write precision = "bf16" or "fp32", or another optimizer',
        )
    sgd = experiment.optimizer
    if isinstance(sgd, SGD) and sgd.nesterov and (sgd.momentum <= 0 or sgd.dampening != 0):
        yield Problem(
            "Nesterov momentum needs a momentum and zero dampening",
            key="optimizer.nesterov",
            hint="write momentum = 0.9 and leave dampening out",
        )


def _groups(experiment: Experiment) -> Iterator[Problem]:
    seen = {"default"}
    for position, group in enumerate(experiment.optimizer.group):
        if group.name in seen:
            yield Problem(
                f'"{group.name}" is the name of another group',
                key=f"optimizer.group.{position}.name",
                hint='each group needs a name of its own; "default" is the group of the rest',
            )
        seen.add(group.name)
    if experiment.optimizer.name == "LBFGS" and experiment.optimizer.group:
        yield Problem(
            "torch's LBFGS takes one group only",
            key="optimizer.group.0",
            hint="take the groups out, or choose another optimizer",
        )


def _monitors(experiment: Experiment) -> Iterator[Problem]:
    """A metric must be one that is measured: val/…, or train/loss."""
    named = [("checkpoint.monitor", experiment.checkpoint.monitor)]
    named += [
        (f"scheduler.{position}.monitor", section.monitor)
        for position, section in enumerate(experiment.scheduler)
        if section.name == "ReduceLROnPlateau"
    ]
    for key, monitor in named:
        if monitor not in METRICS:
            yield Problem(
                f'no metric is called "{monitor}"',
                key=key,
                hint="one of: " + ", ".join(f'"{metric}"' for metric in METRICS),
            )


# What a `validated` event carries for a classification.
METRICS = ("val/loss", "val/accuracy", "val/f1", "train/loss")

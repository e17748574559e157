"""Experiment → Parts: every section validated, every object built, nothing trained yet."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torchmetrics import MetricCollection

from engine.contract.experiment import Experiment
from engine.contract.model import never_unfrozen
from engine.contract.problems import InputError, Problem
from engine.parts.backbones import Built, aux_weight, build_model
from engine.parts.batches import Data, build_data
from engine.parts.device import build_autocast, build_device, build_scaler
from engine.parts.freezing import Freezing
from engine.parts.losses import Criterion, build_criterion
from engine.parts.metrics import build_metrics
from engine.parts.optimizers import build_optimizer, group_rates
from engine.parts.presets import preset_of
from engine.parts.schedule import Schedule
from engine.parts.unfreezing import Stages, build_stages


@dataclass
class Parts:
    """All that the loop works with, on its device."""

    experiment: Experiment
    device: torch.device
    data: Data
    model: nn.Module
    built: Built
    freezing: Freezing  # of this epoch; the loop takes the next one from `stages`
    stages: Stages
    criterion: Criterion
    aux_weight: float
    optimizer: torch.optim.Optimizer
    schedule: Schedule
    metrics: MetricCollection
    autocast: AbstractContextManager[object]
    scaler: torch.amp.GradScaler
    warnings: list[Problem]
    trained: list[nn.Parameter]  # at any time: what the optimizer knows

    @cached_property
    def needs_closure(self) -> bool:
        """L-BFGS alone evaluates the loss by itself, several times a step."""
        return isinstance(self.optimizer, torch.optim.LBFGS)

    @property
    def monitor(self) -> str:
        """The metric that decides which checkpoint is the best."""
        return self.experiment.checkpoint.monitor if self.data.val_samples else "train/loss"

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps: the last one of an epoch may take fewer batches."""
        return steps_per_epoch(self.data.batches_per_epoch, self.experiment.train.accumulate)


def steps_per_epoch(batches: int, accumulate: int) -> int:
    return -(-batches // accumulate)


def build(
    experiment: Experiment, folder: Path, *, pretrained: bool = True, refetch: bool = False
) -> Parts:
    """Build everything. `folder` is what relative names of code are relative to. `pretrained`
    false leaves the weights out, for a checkpoint to bring them; `refetch` downloads damaged ones
    again.

    Raises InputError with what every part found that could be looked at.
    """
    seed_everything(experiment.seed)
    torch.use_deterministic_algorithms(experiment.train.deterministic)
    device = build_device(experiment.train)
    data = build_data(
        experiment.data,
        preset_of(experiment.model, experiment.data.image_size),
        seed=experiment.seed,
        folder=folder,
        pin_memory=device.type == "cuda",
    )
    try:
        return _build(experiment, folder, device, data, pretrained, refetch)
    except BaseException:
        data.close()
        raise


def _build(
    experiment: Experiment,
    folder: Path,
    device: torch.device,
    data: Data,
    pretrained: bool,
    refetch: bool,
) -> Parts:
    problems = list(_unmeasured(experiment, data))
    criterion = None
    outputs = experiment.model.outputs or len(data.classes)
    try:
        criterion = build_criterion(experiment.loss, data.classes, data.train_targets, outputs)
    except InputError as error:
        problems += error.problems
    built, stages = _model(experiment, data, outputs, folder, pretrained, refetch, problems)
    if problems or built is None or stages is None or criterion is None:
        raise InputError(*problems)
    model = built.model.to(device)
    optimizer = build_optimizer(experiment.optimizer, model)  # over all that will ever train
    trained = [p for p in model.parameters() if p.requires_grad]
    per_epoch = steps_per_epoch(data.batches_per_epoch, experiment.train.accumulate)
    schedule = Schedule(
        experiment.scheduler,
        group_rates(optimizer),
        total_steps=per_epoch * experiment.train.epochs,
        total_epochs=experiment.train.epochs,
        folder=folder,
    )
    schedule.apply(optimizer)
    return Parts(
        experiment=experiment,
        device=device,
        data=data,
        model=model,
        built=built,
        freezing=stages.enter(0),
        stages=stages,
        criterion=criterion.to(device),
        aux_weight=aux_weight(experiment.model),
        optimizer=optimizer,
        schedule=schedule,
        metrics=build_metrics(outputs, experiment.loss.ignore_index, device),
        autocast=build_autocast(experiment.train, device),
        scaler=build_scaler(experiment.train, device),
        warnings=list(_warnings(experiment, data)),
        trained=trained,
    )


def _model(
    experiment: Experiment,
    data: Data,
    outputs: int,
    folder: Path,
    pretrained: bool,
    refetch: bool,
    problems: list[Problem],
) -> tuple[Built | None, Stages | None]:
    if outputs < len(data.classes):
        problems.append(
            Problem(
                f"{outputs} outputs for {len(data.classes)} classes",
                "model.outputs",
                "leave it out: the head gets an output for each class",
            )
        )
        return None, None
    try:
        section = experiment.model
        built = build_model(section, outputs, folder, pretrained=pretrained, refetch=refetch)
        return built, build_stages(built.model, section, built.heads)
    except InputError as error:
        problems += error.problems
        return None, None


def _unmeasured(experiment: Experiment, data: Data) -> Iterator[Problem]:
    """A plateau that waits for a metric that nobody measures would never act."""
    for position, section in enumerate(experiment.scheduler):
        monitor = getattr(section, "monitor", "train/loss")
        if monitor.startswith("val/") and data.val_samples == 0:
            yield Problem(
                f"{monitor} is never measured: there are no validation samples",
                f"scheduler.{position}.monitor",
                'write val = 0.2 under [data], or monitor = "train/loss"',
            )


def _warnings(experiment: Experiment, data: Data) -> list[Problem]:
    """What is legal and perhaps not meant."""
    found = list(never_unfrozen(experiment.model, experiment.train.epochs))
    counts = torch.bincount(
        data.train_targets[data.train_targets >= 0], minlength=len(data.classes)
    )
    empty = [name for name, count in zip(data.classes, counts.tolist(), strict=False) if not count]
    if empty:
        found.append(
            Problem(
                f"no training sample is of: {', '.join(empty[:8])}",
                "data.train",
                "these classes can't be learned; with balanced weights theirs is 0",
                severity="warning",
            )
        )
    if experiment.model.weights == "none" and experiment.model.freeze:
        found.append(
            Problem(
                "frozen layers of random weights: nothing was learned that could be kept",
                "model.freeze",
                'write weights = "DEFAULT" or a file under [model], or take freeze out',
                severity="warning",
            )
        )
    if data.val_samples == 0:
        found.append(
            Problem(
                "no validation: the best checkpoint is decided by train/loss",
                "data.val",
                "write val = 0.2 to keep a fifth of the training samples for it",
                severity="warning",
            )
        )
    return found


def seed_everything(seed: int) -> None:
    """The head's initial weights, dropout, and whatever a person's own code draws."""
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)

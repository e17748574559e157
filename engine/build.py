"""Experiment → Parts: every section validated, every object built, nothing trained yet."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torchmetrics import MetricCollection

from engine.contract.experiment import Experiment
from engine.contract.model import never_unfrozen
from engine.contract.problems import InputError, Problem
from engine.contract.tasks import COLUMN_METRICS
from engine.frozen_prefix import FrozenPrefix, exactness_problem
from engine.image_cache import ImageCache
from engine.parts.backbones import Built, aux_weight, build_model
from engine.parts.batches import Batch, Data, build_data
from engine.parts.compiling import Forward
from engine.parts.device import (
    build_autocast,
    build_device,
    build_scaler,
    place_model,
    use_channels_last,
)
from engine.parts.freezing import Freezing
from engine.parts.loss_build import (
    Targets,
    build_criterion,
    needs_signed,
    output_problems,
    outputs_for,
)
from engine.parts.losses import Criterion
from engine.parts.metrics import build_metrics
from engine.parts.optimizers import bare_step, build_optimizer, group_rates
from engine.parts.presets import preset_of
from engine.parts.schedule import Schedule
from engine.parts.steps import steps_per_epoch
from engine.parts.unfreezing import Stages, build_stages

T = TypeVar("T")


@dataclass
class Parts:
    """All that the loop works with, on its device."""

    experiment: Experiment
    folder: Path  # what relative names of code are relative to
    device: torch.device
    data: Data
    model: nn.Module
    built: Built
    freezing: Freezing  # of this epoch; the loop takes the next one from `stages`
    stages: Stages
    criterion: Criterion
    optimizer: torch.optim.Optimizer
    schedule: Schedule
    metrics: MetricCollection
    autocast: AbstractContextManager[object]
    scaler: torch.amp.GradScaler
    channels_last: bool
    warnings: list[Problem]
    trained: list[nn.Parameter]  # at any time: what the optimizer knows
    prefix: FrozenPrefix | None = None  # of this epoch's freezing, once training has begun
    images: ImageCache | None = None  # likewise
    forwards: dict[str, Forward] = field(
        default_factory=dict
    )  # "train", "val": the model, compiled

    @cached_property
    def needs_closure(self) -> bool:
        """L-BFGS alone evaluates the loss by itself, several times a step."""
        return isinstance(self.optimizer, torch.optim.LBFGS)

    @cached_property
    def step(self) -> Callable[[], object]:
        """The optimizer's own."""
        return bare_step(self.optimizer)

    @cached_property
    def probabilities(self) -> bool:
        """Whether metrics may look at more than the highest class."""
        return bool(self.experiment.metric)

    def train_batches(self, epoch: int, start: int) -> Iterator[Batch]:
        """The batches of an epoch, from batch `start` on."""
        if self.prefix is None:
            return self.data.train_batches(epoch, start)
        return self.prefix.train_batches(self.data, epoch, start)

    def val_batches(self) -> Iterator[Batch]:
        return (
            self.data.val_batches() if self.prefix is None else self.prefix.val_batches(self.data)
        )

    def forward(self, batch: Batch) -> Any:
        """What the model gives of a training batch."""
        if self.prefix is not None and self.prefix.train is not None:
            return self.prefix.train.forward(batch, again=self.needs_closure)
        inputs = self.data.inputs(batch, self.device, channels_last=self.channels_last)
        with self.autocast:
            return self.forwards.get("train", self.model)(inputs)

    def backward(self, loss: Tensor) -> None:
        """Adds the gradients of a batch's loss to those there are, scaled in fp16."""
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]

    def forward_val(self, batch: Batch) -> Any:
        """What the model gives of a validation batch; it has to be in evaluation mode."""
        if self.prefix is not None and self.prefix.val is not None:
            return self.prefix.val.forward(batch)
        inputs = self.data.inputs(batch, self.device, channels_last=self.channels_last)
        with self.autocast:
            return self.forwards.get("val", self.model)(inputs)

    def close(self) -> None:
        """No process that loads is left afterwards, and no file of what was kept is open."""
        self.data.close()
        if self.prefix is not None:
            self.prefix.close()
        if self.images is not None:
            self.images.close()

    @property
    def monitor(self) -> str:
        """The metric that decides which checkpoint is the best."""
        return self.experiment.checkpoint.monitor if self.data.val_samples else "train/loss"

    @property
    def steps_per_epoch(self) -> int:
        return steps_per_epoch(self.data.batches_per_epoch, self.experiment.train.accumulate)


def build(
    experiment: Experiment, folder: Path, *, pretrained: bool = True, refetch: bool = False
) -> Parts:
    """Build everything. `folder` is what relative names of code are relative to. `pretrained`
    false leaves the weights out, for a checkpoint to bring them; `refetch` downloads damaged ones
    again.

    Raises InputError with what every part found that could be looked at.
    """
    seed_everything(experiment.seed)
    if experiment.train.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else cuBLAS refuses to be
    torch.use_deterministic_algorithms(experiment.train.deterministic)
    device = build_device(experiment.train)
    data = build_data(
        experiment.data,
        preset_of(experiment.model, experiment.data.image_size),
        seed=experiment.seed,
        folder=folder,
        pin_memory=device.type == "cuda",
        task=experiment.task,
        ignore_index=experiment.ignore_index,
    )
    try:
        problems = list(_unmeasured(experiment, data))
        outputs = outputs_of(experiment, data.classes)
        built = _model(experiment, data, outputs, folder, pretrained, refetch, problems)
        return assemble(experiment, folder, device, data, built, outputs, problems)
    except BaseException:
        data.close()
        raise


def outputs_of(experiment: Experiment, classes: list[str]) -> int:
    """As the file says, else what the data and the loss need."""
    needed = outputs_for(experiment.loss, experiment.task, len(classes))
    return experiment.model.outputs or needed


def assemble(
    experiment: Experiment,
    folder: Path,
    device: torch.device,
    data: Data,
    built: Built | None,
    outputs: int,
    problems: list[Problem],
) -> Parts:
    """What trains a built model on some data. `problems`: what was found so far; `built` is None
    where the model is among it. Raises InputError with these and its own."""
    task, index, sections = experiment.task, experiment.ignore_index, experiment.metric
    criterion = _tried(problems, lambda: _criterion(experiment, folder, data, outputs))
    metrics = _tried(
        problems, lambda: build_metrics(task, data.classes, outputs, index, device, sections)
    )
    stages = None
    if built is not None:
        model, heads = built.model, built.heads
        stages = _tried(problems, lambda: build_stages(model, experiment.model, heads))
    if problems or built is None or stages is None or criterion is None or metrics is None:
        raise InputError(*problems)
    channels_last = use_channels_last(experiment.train, device, model)
    place_model(model, device, channels_last)
    uneven = bool(experiment.model.unfreeze) or experiment.train.precision == "fp16"
    # Of all that ever trains.
    optimizer = build_optimizer(experiment.optimizer, model, uneven=uneven)
    trained = [p for p in model.parameters() if p.requires_grad]
    per_epoch = steps_per_epoch(data.batches_per_epoch, experiment.train.accumulate)
    schedule = Schedule.of(experiment, group_rates(optimizer), per_epoch, folder)
    schedule.apply(optimizer)
    freezing = stages.enter(0)
    if problem := exactness_problem(experiment, model, freezing, data):
        raise InputError(problem)
    return Parts(
        experiment=experiment,
        folder=folder,
        device=device,
        data=data,
        model=model,
        built=built,
        freezing=freezing,
        stages=stages,
        criterion=criterion.to(device),
        optimizer=optimizer,
        schedule=schedule,
        metrics=metrics,
        autocast=build_autocast(experiment.train, device),
        scaler=build_scaler(experiment.train, device),
        channels_last=channels_last,
        warnings=list(_warnings(experiment, data)),
        trained=trained,
    )


def _tried(problems: list[Problem], build: Callable[[], T]) -> T | None:
    """What is built, or None and what stands in its way among the problems."""
    try:
        return build()
    except InputError as error:
        problems += error.problems
        return None


def _criterion(experiment: Experiment, folder: Path, data: Data, outputs: int) -> Criterion:
    targets = Targets(
        experiment.task,
        data.classes,
        data.train_targets,
        lambda: data.target_counts,
        experiment.ignore_index,
    )
    return build_criterion(
        experiment.loss,
        experiment.term_titles,
        targets,
        outputs,
        folder,
        aux_weight=aux_weight(experiment.model),
        standardize=experiment.data.standardize,
    )


def _model(
    experiment: Experiment,
    data: Data,
    outputs: int,
    folder: Path,
    pretrained: bool,
    refetch: bool,
    problems: list[Problem],
) -> Built | None:
    found = list(output_problems(experiment.loss, experiment.task, data.classes, outputs))
    problems += found
    if found:
        return None
    signed = needs_signed(experiment.loss, experiment.task, outputs)
    return _tried(
        problems,
        lambda: build_model(
            experiment.model,
            outputs,
            folder,
            pretrained=pretrained,
            refetch=refetch,
            signed=signed,
        ),
    )


def _unmeasured(experiment: Experiment, data: Data) -> Iterator[Problem]:
    """A plateau that waits for a metric that nobody measures would never act."""
    named = [
        (f"scheduler.{position}.monitor", getattr(section, "monitor", "train/loss"))
        for position, section in enumerate(experiment.scheduler)
    ]
    for key, monitor in named:
        if monitor.startswith("val/") and data.val_samples == 0:
            yield Problem(
                f"{monitor} is never measured: there are no validation samples",
                key,
                'write val = 0.2 under [data], or monitor = "train/loss"',
            )
    for key, monitor in [*named, ("checkpoint.monitor", experiment.checkpoint.monitor)]:
        measured_of, _, column = monitor.removeprefix("val/").partition("/")
        if experiment.task != "regression" or measured_of not in COLUMN_METRICS:
            continue
        several = len(data.classes) > 1
        each = column in data.classes if column else measured_of == "r2"
        if not (each if several else not column):
            measured = ", ".join(f"val/{measured_of}/{name}" for name in data.classes)
            hint = f"there are: {measured}" if several else f'write "val/{measured_of}"'
            yield Problem(f'no metric is called "{monitor}"', key, hint)


def _warnings(experiment: Experiment, data: Data) -> Iterator[Problem]:
    """What is legal and perhaps not meant; what a look at the data tells is `check`'s."""
    yield from never_unfrozen(experiment.model, experiment.train.epochs)
    if experiment.model.weights == "none" and experiment.model.freeze:
        yield Problem(
            "frozen layers of random weights: nothing was learned that could be kept",
            "model.freeze",
            'write weights = "DEFAULT" or a file under [model], or take freeze out',
            severity="warning",
        )
    if data.val_samples == 0:
        yield Problem(
            "no validation: the best checkpoint is decided by train/loss",
            "data.val",
            "write val = 0.2 to keep a fifth of the training samples for it",
            severity="warning",
        )


def seed_everything(seed: int) -> None:
    """The head's initial weights, dropout, and whatever a person's own code draws."""
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)

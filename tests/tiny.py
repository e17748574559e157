"""Parts for tests of the loop's pieces: a few given batches and any small model, nothing read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from engine.build import Parts, steps_per_epoch
from engine.checkpoint import Keeper, Progress
from engine.contract.experiment import Experiment
from engine.contract.model import Model
from engine.contract.run_directory import create
from engine.contract.training import Train
from engine.control import Control
from engine.job import Job
from engine.parts.backbones import Built, aux_weight
from engine.parts.batches import Batch, Data
from engine.parts.device import build_autocast, build_device, build_scaler
from engine.parts.losses import build_criterion
from engine.parts.metrics import build_metrics
from engine.parts.optimizers import build_optimizer, group_rates
from engine.parts.schedule import Schedule
from engine.parts.unfreezing import build_stages
from engine.recorder import Recorder

FEATURES, CLASSES = 6, 4


class GivenBatches:
    """In place of `Data`: the same batches every epoch."""

    def __init__(self, train: Sequence[Batch], val: Sequence[Batch]) -> None:
        self.train, self.val = list(train), list(val)
        self.train_targets = torch.cat([batch.targets for batch in train])
        self.classes = [f"class {index}" for index in range(CLASSES)]
        self.train_samples = len(self.train_targets)
        self.val_samples = sum(len(batch.targets) + len(batch.unreadable) for batch in val)
        self.batches_per_epoch = len(train)
        self.workers, self.fingerprint = 0, "given"

    def train_batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        return iter(self.train[start:])

    def val_batches(self) -> Iterator[Batch]:
        return iter(self.val)

    def sample_name(self, index: int, split: str = "train") -> str:
        return f"{split}[{index}]"

    def close(self) -> None:
        """Nothing is open."""


def linear(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(FEATURES, CLASSES))


def samples(count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Inputs (count, FEATURES) and targets (count,)."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(count, FEATURES, generator=generator)
    return inputs, torch.randint(CLASSES, (count,), generator=generator)


def in_batches(inputs: Tensor, targets: Tensor, *sizes: int) -> list[Batch]:
    """Batches of these sizes, one after the other."""
    ends = torch.tensor(sizes).cumsum(0).tolist()
    spans = [list(range(end - size, end)) for size, end in zip(sizes, ends, strict=True)]
    return [Batch(inputs[span], targets[span], span, []) for span in spans]


def parts_of(
    train: Sequence[Batch],
    *,
    val: Sequence[Batch] = (),
    model: nn.Module | None = None,
    heads: Sequence[str] = (),
    **given: Any,
) -> Parts:
    """`given`: sections of the experiment; `train_section` the [train] one, without its epochs.
    `heads`: the model's, for its `model_section`'s patterns."""
    section = Train(**({"epochs": 1, "device": "cpu"} | given.pop("train_section", {})))
    named = given.pop("model_section", Model(backbone="resnet18"))
    experiment = Experiment(name="tiny", model=named, train=section, **given)
    data = cast(Data, GivenBatches(train, val))
    model = linear() if model is None else model
    device = build_device(section)
    stages = build_stages(model, named, list(heads))
    optimizer = build_optimizer(experiment.optimizer, model)
    trained = [p for p in model.parameters() if p.requires_grad]
    steps = steps_per_epoch(len(train), section.accumulate)
    schedule = Schedule(
        experiment.scheduler,
        group_rates(optimizer),
        total_steps=steps * section.epochs,
        total_epochs=section.epochs,
        folder=Path(),
    )
    schedule.apply(optimizer)
    return Parts(
        experiment=experiment,
        device=device,
        data=data,
        model=model,
        built=Built(model, list(heads), None),
        freezing=stages.enter(0),
        stages=stages,
        criterion=build_criterion(experiment.loss, data.classes, data.train_targets, CLASSES),
        aux_weight=aux_weight(named),
        optimizer=optimizer,
        schedule=schedule,
        metrics=build_metrics(CLASSES, experiment.loss.ignore_index, device),
        autocast=build_autocast(section, device),
        scaler=build_scaler(section, device),
        warnings=[],
        trained=trained,
    )


def job_of(parts: Parts, folder: Path) -> Job:
    """A job that writes to a run directory of its own; its recorder's thread is not started."""
    run = create(folder, "tiny", "", b"")
    recorder = Recorder(run, parts.device, sums=parts.criterion.reduction == "sum")
    keeper = Keeper(run, recorder, keep=0, better="min")
    epochs = parts.experiment.train.epochs
    return Job(parts, Progress(), recorder, Control(run), keeper, epochs)

"""Parts for tests of the loop's pieces: a few given batches and any small model, nothing read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from engine.build import Parts, assemble, outputs_of
from engine.checkpoint import Keeper, Progress
from engine.contract.experiment import Experiment
from engine.contract.model import Model
from engine.contract.run_directory import create
from engine.contract.tasks import Task
from engine.contract.training import Train
from engine.control import Control
from engine.job import Job
from engine.parts.backbones import Built
from engine.parts.batches import Batch, Data
from engine.parts.device import build_device, placed
from engine.recorder import Recorder

FEATURES, CLASSES = 6, 4


class GivenBatches:
    """In place of `Data`: the same batches every epoch."""

    def __init__(
        self, train: Sequence[Batch], val: Sequence[Batch], task: Task, classes: int = CLASSES
    ) -> None:
        self.task = task
        self.train, self.val = list(train), list(val)
        self._targets = targets = torch.cat([batch.targets for batch in train])
        self.train_targets = None if task == "segmentation" else targets
        count = targets.shape[1] if task in ("multilabel", "regression") else classes
        self.classes = [f"class {index}" for index in range(count)]
        self.train_samples = len(targets)
        self.val_samples = sum(len(batch.targets) + len(batch.unreadable) for batch in val)
        self.batches_per_epoch = len(train)
        self.workers, self.fingerprint = 0, "given"

    def train_batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        return iter(self.train[start:])

    def val_batches(self) -> Iterator[Batch]:
        return iter(self.val)

    def inputs(
        self, batch: Batch, device: torch.device | None = None, *, channels_last: bool = False
    ) -> Tensor:
        return placed(batch.inputs, device or batch.inputs.device, channels_last)

    def side(self, split: str) -> None:
        """Nothing that could be kept."""

    def first_batches(self, count: int) -> list[Batch]:
        return self.train[:count]

    def first_val_samples(self, count: int) -> Batch | None:
        return self.val[0] if self.val else None

    @property
    def val_targets(self) -> Tensor | None:
        known = self.val and self.task != "segmentation"
        return torch.cat([batch.targets for batch in self.val]) if known else None

    def sample_name(self, index: int, split: str = "train") -> str:
        return f"{split}[{index}]"

    @property
    def target_counts(self) -> tuple[Tensor, Tensor]:
        return torch.unique(self._targets, return_counts=True)

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
    folder: Path = Path(),
    classes: int = CLASSES,
    **given: Any,
) -> Parts:
    """`given`: sections of the experiment; `train_section` the [train] one, without its epochs.
    `heads`: the model's, for its `model_section`'s patterns."""
    section = Train(**({"epochs": 1, "device": "cpu"} | given.pop("train_section", {})))
    named = given.pop("model_section", Model(backbone="resnet18"))
    experiment = Experiment(name="tiny", model=named, train=section, **given)
    data = cast(Data, GivenBatches(train, val, experiment.task, classes))
    model = linear() if model is None else model
    device = build_device(section)
    built = Built(model, list(heads), None)
    outputs = outputs_of(experiment, data.classes)
    return assemble(experiment, folder, device, data, built, outputs, [])


def job_of(parts: Parts, folder: Path) -> Job:
    """A job that writes to a run directory of its own; its recorder's thread is not started."""
    run = create(folder, "tiny", "", b"")
    criterion = parts.criterion
    recorder = Recorder(run, parts.device, titles=criterion.titles, sums=criterion.sums)
    keeper = Keeper(run, recorder, keep=0, better="min")
    epochs = parts.experiment.train.epochs
    return Job(parts, Progress(), recorder, Control(run), keeper, epochs)

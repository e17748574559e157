"""resnet50 on one batch that is on the device already: the bare model, and the engine's whole loop
around it. No data is read or moved, so what is left is what the engine itself costs."""

from __future__ import annotations

import time
from collections.abc import Iterator

import torch
from steps import LR, MOMENTUM, parts_of, trained
from torch import Tensor, nn
from torchvision import models
from work import ResidentWork

from engine.parts.batches import Batch
from engine.parts.device import placed

CLASSES = 10


class Resident:
    """In the place of engine.parts.batches.Data: one batch again and again, and no validation."""

    task = "classification"
    workers, val_samples, fingerprint = 0, 0, "resident"
    val_targets = None

    def __init__(self, work: ResidentWork) -> None:
        inputs, self.targets = batch(work)
        cuda = work.device == "cuda"
        if not work.pinned:
            inputs = inputs.to(work.device)
        elif cuda:
            inputs = inputs.pin_memory()
        targets = self.targets.pin_memory() if cuda else self.targets
        self.batch = Batch(inputs, targets, list(range(work.batch)), [])
        self.batches_per_epoch = work.steps
        self.train_samples = work.batch * work.steps
        self.train_targets = self.targets.repeat(work.steps)
        self.classes = [str(number) for number in range(CLASSES)]

    def train_batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        return (self.batch for _ in range(start, self.batches_per_epoch))

    def val_batches(self) -> Iterator[Batch]:
        return iter(())

    def inputs(
        self, batch: Batch, device: torch.device | None = None, *, channels_last: bool = False
    ) -> Tensor:
        return placed(batch.inputs, device or batch.inputs.device, channels_last)

    def side(self, split: str) -> None:
        """Nothing that could be kept."""

    def close(self) -> None:
        """Nothing is open."""


def batch(work: ResidentWork) -> tuple[Tensor, Tensor]:
    dice = torch.Generator().manual_seed(0)
    inputs = torch.randn(work.batch, 3, work.size, work.size, generator=dice)
    return inputs, torch.randint(CLASSES, (work.batch,), generator=dice)


def network(work: ResidentWork) -> nn.Module:
    torch.manual_seed(0)
    if work.threads:
        torch.set_num_threads(work.threads)
    return models.resnet50(num_classes=CLASSES)


def bare(work: ResidentWork) -> float:
    """Seconds a step: forward, loss, backward and optimizer, nothing else."""
    model = network(work).to(work.device).train()
    inputs, targets = (tensor.to(work.device) for tensor in batch(work))
    optimizer = torch.optim.SGD(model.parameters(), lr=LR, momentum=MOMENTUM)
    loss_function = nn.CrossEntropyLoss()
    for epoch in range(work.epochs):
        for _ in range(work.steps):
            optimizer.zero_grad()
            enabled = work.precision == "bf16"
            with torch.autocast(work.device, torch.bfloat16, enabled=enabled):
                output = model(inputs)
            loss_function(output.float(), targets).backward()
            optimizer.step()
        if epoch == 0:
            _wait(work)
            began = time.perf_counter()
    _wait(work)
    return (time.perf_counter() - began) / ((work.epochs - 1) * work.steps)


def engine(work: ResidentWork) -> float:
    """The same, with all that the engine does around it. The ends of the epochs are in it."""
    model = network(work)
    parts = parts_of(Resident(work), model, CLASSES, work.epochs, work.device, work.precision)
    _, epochs = trained(parts)
    return (epochs[-1] - epochs[0]) / ((work.epochs - 1) * work.steps)


def _wait(work: ResidentWork) -> None:
    if work.device == "cuda":
        torch.cuda.synchronize()

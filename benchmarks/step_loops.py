"""The loops that step_overhead.py compares: by hand and the engine, on the same digits."""

from __future__ import annotations

import cProfile
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Sampler, TensorDataset

from engine.build import Parts, assemble
from engine.checkpoint import Keeper, Progress
from engine.contract.data import Data as DataSection
from engine.contract.events import Step
from engine.contract.experiment import Experiment
from engine.contract.follower import Follower
from engine.contract.model import Model
from engine.contract.optimizer import SGD
from engine.contract.run_directory import create
from engine.contract.scheduler import StepLR
from engine.contract.training import Checkpoint, Train
from engine.control import Control
from engine.job import Job
from engine.loop import train
from engine.parts.backbones import Built
from engine.parts.batches import Data, build_data
from engine.parts.device import build_device
from engine.parts.randomness import generator
from engine.parts.transforms import Preset
from engine.recorder import Recorder

SEED, BATCH, LR, MOMENTUM = 0, 32, 0.01, 0.9
PIXELS, CLASSES = 3 * 8 * 8, 10


@dataclass
class Result:
    """How long each step took but the first, in ms, and the weights at the end."""

    steps: list[float]
    weights: Tensor

    @classmethod
    def of(cls, ends: list[float], model: nn.Module) -> Result:
        """`ends`: when each step was done, in seconds."""
        steps = [1000 * (after - before) for before, after in pairwise(ends)]
        return cls(steps, torch.cat([p.detach().flatten() for p in model.parameters()]))


Contender = Callable[[], Result]


def network(widths: list[int]) -> nn.Module:
    torch.manual_seed(SEED)
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs, outputs in zip([PIXELS, *widths], widths, strict=False):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(widths[-1], CLASSES))


@dataclass
class Digits:
    """The bundled digits: as the engine has them, and as plain tensors."""

    data: Data
    inputs: Tensor  # (N, 3, 8, 8)
    targets: Tensor  # (N,)

    @classmethod
    def load(cls) -> Digits:
        preset = Preset(image_size=8, resize_size=8, mean=(0.5,) * 3, std=(0.5,) * 3)
        section = DataSection(val="none", batch_size=BATCH)
        data = build_data(section, preset, seed=SEED, folder=Path())
        inputs = torch.empty(data.train_samples, 3, 8, 8)
        for batch in data.train_batches(0):
            inputs[batch.indices] = batch.inputs
        return cls(data, inputs, data.train_targets)

    def order(self, epoch: int) -> Tensor:
        """The engine's, so that the numbers can be compared."""
        return torch.randperm(len(self.targets), generator=generator(SEED, "shuffle", epoch))


# By hand -----------------------------------------------------------------------------------------


def by_hand(
    widths: list[int], epochs: int, batches: Callable[[int], Iterable[tuple[Tensor, Tensor]]]
) -> Result:
    model = network(widths)
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=LR, momentum=MOMENTUM)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.9)
    loss_function = nn.CrossEntropyLoss()
    ends: list[float] = []
    for epoch in range(epochs):
        for inputs, targets in batches(epoch):
            optimizer.zero_grad()
            loss = loss_function(model(inputs), targets)
            loss.backward()
            optimizer.step()
            ends.append(time.time())
        scheduler.step()
    return Result.of(ends, model)


def selected(digits: Digits, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
    for indices in digits.order(epoch).split(BATCH):
        yield digits.inputs.index_select(0, indices), digits.targets.index_select(0, indices)


class InOrder(Sampler[int]):
    def __init__(self, digits: Digits) -> None:
        self.digits, self.epoch = digits, 0

    def __iter__(self) -> Iterator[int]:
        order = self.digits.order(self.epoch).tolist()
        self.epoch += 1
        return iter(order)

    def __len__(self) -> int:
        return len(self.digits.targets)


def loaded(digits: Digits, widths: list[int], epochs: int) -> Result:
    dataset = TensorDataset(digits.inputs, digits.targets)
    loader = DataLoader(dataset, batch_size=BATCH, sampler=InOrder(digits))
    return by_hand(widths, epochs, lambda epoch: loader)


# The engine --------------------------------------------------------------------------------------


def parts_of(digits: Digits, widths: list[int], epochs: int) -> Parts:
    """As engine.build does, with a model of our own."""
    section = Train(epochs=epochs, device="cpu")
    experiment = Experiment(
        name="step-overhead",
        seed=SEED,
        model=Model(backbone="resnet18"),  # a name that it has to have
        optimizer=SGD(lr=LR, momentum=MOMENTUM),
        scheduler=[StepLR(step_size=2, gamma=0.9)],
        train=section,
        checkpoint=Checkpoint(every=epochs, keep=0),
    )
    built = Built(network(widths), [], None)
    return assemble(experiment, Path(), build_device(section), digits.data, built, CLASSES, [])


def with_the_engine(
    digits: Digits, widths: list[int], epochs: int, profile: cProfile.Profile | None = None
) -> Result:
    parts = parts_of(digits, widths, epochs)
    with tempfile.TemporaryDirectory() as folder:
        run = create(Path(folder), "step-overhead", "", b"")
        recorder = Recorder(run, parts.device)
        keeper = Keeper(run, recorder, keep=0, better="min")
        job = Job(parts, Progress(), recorder, Control(run), keeper, epochs)
        recorder.start()
        if profile is None:
            train(job)
        else:
            profile.runcall(train, job)
        recorder.close()
        steps = [event for event in Follower(run.events).events() if isinstance(event, Step)]
    assert len(steps) == epochs * parts.steps_per_epoch, "an event was lost"
    return Result.of([event.time for event in steps], parts.model)

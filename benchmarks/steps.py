"""The step alone: loops by hand and the engine on one model and the same digits in memory.

The engine runs whole: every step's event goes to a run directory, the recorder's thread writes,
requests are looked for, the learning rate is scheduled. By hand there is nothing of that. Each
contender gives the same weights in the end, bit by bit.
"""

from __future__ import annotations

import hashlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Sampler, TensorDataset
from work import StepWork, Timed

from engine.build import Parts, assemble
from engine.checkpoint import Keeper, Progress
from engine.contract.data import Data as DataSection
from engine.contract.events import Step, Validated
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
from engine.saving import finish

SEED, BATCH, LR, MOMENTUM = 0, 32, 0.01, 0.9
PIXELS, CLASSES, WIDTH = 3 * 8 * 8, 10, 256


class Residual(nn.Module):
    """`share`: so that the deepest of them trains too."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.linear, self.share = nn.Linear(WIDTH, WIDTH), share

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs + self.share * self.linear(inputs).relu()


def network(depth: int) -> nn.Module:
    """Its step's time is that of a layer times `depth`."""
    torch.manual_seed(SEED)
    layers = (Residual(1 / depth) for _ in range(depth))
    return nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, WIDTH), *layers, nn.Linear(WIDTH, CLASSES))


def timed(steps: list[float], epochs: list[float], model: nn.Module) -> Timed:
    """Of when each was done, in seconds."""
    count = len(steps) - len(steps) // len(epochs)
    taken = [after - before for before, after in pairwise(steps)]
    flat = torch.cat([p.detach().flatten() for p in model.parameters()]).cpu()
    return Timed(
        typical=1000 * statistics.median(taken),
        in_all=1000 * (epochs[-1] - epochs[0]) / count,
        weights=hashlib.sha256(flat.numpy().tobytes()).hexdigest(),
    )


def depths(targets: list[float], device: str, threads: int | None) -> list[int]:
    """With which a step takes about so many ms, by hand, on this machine."""
    shallow, deep = 1, 17
    one, two = (by_hand(StepWork(depth, 2, device, threads)).in_all for depth in (shallow, deep))
    layer = max((two - one) / (deep - shallow), 1e-3)
    return [max(1, round(shallow + (target - one) / layer)) for target in targets]


@dataclass
class Digits:
    """The bundled digits: as the engine has them, and as plain tensors."""

    data: Data
    inputs: Tensor  # (N, 3, 8, 8)
    targets: Tensor  # (N,)

    @classmethod
    def load(cls, device: str) -> Digits:
        preset = Preset(image_size=8, resize_size=8, mean=(0.5,) * 3, std=(0.5,) * 3)
        section = DataSection(val="none", batch_size=BATCH)
        data = build_data(section, preset, seed=SEED, folder=Path(), pin_memory=device == "cuda")
        inputs = torch.empty(data.train_samples, 3, 8, 8)
        for batch in data.train_batches(0):
            inputs[batch.indices] = batch.inputs
        return cls(data, inputs, data.train_targets)

    def order(self, epoch: int) -> Tensor:
        """The engine's, so that the numbers can be compared."""
        return torch.randperm(len(self.targets), generator=generator(SEED, "shuffle", epoch))


# By hand -----------------------------------------------------------------------------------------


def by_hand(work: StepWork) -> Timed:
    """Batches by index_select, the quickest way there is to samples in memory."""
    digits = begun(work)
    return loop(work, lambda epoch: selected(digits, epoch))


def by_hand_loaded(work: StepWork) -> Timed:
    """Batches by a DataLoader, as most people's loops have them."""
    digits = begun(work)
    dataset = TensorDataset(digits.inputs, digits.targets)
    cuda = work.device == "cuda"
    loader = DataLoader(dataset, batch_size=BATCH, sampler=InOrder(digits), pin_memory=cuda)
    return loop(work, lambda epoch: loader)


def begun(work: StepWork) -> Digits:
    if work.threads:
        torch.set_num_threads(work.threads)
    return Digits.load(work.device)


def loop(work: StepWork, batches: Callable[[int], Iterable[tuple[Tensor, Tensor]]]) -> Timed:
    model = network(work.depth).to(work.device)
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=LR, momentum=MOMENTUM)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.9)
    loss_function = nn.CrossEntropyLoss()
    steps: list[float] = []
    epochs: list[float] = []
    for epoch in range(work.epochs):
        for inputs, targets in batches(epoch):
            inputs = inputs.to(work.device, non_blocking=True)
            targets = targets.to(work.device, non_blocking=True)
            optimizer.zero_grad()
            loss = loss_function(model(inputs), targets)
            loss.backward()
            optimizer.step()
            steps.append(time.time())
        scheduler.step()
        if work.device == "cuda" and epoch in (0, work.epochs - 1):
            torch.cuda.synchronize()
        epochs.append(time.time())
    return timed(steps, epochs, model)


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


# The engine --------------------------------------------------------------------------------------


def parts_of(
    data: Data, model: nn.Module, classes: int, epochs: int, device: str, precision: str = "fp32"
) -> Parts:
    """As engine.build does, with a model of our own."""
    section = Train(epochs=epochs, device=device, precision=precision)
    experiment = Experiment(
        name="steps",
        seed=SEED,
        model=Model(backbone="resnet18"),  # a name that it has to have
        optimizer=SGD(lr=LR, momentum=MOMENTUM),
        scheduler=[StepLR(step_size=2, gamma=0.9)],
        train=section,
        checkpoint=Checkpoint(every=epochs, keep=0),
    )
    built = Built(model, [], None)
    return assemble(experiment, Path(), build_device(section), data, built, classes, [])


def engine(work: StepWork) -> Timed:
    digits = begun(work)
    parts = parts_of(digits.data, network(work.depth), CLASSES, work.epochs, work.device)
    steps, epochs = trained(parts)
    return timed(steps, epochs, parts.model)


def trained(parts: Parts) -> tuple[list[float], list[float]]:
    """When each step and each epoch was done, in seconds, as the events tell."""
    epochs = parts.experiment.train.epochs
    with tempfile.TemporaryDirectory() as folder:
        run = create(Path(folder), "steps", "", b"")
        recorder = Recorder(run, parts.device)
        keeper = Keeper(run, recorder, keep=0, better="min")
        job = Job(parts, Progress(), recorder, Control(run), keeper, epochs)
        recorder.start()
        train(job)
        finish(job)
        recorder.close()
        events = list(Follower(run.events).events())
    steps = [event.time for event in events if isinstance(event, Step)]
    assert len(steps) == epochs * parts.steps_per_epoch, "an event was lost"
    return steps, [event.time for event in events if isinstance(event, Validated)]

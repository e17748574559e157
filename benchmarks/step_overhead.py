"""What a training step costs more under the engine than in a loop written by hand.

    uv run python benchmarks/step_overhead.py [--repeats N] [--profile]

The same model, data, seed and order of samples on the CPU, on one thread. The engine runs whole:
every step's event goes to a run directory, the recorder's thread writes, requests are looked for,
the learning rate is scheduled. By hand there is nothing of that. The contenders take turns, and the
medians are compared; the time is that from the end of the first step to the end of the last one,
so that building and the checkpoint at the end are left out. `CPU` is the time of the process on
all its threads, which other programs on the machine disturb less. Afterwards the weights have to
be the same, bit by bit.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import pstats
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Sampler, TensorDataset

from engine.build import Parts
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
from engine.parts.device import build_autocast, build_device, build_scaler
from engine.parts.freezing import freeze
from engine.parts.losses import build_criterion
from engine.parts.metrics import build_metrics
from engine.parts.optimizers import build_optimizer, group_rates
from engine.parts.randomness import generator
from engine.parts.schedule import Schedule
from engine.parts.transforms import Preset
from engine.recorder import Recorder

SEED, BATCH, LR, MOMENTUM = 0, 32, 0.01, 0.9
PIXELS, CLASSES = 3 * 8 * 8, 10

# The widths of the hidden layers, and the epochs (of 57 steps) of one repetition.
SIZES: dict[str, tuple[list[int], int]] = {
    "small": ([64], 20),
    "medium": ([512, 256], 8),
    "large": ([1024, 768], 3),
}


class Moment(NamedTuple):
    wall: float
    cpu: float

    @classmethod
    def now(cls) -> Moment:
        return cls(time.perf_counter(), time.process_time())


@dataclass
class Result:
    """Times in ms a step, and the weights at the end."""

    wall: float
    cpu: float
    weights: Tensor

    @classmethod
    def of(cls, first: Moment, last: Moment, steps: int, model: nn.Module) -> Result:
        wall, cpu = (
            1000 * (end - begin) / (steps - 1) for begin, end in zip(first, last, strict=True)
        )
        return cls(wall, cpu, torch.cat([p.detach().flatten() for p in model.parameters()]))


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
    steps, first = 0, None
    for epoch in range(epochs):
        for inputs, targets in batches(epoch):
            optimizer.zero_grad()
            loss = loss_function(model(inputs), targets)
            loss.backward()
            optimizer.step()
            first = first or Moment.now()
            steps += 1
        scheduler.step()
    assert first is not None
    return Result.of(first, Moment.now(), steps, model)


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
    data, device, model = digits.data, build_device(section), network(widths)
    optimizer = build_optimizer(experiment.optimizer, model)
    return Parts(
        experiment=experiment,
        device=device,
        data=data,
        model=model,
        built=Built(model, [], None),
        freezing=freeze(model, [], []),
        criterion=build_criterion(experiment.loss, data.classes, data.train_targets, CLASSES),
        aux_weight=0.0,
        optimizer=optimizer,
        schedule=Schedule(
            experiment.scheduler,
            group_rates(optimizer),
            total_steps=data.batches_per_epoch * epochs,
            total_epochs=epochs,
            folder=Path(),
        ),
        metrics=build_metrics(CLASSES, experiment.loss.ignore_index, device),
        autocast=build_autocast(section, device),
        scaler=build_scaler(section, device),
        warnings=[],
        trained=list(model.parameters()),
    )


class Clock:
    """The recorder's clock, which remembers what the CPU's was."""

    def __init__(self) -> None:
        self.moments: dict[float, Moment] = {}

    def __call__(self) -> float:
        now = time.time()
        self.moments[now] = Moment.now()
        return now


def with_the_engine(
    digits: Digits, widths: list[int], epochs: int, profile: cProfile.Profile | None = None
) -> Result:
    parts = parts_of(digits, widths, epochs)
    with tempfile.TemporaryDirectory() as folder:
        run = create(Path(folder), "step-overhead", "", b"")
        clock = Clock()
        recorder = Recorder(run, parts.device, clock=clock)
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
    first, last = clock.moments[steps[0].time], clock.moments[steps[-1].time]
    return Result.of(first, last, len(steps), parts.model)


# PyTorch Lightning -------------------------------------------------------------------------------


def with_lightning(digits: Digits, widths: list[int], epochs: int) -> Result:
    """Logs each step's loss to a CSV file; no progress bar, no checkpoint."""
    import lightning  # type: ignore[import-not-found,unused-ignore]
    from lightning.pytorch.loggers import (  # type: ignore[import-not-found,unused-ignore]
        CSVLogger,
    )

    class Batches(torch.utils.data.IterableDataset[tuple[Tensor, Tensor]]):
        epoch = 0

        def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
            self.epoch += 1
            return selected(digits, self.epoch - 1)

    class Module(lightning.LightningModule):  # type: ignore[misc,unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.model = network(widths)
            self.moments: list[Moment] = []

        def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
            loss = F.cross_entropy(self.model(batch[0]), batch[1])
            self.log("loss", loss)
            return loss

        def on_train_batch_end(self, *_: object) -> None:
            self.moments.append(Moment.now())

        def configure_optimizers(self) -> object:
            optimizer = torch.optim.SGD(self.parameters(), lr=LR, momentum=MOMENTUM)
            return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.9)]

    module = Module()
    with tempfile.TemporaryDirectory() as folder:
        lightning.Trainer(
            accelerator="cpu",
            max_epochs=epochs,
            logger=CSVLogger(folder),
            log_every_n_steps=1,
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
        ).fit(module, DataLoader(Batches(), batch_size=None))
    moments = module.moments
    return Result.of(moments[0], moments[-1], len(moments), module.model)


def has_lightning() -> bool:
    try:
        import lightning  # noqa: F401
    except ImportError:
        return False
    import logging
    import warnings

    warnings.filterwarnings("ignore", module="lightning")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    return True


# The table ---------------------------------------------------------------------------------------


def contenders(digits: Digits, widths: list[int], epochs: int) -> dict[str, Contender]:
    chosen: dict[str, Contender] = {
        "by hand, index_select": partial(by_hand, widths, epochs, partial(selected, digits)),
        "by hand, DataLoader": partial(loaded, digits, widths, epochs),
        "engine": partial(with_the_engine, digits, widths, epochs),
    }
    if has_lightning():
        chosen["PyTorch Lightning"] = partial(with_lightning, digits, widths, epochs)
    return chosen


def measure(runs: dict[str, Contender], repeats: int) -> dict[str, list[Result]]:
    """By turns. Every one's weights have to be the first one's."""
    results: dict[str, list[Result]] = {name: [] for name in runs}
    expected: Tensor | None = None
    for _ in range(repeats):
        for name, run in runs.items():
            gc.collect()
            result = run()
            results[name].append(result)
            expected = result.weights if expected is None else expected
            assert torch.equal(result.weights, expected), f"{name} computes other numbers"
    return results


def print_rows(size: str, results: dict[str, list[Result]]) -> None:
    """Medians; the differences are of one turn each, before the median is taken."""
    base = results["by hand, index_select"]
    for name, own in results.items():
        wall = statistics.median(one.wall for one in own)
        cpu = statistics.median(one.cpu for one in own)
        row = f"{size:8}{name:24}{wall:10.3f}{wall / statistics.median(b.wall for b in base):8.3f}"
        row += f"{_more([one.wall for one in own], [b.wall for b in base]):+9.1f}{cpu:12.3f}"
        row += f"{cpu / statistics.median(b.cpu for b in base):8.3f}"
        print(row + f"{_more([one.cpu for one in own], [b.cpu for b in base]):+9.1f}")


def _more(own: list[float], base: list[float]) -> float:
    """µs a step more than by hand in the same turn."""
    return 1000 * statistics.median(a - b for a, b in zip(own, base, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--profile", action="store_true", help="where the small model's time goes")
    options = parser.parse_args()
    torch.set_num_threads(1)
    digits = Digits.load()
    if options.profile:
        profile = cProfile.Profile()
        with_the_engine(digits, *SIZES["small"], profile)
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)
        return
    print(f"torch {torch.__version__}, batches of {BATCH}, medians of {options.repeats}")
    print(f"{'model':8}{'loop':24}{'ms a step':>10}{'ratio':>8}{'µs more':>9}", end="")
    print(f"{'CPU ms':>12}{'ratio':>8}{'µs more':>9}")
    for size, (widths, epochs) in SIZES.items():
        print_rows(size, measure(contenders(digits, widths, epochs), options.repeats))
    if not has_lightning():
        print("PyTorch Lightning: not installed")


if __name__ == "__main__":
    main()

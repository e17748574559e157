"""What the contenders of a benchmark are to do, what each tells afterwards, and the process of its
own that each does it in. No torch in here: the process that compares needs none.
"""

from __future__ import annotations

import gc
import importlib
import multiprocessing
import os
import resource
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

SEED = 0
LR, MOMENTUM = 1e-3, 0.9
# Imported before a contender's process begins, so that no time goes into it; nothing of ptrain's,
# whose memory would then be everybody's.
PRELOADED = ["torch", "torchvision"]


@dataclass(frozen=True)
class Work:
    """Fine-tuning of one backbone on one folder of images.

    trained     what trains beside the head: prefixes of parameters' names, ("",) for everything
    head        the prefix of the head's parameters
    root        holds train/ and val/, with a folder for each class in both
    weights     a file of them, or "none"
    start       the weights, head included, that everyone begins with; made by `prepare`
    size        of the images for the model, in pixels
    epochs      of ptrain; the others do `by_hand_epochs`, each of which does the same
    augment     RandomResizedCrop and RandomHorizontalFlip on the training images
    views       as data.views of ptrain; the others augment anew in each epoch
    workers     of each loader; ptrain's own choice where `ptrain_workers` is None
    cache       more keys of [train] for ptrain
    """

    backbone: str
    trained: tuple[str, ...]
    head: str
    root: str
    weights: str = "none"
    start: str = ""
    size: int = 224
    batch: int = 32
    epochs: int = 25
    by_hand_epochs: int = 3
    augment: bool = False
    views: int | None = None
    workers: int = 0
    ptrain_workers: int | None = None
    cache: str = ""
    device: str = "cpu"
    threads: int | None = None

    def trains(self, parameter: str) -> bool:
        return parameter.startswith((self.head, *self.trained))

    @property
    def freeze(self) -> list[str]:
        """As ptrain's patterns."""
        whole = "" in self.trained
        return [] if whole else ["*", *(f"!{name}" for name in self.trained)]


@dataclass(frozen=True)
class Result:
    """epochs       seconds of each, from before its first batch to the end of its validation
    val_losses   after each epoch
    peak         bytes: the largest resident size of the process, and of its largest worker
    device_peak  bytes that torch had taken of the GPU at most
    together     bytes of the process and its workers at most, where that is watched
    said, kept   what ptrain made of the frozen layers, in words, and bytes of it on the disk
    """

    epochs: list[float]
    val_losses: list[float]
    peak: tuple[int, int] = (0, 0)
    device_peak: int = 0
    said: str = ""
    kept: int = 0
    together: int = 0

    def seconds(self, epochs: int) -> float:
        """Of so many epochs; those that were not run are taken for as long as those after the
        first, which has the warming up in it."""
        if len(self.epochs) >= epochs:
            return sum(self.epochs[:epochs])
        rest = self.epochs[1:] or self.epochs
        return self.epochs[0] + (epochs - 1) * sum(rest) / len(rest)


@dataclass(frozen=True)
class Prepared:
    """The transforms' numbers, and the start that everyone has."""

    start: str
    image_size: int
    resize_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    classes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class StepWork:
    """A network of `depth` hidden layers on the digits, for `epochs` of 57 steps."""

    depth: int
    epochs: int
    device: str = "cpu"
    threads: int | None = None


@dataclass(frozen=True)
class Timed:
    """ms a step. `typical`: the median over the steps, which a busy machine disturbs least; on a
    GPU, which is not waited for, it means nothing. `in_all`: from the end of the first epoch to
    that of the last, by their steps: the ends of the epochs are in it, and what the recorder's
    thread takes. `weights`: a hash of those at the end."""

    typical: float
    in_all: float
    weights: str


@dataclass(frozen=True)
class ResidentWork:
    """resnet50 on one batch: `steps` of each of `epochs`, of which the first is left out.
    `pinned`: the batch is not on the device, but in pinned memory, and moves each time."""

    device: str
    size: int
    batch: int
    steps: int
    epochs: int
    precision: str = "bf16"
    pinned: bool = False
    threads: int | None = None


def alone(module: str, function: str, *arguments: object) -> Any:
    """`module.function(*arguments)` in a process of its own: what it returns. What it prints is
    shown where it fails.

    By their names, so that this process imports none of them: its children would have it all.
    """
    linux = sys.platform == "linux"
    context = multiprocessing.get_context("forkserver" if linux else "spawn")
    if linux:
        context.set_forkserver_preload(PRELOADED)
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            try:
                return pool.submit(_quietly, log, module, function, arguments).result()
            except BaseException:
                sys.stderr.write(log.read_text(errors="replace")[-4000:] if log.exists() else "")
                raise


def _quietly(log: Path, module: str, function: str, arguments: tuple[object, ...]) -> Any:
    file = os.open(log, os.O_WRONLY | os.O_CREAT)
    os.dup2(file, 1)
    os.dup2(file, 2)
    if sys.platform == "linux":
        # A loader's workers: as this process was started they would each import torch anew.
        multiprocessing.set_start_method("fork", force=True)
    result = getattr(importlib.import_module(module), function)(*arguments)
    return replace(result, **_peaks()) if isinstance(result, Result) else result


def _peaks() -> dict[str, Any]:
    import torch

    gc.collect()  # workers that stay are counted when they have ended
    unit = 1 if sys.platform == "darwin" else 1024
    both = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    own, child = (resource.getrusage(who).ru_maxrss * unit for who in both)
    gpu = torch.cuda.max_memory_allocated() if torch.cuda.is_initialized() else 0
    return {"peak": (own, child), "device_peak": gpu}

"""What tests of whole trainings share: a tiny experiment, its runs, and comparing them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from engine.contract.events import (
    AnyEvent,
    CheckpointSaved,
    RunResumed,
    Step,
    Unfrozen,
    Validated,
)
from engine.contract.follower import Follower
from engine.contract.run_directory import RunDirectory

TOP = Path(__file__).parent.parent


# BatchNorm and dropout in the model; a plateau and a per-batch scheduler; a short last batch, and
# with it a window of one batch; checkpoints in the middle of an epoch.
EXPERIMENT = """
seed = 7

[data]
dataset = "ImageFolder"
root = "images"
train = "train"
val = "val"
batch_size = 4
workers = 2
image_size = 32
augment = [
  { name = "RandomHorizontalFlip" },
  { name = "ColorJitter", brightness = 0.4 },
  { name = "RandomResizedCrop", size = 32, scale = [0.5, 1.0] },
]

[model]
backbone = "mnasnet0_5"
freeze = ["layers.0"]

[loss]
weight = "balanced"
label_smoothing = 0.1

[optimizer]
name = "SGD"
lr = 0.05
momentum = 0.9

[[optimizer.group]]
name = "head"
match = ["classifier"]
lr = 0.1

[[scheduler]]
name = "CyclicLR"
base_lr = 0.01
max_lr = 0.1
step_size_up = 3

[[scheduler]]
name = "ReduceLROnPlateau"
patience = 0
factor = 0.5
threshold = 0.5

[train]
epochs = 2
device = "cpu"
accumulate = 2
clip_norm = 1.0

[checkpoint]
every_steps = 3
keep = 1
"""
STEPS = 8  # 26 samples: 7 batches of at most 4, so 4 windows an epoch


def write_experiment(folder: Path, text: str = EXPERIMENT) -> Path:
    """The experiment and its images in a folder."""
    draw_images(folder / "images" / "train", {"bee": 10, "ant": 16})
    draw_images(folder / "images" / "val", {"bee": 5, "ant": 4})
    (folder / "small.toml").write_text(text)
    return folder / "small.toml"


def draw_images(folder: Path, classes: dict[str, int], size: int = 36) -> Path:
    """A folder for each class, with images that differ: noise around a class's own colour."""
    generator = np.random.default_rng(0)
    for position, (name, count) in enumerate(classes.items()):
        (folder / name).mkdir(parents=True)
        for index in range(count):
            noise = generator.integers(0, 120, (size, size, 3))
            noise[..., position % 3] += 100
            Image.fromarray(noise.astype(np.uint8)).save(folder / name / f"{index:03d}.png")
    return folder


class Zygote:
    """Trainings in forked children; see zygote.py."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "zygote.log"
        environment = os.environ | {"PYTHONPATH": str(TOP), "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=TOP,
            env=environment,
        )

    def train(self, **request: Any) -> int:
        """The child's exit code; negative for the signal that killed it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        defaults = {"resume": False, "overrides": [], "at": {}, "log": str(self.log)}
        request = defaults | request
        self.process.stdin.write(json.dumps(request, default=str) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        code = int(answer["code"])
        assert code != 99, self.log.read_text()
        return code

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(timeout=30)
        self.process.stdout.close()


def only_run(runs: Path) -> RunDirectory:
    (path,) = runs.glob("*/*")
    return RunDirectory(path)


def effective_events(run: RunDirectory) -> list[AnyEvent]:
    """The events as a reader of the whole file has them: a resume makes it forget."""
    events: list[AnyEvent] = []
    for event in Follower(run.events).events():
        if isinstance(event, RunResumed):
            events = [earlier for earlier in events if not _is_done_again(earlier, event)]
        events.append(event)
    return events


def _is_done_again(event: AnyEvent, resumed: RunResumed) -> bool:
    match event:
        case Step() | Unfrozen():
            return event.step >= resumed.step
        case Validated():
            return (event.step, event.epoch) >= (resumed.step, resumed.epoch)
        case CheckpointSaved():  # its epoch is the one to come
            return (event.step, event.epoch) > (resumed.step, resumed.epoch)
    return False


@dataclass
class Numbers:
    """All the numbers of a run that must not depend on whether it was stopped."""

    steps: list[tuple[Any, ...]]
    validated: list[tuple[Any, ...]]
    checkpoints: list[tuple[Any, ...]]
    unfrozen: list[tuple[Any, ...]]

    @classmethod
    def of(cls, run: RunDirectory) -> Numbers:
        by_type: dict[str, list[Any]] = {}
        for event in effective_events(run):
            by_type.setdefault(type(event).__name__, []).append(event)
        return cls(
            [(e.step, e.epoch, e.loss, e.lr, e.skipped) for e in by_type.get("Step", [])],
            [(e.step, e.epoch, e.metrics) for e in by_type.get("Validated", [])],
            [
                (e.step, e.epoch, e.kind, e.path, e.metric)
                for e in by_type.get("CheckpointSaved", [])
                if e.kind != "last"  # a stop writes one more of these
            ],
            [(e.step, e.epoch, e.layers, e.trainable) for e in by_type.get("Unfrozen", [])],
        )


def differences(one: Any, other: Any, where: str = "") -> list[str]:
    """Where two checkpoints differ, at tolerance 0."""
    if isinstance(one, torch.Tensor):
        same = isinstance(other, torch.Tensor) and one.dtype == other.dtype
        # Bytes, so that NaN equals NaN and 0.0 differs from -0.0.
        return [] if same and _bytes(one) == _bytes(other) else [where]
    if type(one) is not type(other):
        return [f"{where}: {type(one)} and {type(other)}"]
    if isinstance(one, dict):
        found = [] if list(one) == list(other) else [f"{where}: keys {list(one)} and {list(other)}"]
        for key in one.keys() & other.keys():
            found += differences(one[key], other[key], f"{where}.{key}")
        return found
    if isinstance(one, list | tuple):
        if len(one) != len(other):
            return [f"{where}: {len(one)} and {len(other)} long"]
        pairs = enumerate(zip(one, other, strict=True))
        return [line for i, (a, b) in pairs for line in differences(a, b, f"{where}.{i}")]
    return [] if one == other else [f"{where}: {one!r} and {other!r}"]


def _bytes(tensor: torch.Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().numpy().tobytes()

"""Every backbone trains its head alone for one step, and nothing else moves.

The numbers are no trained ones: a model is laid out on the meta device and filled from one short
random pattern, since torch's own initialization of 600 million parameters takes seconds.
"""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from engine.build import Parts
from engine.contract.backbones import BACKBONES
from engine.contract.data import Data
from engine.contract.model import Model
from engine.contract.optimizer import SGD
from engine.loop import optimizer_step, windows
from engine.parts.backbones import build_skeleton
from engine.parts.batches import Batch
from tests.tiny import CLASSES, job_of, parts_of

BIG = 80_000_000  # parameters: from there on a test takes seconds, and is marked slow
GIANT = 400_000_000  # 1.6 GB and more: one at a time
PATTERN = torch.rand(65_537, generator=torch.Generator().manual_seed(0)) * 2 - 1


def named(name: str) -> Any:
    return pytest.param(name, marks=[pytest.mark.slow] if BACKBONES[name].parameters > BIG else [])


@pytest.mark.parametrize("name", [named(name) for name in BACKBONES])
def test_a_step_of_the_head_alone_moves_the_head_and_not_one_bit_of_the_rest(
    name: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    shared = tmp_path_factory.getbasetemp().parent  # of all of pytest's workers
    with one_at_a_time(shared / "giant.lock", BACKBONES[name].parameters > GIANT):
        section, size = smallest(name)
        parts = parts_for(section, size)
        before = hashes(parts.model)
        loss = one_step(parts, tmp_path)
        after = hashes(parts.model)
    assert loss.isfinite()
    moved = {entry for entry in before if before[entry] != after[entry]}
    assert moved == {entry for entry in before if entry.rpartition(".")[0] in parts.built.heads}
    assert moved


def smallest(name: str) -> tuple[Model, int]:
    """Head only, and the size of the images: for a ViT, which is built for a size, one patch."""
    size = BACKBONES[name].smallest
    args: dict[str, Any] = {}
    if BACKBONES[name].size_argument == "image_size":
        size = int(name.rpartition("_")[2])
        args = {"image_size": size}
    return Model(backbone=name, freeze=["*"], args=args), size


def parts_for(section: Model, size: int) -> Parts:
    """The real backbone, with a batch of two images and all that the loop needs."""
    generator = torch.Generator().manual_seed(1)
    inputs = torch.rand(2, 3, size, size, generator=generator)
    dense = BACKBONES[section.backbone].task == "segmentation"
    targets = torch.zeros((2, size, size) if dense else 2, dtype=torch.int64)
    targets[1] = CLASSES - 1
    built = build_skeleton(section, CLASSES)
    return parts_of(
        [Batch(inputs, targets, [0, 1], [])],
        model=filled(built.model),
        heads=built.heads,
        model_section=section,
        data=Data(target="own.py:data", task=BACKBONES[section.backbone].task),
        optimizer=SGD(lr=0.1, momentum=0.9, weight_decay=0.1),
    )


def one_step(parts: Parts, folder: Path) -> Tensor:
    """As the loop takes it: the modes, the window, the step. The loss."""
    window = next(windows(job_of(parts, folder)))
    parts.freezing.train_mode(parts.model)
    loss, skipped = optimizer_step(parts, window, window.denominators)
    assert skipped is None
    return loss.value


def filled(model: nn.Module) -> nn.Module:
    """Weights as He et al. scale them, statistics as new."""
    model = model.to_empty(device="cpu")
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            last = name.rpartition(".")[2]
            if last in ("running_var", "logit_scale"):
                tensor.fill_(1)
            elif not tensor.is_floating_point() or last == "running_mean":
                tensor.zero_()
            elif tensor.dim() > 1:
                fill(tensor, (6 / tensor[0].numel()) ** 0.5)
            else:
                tensor.fill_(1 if last == "weight" else 0.01)
    return model


def fill(tensor: Tensor, scale: float) -> None:
    """The pattern again and again; its length is a prime, so that no two rows are alike."""
    flat, length = tensor.view(-1), len(PATTERN)
    whole = flat.numel() // length * length
    flat[:whole].view(-1, length).copy_(PATTERN)
    flat[whole:].copy_(PATTERN[: flat.numel() - whole])
    flat.mul_(scale)


def hashes(model: nn.Module) -> dict[str, str]:
    """SHA-256 of the bytes of every parameter and buffer, which are read in place."""
    return {
        name: hashlib.sha256(tensor.detach().contiguous().view(-1).numpy()).hexdigest()
        for name, tensor in model.state_dict().items()
    }


@contextmanager
def one_at_a_time(lock: Path, giant: bool) -> Iterator[None]:
    with lock.open("a") as file:
        if giant:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield

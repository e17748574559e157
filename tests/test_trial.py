"""A step that is tried leaves no trace: not in the model, the optimizer or the generators."""

from __future__ import annotations

import hashlib
import random
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from engine import run as engine
from engine.check import check_parts
from engine.check_step import step_problems
from engine.contract.optimizer import LBFGS, SGD, Adagrad, Adam, Optimizer
from engine.contract.run_directory import create
from engine.contract.toml_file import read
from engine.control import Control
from engine.run import build_located
from engine.snapshot import generators
from tests.tiny import CLASSES, FEATURES, in_batches, parts_of, samples
from tests.training import differences, write_experiment

pytestmark = pytest.mark.usefixtures("one_thread")


class Noisy(nn.Module):
    """Draws from each generator, and has statistics that move."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.drop = nn.BatchNorm1d(FEATURES), nn.Dropout(0.5)
        self.head = nn.Linear(FEATURES, CLASSES)
        self.register_buffer("forwards", torch.zeros(()), persistent=False)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        self.forwards += 1
        shift = random.random() + float(np.random.rand())
        output: torch.Tensor = self.head(self.drop(self.norm(inputs))) + shift
        return output


def state_of(parts: Any) -> dict[str, Any]:
    return {
        "model": parts.model.state_dict(),
        "forwards": parts.model.forwards,
        "optimizer": parts.optimizer.state_dict(),
        "generators": generators(parts.device),
        "modes": [module.training for module in parts.model.modules()],
        "grads": [parameter.grad for parameter in parts.model.parameters()],
        "metrics": parts.metrics.state_dict(),
        "updates": [metric.update_count for metric in parts.metrics.values()],
        "scaler": parts.scaler.state_dict(),
    }


@pytest.mark.parametrize(
    "optimizer",
    [SGD(lr=0.1, momentum=0.9), Adam(lr=0.1), Adagrad(lr=0.1), LBFGS(lr=0.1)],
    ids=lambda section: section.name,
)
def test_everything_is_as_before_to_the_last_bit(optimizer: Optimizer) -> None:
    batches = in_batches(*samples(8), 4, 4)
    parts = parts_of(batches, val=batches[1:], model=Noisy(), optimizer=optimizer)
    before = deepcopy(state_of(parts))
    assert step_problems(parts) == []
    assert differences(before, state_of(parts)) == []


def test_a_run_that_was_checked_has_the_same_checkpoint_byte_for_byte(tmp_path: Path) -> None:
    file = read(write_experiment(tmp_path), ["data.workers=0", "train.epochs=1"])
    hashes = []
    for name, checks in (("checked", True), ("plain", False)):
        parts = build_located(file)
        if checks:
            assert [p for p in check_parts(parts) if p.severity == "error"] == []
        run = create(tmp_path / name, "small", "", b"")
        assert engine.start(run, parts, Control(run)) == 0
        hashes.append(hashlib.sha256((run.checkpoints / "last.pt").read_bytes()).hexdigest())
    assert hashes[0] == hashes[1]

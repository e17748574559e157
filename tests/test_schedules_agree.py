"""Every scheduler three times: the events of a training, `ptrain lr --json`, and plain torch.

Each has the example of its PyTorch documentation, and more where that leaves something out. Nothing
is rounded: the three are equal.
"""

from __future__ import annotations

import json
import math
import sys
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import tomli_w
import torch
from torch import nn
from torch.optim import lr_scheduler

from engine.cli import main
from engine.contract.events import Step, Validated
from engine.contract.experiment import Experiment
from engine.contract.follower import Follower
from engine.contract.scheduler import SCHEDULERS
from engine.contract.toml_file import read
from engine.contract.training import Checkpoint
from engine.loop import train
from tests.tiny import CLASSES, FEATURES, in_batches, job_of, parts_of, samples
from tests.training import TOP

Lrs = list[list[float]]
OWN = f"{TOP}/experiments/schedules.py"


@dataclass
class Case:
    """`theirs` makes torch's object as its documentation does; `lr` is of the body and the head."""

    section: dict[str, Any]
    theirs: Callable[[torch.optim.Optimizer], Any]
    epochs: int = 100
    steps: int = 2  # an epoch
    lr: tuple[float, float] = (0.05, 0.05)
    train: dict[str, Any] = field(default_factory=dict)

    @property
    def by_step(self) -> bool:
        kind = SCHEDULERS.get(self.section.get("name", ""))
        default = kind.model_fields.get("interval") if kind else None
        return bool(self.section.get("interval", default and default.default) == "step")


def own_lr(optimizer: torch.optim.Optimizer, factor: Callable[[str, int], float]) -> Any:
    """In the way of the ImageNet example: a function that sets the rates, called by the loop."""

    class Caller:
        def __init__(self) -> None:
            self.base = [group["lr"] for group in optimizer.param_groups]
            self.epoch = -1
            self.step()

        def step(self) -> None:
            self.epoch += 1
            names = ("default", "head")
            for group, base, name in zip(optimizer.param_groups, self.base, names, strict=True):
                group["lr"] = base * factor(name, self.epoch)

    return Caller()


# What stands in the documentation of torch.optim.lr_scheduler, class by class.
DOCUMENTED: dict[str, Case] = {
    "LambdaLR, one a group": Case(
        {"name": "LambdaLR", "lr_lambda": ["epoch // 30", "0.95**epoch"]},
        lambda o: lr_scheduler.LambdaLR(o, [lambda epoch: epoch // 30, lambda epoch: 0.95**epoch]),
    ),
    "LambdaLR, one for all": Case(
        {"name": "LambdaLR", "lr_lambda": "epoch // 30"},
        lambda o: lr_scheduler.LambdaLR(o, lr_lambda=lambda epoch: epoch // 30),
    ),
    "MultiplicativeLR": Case(
        {"name": "MultiplicativeLR", "lr_lambda": "0.95"},
        lambda o: lr_scheduler.MultiplicativeLR(o, lr_lambda=lambda epoch: 0.95),
    ),
    "StepLR": Case(
        {"name": "StepLR", "step_size": 30, "gamma": 0.1},
        lambda o: lr_scheduler.StepLR(o, step_size=30, gamma=0.1),
    ),
    "MultiStepLR": Case(
        {"name": "MultiStepLR", "milestones": [30, 80], "gamma": 0.1},
        lambda o: lr_scheduler.MultiStepLR(o, milestones=[30, 80], gamma=0.1),
    ),
    "ConstantLR": Case(
        {"name": "ConstantLR", "factor": 0.5, "total_iters": 40},
        lambda o: lr_scheduler.ConstantLR(o, factor=0.5, total_iters=40),
    ),
    "LinearLR": Case(
        {"name": "LinearLR", "start_factor": 0.05, "total_iters": 40},
        lambda o: lr_scheduler.LinearLR(o, start_factor=0.05, total_iters=40),
    ),
    "ExponentialLR": Case(
        {"name": "ExponentialLR", "gamma": 0.95},
        lambda o: lr_scheduler.ExponentialLR(o, gamma=0.95),
    ),
    "PolynomialLR": Case(
        {"name": "PolynomialLR", "total_iters": 50, "power": 0.9},
        lambda o: lr_scheduler.PolynomialLR(o, total_iters=50, power=0.9),
    ),
    "CosineAnnealingLR": Case(
        {"name": "CosineAnnealingLR", "T_max": 100},
        lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=100),
    ),
    "CosineAnnealingWarmRestarts": Case(
        {"name": "CosineAnnealingWarmRestarts", "T_0": 20},
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, T_0=20),
    ),
    "CyclicLR": Case(
        {"name": "CyclicLR", "base_lr": 0.01, "max_lr": 0.1, "step_size_up": 10},
        lambda o: lr_scheduler.CyclicLR(o, base_lr=0.01, max_lr=0.1, step_size_up=10),
        epochs=10,
        steps=7,
        lr=(0.1, 0.1),
    ),
    "OneCycleLR": Case(
        {"name": "OneCycleLR", "max_lr": 0.01},
        lambda o: lr_scheduler.OneCycleLR(o, max_lr=0.01, steps_per_epoch=7, epochs=10),
        epochs=10,
        steps=7,
        lr=(1e-4, 1e-4),
    ),
    "ReduceLROnPlateau": Case(
        {"name": "ReduceLROnPlateau"},
        lambda o: lr_scheduler.ReduceLROnPlateau(o, "min"),
        epochs=10,
        lr=(0.1, 0.1),
    ),
    # The ImageNet example of github.com/pytorch/examples.
    "one's own": Case(
        {"target": f"{OWN}:adjust_learning_rate"},
        lambda o: own_lr(o, lambda name, epoch: 0.1 ** (epoch // 30)),
    ),
}
# What the examples leave out: lists with a value a group, other intervals, other lrs.
MORE: dict[str, Case] = {
    "MultiplicativeLR, one a group": Case(
        {"name": "MultiplicativeLR", "lr_lambda": ["0.9 + 0.01 * epoch", "0.95"]},
        lambda o: lr_scheduler.MultiplicativeLR(o, [lambda e: 0.9 + 0.01 * e, lambda e: 0.95]),
        epochs=9,
        lr=(0.1, 0.03),
    ),
    "LambdaLR by step": Case(
        {"name": "LambdaLR", "interval": "step", "lr_lambda": "min(1, (step + 1) / 5)"},
        lambda o: lr_scheduler.LambdaLR(o, lambda step: min(1, (step + 1) / 5)),
        epochs=3,
        steps=4,
        lr=(0.1, 0.03),
    ),
    "CyclicLR, one a group": Case(
        {
            "name": "CyclicLR",
            "base_lr": [0.01, 0.001],
            "max_lr": [0.1, 0.3],
            "step_size_up": 3,
            "step_size_down": 4,
            "mode": "exp_range",
            "gamma": 0.97,
        },
        lambda o: lr_scheduler.CyclicLR(
            o, [0.01, 0.001], [0.1, 0.3], 3, 4, mode="exp_range", gamma=0.97
        ),
        epochs=5,
        steps=6,
        lr=(0.1, 0.03),
    ),
    "OneCycleLR, one a group": Case(
        {"name": "OneCycleLR", "max_lr": [0.01, 0.1], "three_phase": True},
        lambda o: lr_scheduler.OneCycleLR(o, [0.01, 0.1], 5 * 6, three_phase=True),
        epochs=5,
        steps=6,
        lr=(0.1, 0.03),
    ),
    "OneCycleLR, by epochs": Case(
        {"name": "OneCycleLR", "interval": "epoch", "anneal_strategy": "linear"},
        lambda o: lr_scheduler.OneCycleLR(o, [0.1, 0.03], 12, anneal_strategy="linear"),
        epochs=12,
        lr=(0.1, 0.03),
    ),
    "CosineAnnealingLR by step": Case(
        {"name": "CosineAnnealingLR", "interval": "step", "T_max": 20, "eta_min": 0.001},
        lambda o: lr_scheduler.CosineAnnealingLR(o, 20, 0.001),
        epochs=4,
        steps=5,
        lr=(0.1, 0.03),
    ),
    "ReduceLROnPlateau, one a group": Case(
        {
            "name": "ReduceLROnPlateau",
            "monitor": "val/accuracy",
            "mode": "max",
            "factor": 0.5,
            "patience": 0,
            "threshold": 0.5,
            "min_lr": [0.03, 0.001],
        },
        lambda o: lr_scheduler.ReduceLROnPlateau(
            o, "max", factor=0.5, patience=0, threshold=0.5, min_lr=[0.03, 0.001]
        ),
        epochs=8,
        lr=(0.1, 0.03),
    ),
    "ReduceLROnPlateau, validated every second epoch": Case(
        {"name": "ReduceLROnPlateau", "patience": 1, "threshold": 0.9},
        lambda o: lr_scheduler.ReduceLROnPlateau(o, patience=1, threshold=0.9),
        epochs=11,
        train={"validate_every": 2},
    ),
    "ReduceLROnPlateau of the training": Case(
        {"name": "ReduceLROnPlateau", "monitor": "train/loss", "patience": 1, "threshold": 0.9},
        lambda o: lr_scheduler.ReduceLROnPlateau(o, patience=1, threshold=0.9),
        epochs=8,
        train={"validate_every": 3},
    ),
    "one's own, by group": Case(
        {"target": f"{OWN}:head_first"},
        lambda o: own_lr(o, lambda name, epoch: 1.0 if name == "head" else head_first(epoch)),
        epochs=9,
        lr=(0.1, 0.03),
    ),
}
CASES = DOCUMENTED | MORE


def head_first(epoch: int) -> float:
    """Two epochs of nothing, then (1 - cos(pi * share)) / 2 in five steps, then all of it."""
    shares = [0.0, 0.0, 0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    return (1 - math.cos(math.pi * shares[min(epoch, 7)])) / 2


def test_every_scheduler_class_is_among_them() -> None:
    named = {case.section.get("name", "Custom") for case in CASES.values()}
    assert named == {*SCHEDULERS, "Custom"}


@pytest.mark.parametrize("which", CASES)
def test_a_training_and_its_plan_and_torch_are_equal(
    which: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    case = CASES[which]
    file = write(case, tmp_path, case.section)
    trained, metrics = by_training(read(file).experiment, case, tmp_path)
    planned = by_ptrain_lr(file, case, metrics, monkeypatch, capsys)
    assert len(trained) == case.epochs * case.steps
    assert trained == by_torch(case, metrics)
    assert planned == trained
    moves = which != "ReduceLROnPlateau"  # torch's example is shorter than its patience
    assert (len({tuple(lrs) for lrs in trained}) > 1) == moves


def test_a_chains_training_is_its_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """That a chain is torch's is shown in parts/test_schedule.py."""
    chain: list[dict[str, Any]] = [
        {"name": "LinearLR", "interval": "step", "start_factor": 0.1, "total_iters": 6, "end": 6},
        {"name": "CosineAnnealingLR", "T_max": 9, "eta_min": 0.001},
        {"name": "LambdaLR", "lr_lambda": ["1", "0.9 ** epoch"], "begin": 2},
        {"name": "ReduceLROnPlateau", "patience": 0, "threshold": 0.5},
    ]
    case = Case({}, lambda optimizer: None, epochs=9, steps=4, lr=(0.1, 0.03))
    file = write(case, tmp_path, *chain)
    trained, metrics = by_training(read(file).experiment, case, tmp_path)
    assert by_ptrain_lr(file, case, metrics, monkeypatch, capsys) == trained


def write(case: Case, folder: Path, *sections: dict[str, Any]) -> Path:
    values = {
        "model": {"backbone": "resnet18"},
        "optimizer": {
            "name": "SGD",
            "lr": case.lr[0],
            "momentum": 0.9,
            "group": [{"name": "head", "match": ["fc"], "lr": case.lr[1]}],
        },
        "scheduler": list(sections),
        "train": {"epochs": case.epochs, "device": "cpu"} | case.train,
    }
    (folder / "tiny.toml").write_text(tomli_w.dumps(values))
    return folder / "tiny.toml"


def by_training(experiment: Experiment, case: Case, folder: Path) -> tuple[Lrs, list[float | None]]:
    """What the events of a real training carry: each step's lr, each epoch's monitored metric."""
    torch.manual_seed(0)
    layers = OrderedDict(body=nn.Linear(FEATURES, 5), fc=nn.Linear(5, CLASSES))
    monitor = next((s.monitor for s in experiment.scheduler if hasattr(s, "monitor")), "")
    parts = parts_of(
        in_batches(*samples(3 * case.steps), *[3] * case.steps),
        val=in_batches(*samples(6, seed=1), 6) if monitor else (),
        model=nn.Sequential(layers),
        optimizer=experiment.optimizer,
        scheduler=experiment.scheduler,
        checkpoint=Checkpoint(every=1000),
        train_section=experiment.train.model_dump(),
    )
    job = job_of(parts, folder / "runs")
    train(job)
    job.recorder.close()
    events = list(Follower(job.keeper.run.events).events())
    metrics = [e.metrics.get(monitor) for e in events if isinstance(e, Validated)]
    return [e.lr for e in events if isinstance(e, Step)], metrics if monitor else []


def by_ptrain_lr(
    file: Path,
    case: Case,
    metrics: Sequence[float | None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Lrs:
    arguments = [str(file), "--steps-per-epoch", str(case.steps)]
    if metrics:
        values = ["" if value is None else repr(value) for value in metrics]
        arguments += ["--metric", ",".join(values)]
    monkeypatch.setattr(sys, "argv", ["ptrain", "lr", *arguments, "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["groups"] == ["default", "head"]
    return [point["lr"] for point in plan["points"]]


def by_torch(case: Case, metrics: Sequence[float | None]) -> Lrs:
    groups = [{"params": [torch.zeros(1, requires_grad=True)], "lr": lr} for lr in case.lr]
    optimizer = torch.optim.SGD(groups, momentum=0.9)
    scheduler = case.theirs(optimizer)
    found = []
    for epoch in range(case.epochs):
        for _ in range(case.steps):
            found.append([float(group["lr"]) for group in optimizer.param_groups])
            optimizer.step()
            if case.by_step:
                scheduler.step()
        if isinstance(scheduler, lr_scheduler.ReduceLROnPlateau):
            value = metrics[epoch]
            if value is not None:
                scheduler.step(value)
        elif not case.by_step:
            scheduler.step()
    return found

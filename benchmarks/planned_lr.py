"""How long `ptrain lr` takes for 100,000 optimizer steps, beyond its imports.

    uv run python benchmarks/planned_lr.py [--repeats N] [--steps N]

`plan` runs the chain, `json` makes the output for programs of it, `picture` the one for people;
`all` is what is waited for at most, the plan and the slower output. Each is the median of the
repetitions, in seconds. `by hand` is torch's own scheduler on torch's own optimizer, in a loop that
notes the learning rates and does nothing else; of a chain, each of its schedulers.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.optim import lr_scheduler

from engine.contract.experiment import Experiment
from engine.lr import as_json
from engine.lr_plot import picture
from engine.parts.planned_lr import plan_lr
from engine.parts.rates import GroupRates

GROUPS = (GroupRates("default", 0.01, momentum=0.9), GroupRates("head", 0.1, momentum=0.9))
EPOCHS = 20
Chain = list[dict[str, Any]]


def chains(steps: int) -> dict[str, Chain]:
    warm, per_epoch = steps // 50, steps // EPOCHS
    warm_up = {"name": "LinearLR", "start_factor": 0.01, "total_iters": warm, "end": warm}
    cosine = {"name": "CosineAnnealingLR", "T_max": steps - warm, "begin": warm}
    factor = f"min(1, (step + 1) / {warm}) * (1 + cos(pi * step / {steps})) / 2"
    cycle = {"name": "CyclicLR", "base_lr": 0.001, "max_lr": [0.01, 0.1]}
    return {
        "StepLR by epoch": [{"name": "StepLR", "step_size": 7}],
        "LinearLR, CosineAnnealingLR": [
            section | {"interval": "step"} for section in (warm_up, cosine)
        ],
        "OneCycleLR": [{"name": "OneCycleLR"}],
        "CyclicLR": [cycle | {"step_size_up": per_epoch * 2}],
        "LambdaLR by step": [{"name": "LambdaLR", "interval": "step", "lr_lambda": factor}],
        "CosineAnnealingWarmRestarts": [
            {"name": "CosineAnnealingWarmRestarts", "interval": "step", "T_0": per_epoch}
        ],
        "ExponentialLR, CyclicLR, plateau": [
            {"name": "ExponentialLR", "interval": "step", "gamma": 0.99999},
            cycle,
            {"name": "ReduceLROnPlateau", "patience": 2},
        ],
    }


# Where torch's own object can be written down in a line.
BY_HAND: dict[str, Callable[[torch.optim.Optimizer, int], list[Any]]] = {
    "LinearLR, CosineAnnealingLR": lambda o, steps: [
        lr_scheduler.LinearLR(o, 0.01, total_iters=steps // 50),
        lr_scheduler.CosineAnnealingLR(o, steps),
    ],
    "OneCycleLR": lambda o, steps: [lr_scheduler.OneCycleLR(o, [0.01, 0.1], steps)],
    "CyclicLR": lambda o, steps: [lr_scheduler.CyclicLR(o, 0.001, [0.01, 0.1], steps // 10)],
    "CosineAnnealingWarmRestarts": lambda o, steps: [
        lr_scheduler.CosineAnnealingWarmRestarts(o, steps // EPOCHS)
    ],
}


def seconds(function: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    result = function()
    return time.perf_counter() - began, result


def by_hand(which: str, steps: int) -> float | None:
    if which not in BY_HAND:
        return None
    groups = [{"params": [torch.zeros(1, requires_grad=True)], "lr": g.lr} for g in GROUPS]
    optimizer = torch.optim.SGD(groups, momentum=0.9)
    schedulers = BY_HAND[which](optimizer, steps)
    optimizer.step()

    def loop() -> list[list[float]]:
        lrs = []
        for _ in range(steps - 1):
            lrs.append([group["lr"] for group in optimizer.param_groups])
            for scheduler in schedulers:
                scheduler.step()
        return lrs

    return seconds(loop)[0]


def measured(which: str, chain: Chain, steps: int) -> list[float | None]:
    experiment = Experiment.model_validate(
        {
            "name": "plan",
            "model": {"backbone": "resnet18"},
            "scheduler": chain,
            "train": {"epochs": EPOCHS},
        }
    )
    metric = [1.0] * EPOCHS
    plan_s, plan = seconds(lambda: plan_lr(experiment, GROUPS, steps // EPOCHS, Path(), metric))
    assert len(plan.lrs) == steps
    json_s, _ = seconds(lambda: as_json(plan))
    picture_s, _ = seconds(lambda: picture(plan, 79, ascii=False))
    return [plan_s, json_s, picture_s, plan_s + max(json_s, picture_s), by_hand(which, steps)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=100_000)
    arguments = parser.parse_args()
    steps = arguments.steps // EPOCHS * EPOCHS
    print(f"torch {torch.__version__}, {steps:,} steps in {EPOCHS} epochs, {len(GROUPS)} groups; s")
    print(f"{'chain':34}{'plan':>8}{'json':>8}{'picture':>9}{'all':>8}{'by hand':>9}")
    for which, chain in chains(steps).items():
        rows = [measured(which, chain, steps) for _ in range(arguments.repeats)]
        row = [None if None in column else statistics.median(column)
               for column in zip(*rows, strict=True)]  # fmt: skip
        cells = ["" if value is None else f"{value:.2f}" for value in row]
        widths = (8, 8, 9, 8, 9)
        line = "".join(f"{c:>{w}}" for c, w in zip(cells, widths, strict=True))
        print(f"{which:34}{line}")


if __name__ == "__main__":
    main()

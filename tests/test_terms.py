"""Sums of terms: each with its own denominator, in steps, epochs and validations, as by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.contract.events import Step, Validated
from engine.contract.follower import Follower
from engine.contract.optimizer import SGD
from engine.epoch_losses import EpochLoss
from engine.evaluate import losses
from engine.job import Job
from engine.loop import train
from tests.tiny import in_batches, job_of, linear, parts_of, samples

LR = 0.2
WEIGHT = torch.tensor([0.5, 2.0, 1.0, 3.0])
OWN = """
def brier(output, target, power=1):
    hot = target.unsqueeze(1) == __import__("torch").arange(output.shape[1])
    return ((output - hot.float()) ** 2).sum(1).mean()
"""
SECTIONS: list[dict[str, Any]] = [
    {"weight": WEIGHT.tolist(), "ignore_index": 2},
    {"name": "MultiMarginLoss", "scale": 0.5},
    {"name": "NLLLoss", "ignore_index": 2, "reduction": "sum", "scale": 0.01},
    {"target": "own.py:brier", "activation": "softmax", "scale": 2.0, "ignore_index": 2},
    {"weight": WEIGHT.tolist(), "ignore_index": 2, "label_smoothing": 0.2, "scale": 0.25},
]
TITLES = ["CrossEntropyLoss", "MultiMarginLoss", "NLLLoss", "brier", "CrossEntropyLoss.2"]
SCALES = [1.0, 0.5, 0.01, 2.0, 0.25]
SUMS = [False, False, True, False, False]


def brier(output: Tensor, targets: Tensor) -> Tensor:
    return ((output.softmax(1) - F.one_hot(targets, 4)) ** 2).sum()


# Of any targets: the sum of each term over what counts, and what its mean divides by.
TOTALS: list[Callable[[Tensor, Tensor], Tensor]] = [
    lambda o, t: F.cross_entropy(o, t, WEIGHT, ignore_index=2, reduction="sum"),
    lambda o, t: F.multi_margin_loss(o, t, reduction="sum"),
    lambda o, t: F.nll_loss(o.log_softmax(1), t, ignore_index=2, reduction="sum"),
    brier,
    lambda o, t: F.cross_entropy(
        o, t, WEIGHT, ignore_index=2, reduction="sum", label_smoothing=0.2
    ),
]
COUNTS: list[Callable[[Tensor], float]] = [
    lambda t: float(WEIGHT[t[t != 2]].sum()),
    lambda t: float(len(t)),
    lambda t: float((t != 2).sum()),
    lambda t: float(len(t)),
    lambda t: float(WEIGHT[t[t != 2]].sum()),
]
SIZES = (5, 4, 3, 1)


@pytest.fixture
def data() -> tuple[Tensor, Tensor]:
    """Thirteen samples; all that a batch of three has are ignored, and others here and there."""
    inputs, targets = samples(13, seed=2)
    targets[9:12], targets[1] = 2, 2
    return inputs, targets


def job(folder: Path, data: tuple[Tensor, Tensor], sizes: tuple[int, ...], accumulate: int) -> Job:
    (folder / "own.py").write_text(OWN)
    parts = parts_of(
        in_batches(*data, *sizes),
        val=in_batches(*samples(11, seed=3), 6, 1, 4),
        folder=folder,
        loss=SECTIONS,
        optimizer=SGD(lr=LR),
        train_section={"accumulate": accumulate},
    )
    return job_of(parts, folder)


def reduced(model: Any, inputs: Tensor, targets: Tensor) -> tuple[list[Tensor], list[float]]:
    """Each term of these samples together, and its denominator."""
    counts = [count(targets) for count in COUNTS]
    sums = [total(model(inputs), targets) for total in TOTALS]
    values = [
        value if is_sum else (value / count if count else value * 0.0)
        for value, count, is_sum in zip(sums, counts, SUMS, strict=True)
    ]
    return values, counts


def combined(values: list[Any]) -> Any:
    return sum(scale * value for scale, value in zip(SCALES, values, strict=True))


@pytest.mark.parametrize("accumulate", [1, 2, 3])
def test_every_step_and_the_epoch_have_each_term_as_torch_gives_it(
    tmp_path: Path, data: tuple[Tensor, Tensor], accumulate: int
) -> None:
    of_engine = job(tmp_path, data, SIZES, accumulate)
    train(of_engine)
    events = list(Follower(of_engine.keeper.run.events).events())
    steps = [event for event in events if isinstance(event, Step)]
    (validated,) = (event for event in events if isinstance(event, Validated))

    model, begin = linear(), 0
    epoch, denominators = [0.0] * len(TOTALS), [0.0] * len(TOTALS)
    for event, first in zip(steps, range(0, len(SIZES), accumulate), strict=True):
        end = begin + sum(SIZES[first : first + accumulate])
        values, counts = reduced(model, data[0][begin:end], data[1][begin:end])
        loss = combined(values)
        assert event.loss == pytest.approx(float(loss.detach()), rel=1e-5)
        assert event.terms == pytest.approx(
            {title: float(v.detach()) for title, v in zip(TITLES, values, strict=True)},
            rel=1e-5, abs=1e-7,
        )  # fmt: skip
        for index, (value, count) in enumerate(zip(values, counts, strict=True)):
            epoch[index] += float(value.detach()) * (1 if SUMS[index] else count)
            denominators[index] += count
        model.zero_grad()
        loss.backward()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter -= LR * parameter.grad
        begin = end

    means = [total / count for total, count in zip(epoch, denominators, strict=True)]
    wanted = named("train", means)
    with torch.no_grad():
        inputs, targets = samples(11, seed=3)
        pairs = zip(TOTALS, COUNTS, strict=True)
        wanted |= named(
            "val", [float(total(model(inputs), targets)) / count(targets) for total, count in pairs]
        )
    measured = {name: validated.metrics[name] for name in wanted}
    assert measured == pytest.approx(wanted, rel=1e-5)


def named(split: str, means: list[float]) -> dict[str, float]:
    terms = {f"{split}/loss/{title}": mean for title, mean in zip(TITLES, means, strict=True)}
    return {f"{split}/loss": combined(means), **terms}


def test_batches_that_are_accumulated_make_the_step_of_one_batch(
    tmp_path: Path, data: tuple[Tensor, Tensor]
) -> None:
    """But for the sum, every term's mean is over all samples of the step."""
    found = []
    for name, sizes, accumulate in [("apart", SIZES, 4), ("whole", (13,), 1)]:
        (tmp_path / name).mkdir()
        of_engine = job(tmp_path / name, data, sizes, accumulate)
        train(of_engine)
        found.append(of_engine.parts.model.state_dict())
    for name, tensor in found[0].items():
        torch.testing.assert_close(tensor, found[1][name], atol=1e-6, rtol=1e-6)


def test_one_term_alone_is_not_told_twice(tmp_path: Path, data: tuple[Tensor, Tensor]) -> None:
    of_engine = job_of(parts_of(in_batches(*data, *SIZES)), tmp_path)
    assert losses(of_engine.parts, "train", [0.5]) == {"train/loss": 0.5}
    train(of_engine)
    events = list(Follower(of_engine.keeper.run.events).events())
    assert all(event.terms is None for event in events if isinstance(event, Step))


def test_the_epochs_mean_of_a_term_is_over_its_own_denominators() -> None:
    """Batches of 4 and 1 samples with means 1.0 and 6.0; sums of 4.0 and 6.0 over as many."""
    epoch = EpochLoss()
    epoch.add([1.0, 4.0], [4.0, 2.0], [False, True])
    epoch.add([6.0, 6.0], [1.0, 3.0], [False, True])
    assert epoch.means(2) == [(4.0 + 6.0) / 5, (4.0 + 6.0) / 5]
    assert EpochLoss(**epoch.state_dict()).means(2) == epoch.means(2)


def test_a_term_of_which_nothing_counted_has_no_mean() -> None:
    epoch = EpochLoss()
    assert all(math.isnan(mean) for mean in epoch.means(3))
    epoch.add([0.0, 2.0], [0.0, 4.0], [False, False])
    none, two = epoch.means(2)
    assert math.isnan(none)
    assert two == 2.0


def test_what_was_summed_does_not_move_with_what_comes_after() -> None:
    epoch = EpochLoss()
    epoch.add([1.0], [2.0], [False])
    state = epoch.state_dict()
    epoch.add([5.0], [2.0], [False])
    assert state == {"totals": [2.0], "counts": [2.0]}

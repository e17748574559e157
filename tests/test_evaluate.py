"""Validation: the loss of all samples at once, whatever the batches."""

from __future__ import annotations

import math
from itertools import count

import pytest
import torch
from torch import Tensor, nn

from engine.contract.data import Data as DataSection
from engine.contract.loss_classes import CrossEntropyLoss
from engine.contract.problems import RunError
from engine.evaluate import evaluate
from engine.parts.batches import Batch, Unreadable
from tests.tiny import CLASSES, FEATURES, in_batches, linear, parts_of, samples

TRAIN = in_batches(*samples(16, seed=5), 16)
UNREADABLE = Unreadable(3, "torn.png", "not an image")


def logits(inputs: Tensor) -> Tensor:
    with torch.no_grad():
        output: Tensor = linear()(inputs)
    return output


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("ignore_index", [-100, 2])
@pytest.mark.parametrize("weight", [None, [0.5, 2.0, 3.0, 0.0]])
def test_val_loss_is_torchs_over_all_samples_at_once(reduction, ignore_index, weight):
    inputs, targets = samples(23)
    targets[9:11] = 2
    section = CrossEntropyLoss(
        weight=weight, ignore_index=ignore_index, label_smoothing=0.1, reduction=reduction
    )
    parts = parts_of(TRAIN, val=in_batches(inputs, targets, 9, 2, 11, 1), loss=section)
    whole = nn.CrossEntropyLoss(
        None if weight is None else torch.tensor(weight), ignore_index=ignore_index,
        label_smoothing=0.1,
    )  # fmt: skip
    metrics = evaluate(parts)
    assert metrics is not None
    assert metrics["val/loss"] == pytest.approx(float(whole(logits(inputs), targets)), rel=1e-5)


def test_the_metrics_are_those_of_all_samples_and_not_of_the_validation_before():
    inputs, targets = samples(10)
    parts = parts_of(TRAIN, val=in_batches(inputs, targets, 7, 3))
    right = int((logits(inputs).argmax(1) == targets).sum())
    first, second = evaluate(parts), evaluate(parts)
    assert first == second
    assert first is not None
    assert list(first) == ["val/loss", "val/accuracy", "val/f1"]
    assert first["val/accuracy"] == pytest.approx(right / 10)


def test_ignored_targets_count_nowhere_even_where_training_has_none():
    train = [batch._replace(targets=batch.targets % 3) for batch in TRAIN]
    inputs, targets = samples(12)
    targets[:6] = 3
    metrics = evaluate(
        parts_of(train, val=in_batches(inputs, targets, 12), loss=CrossEntropyLoss(ignore_index=3))
    )
    kept = targets != 3
    expected = float(nn.CrossEntropyLoss()(logits(inputs[kept]), targets[kept]))
    assert metrics is not None
    assert metrics["val/loss"] == pytest.approx(expected)
    right = logits(inputs[kept]).argmax(1) == targets[kept]
    assert metrics["val/accuracy"] == pytest.approx(float(right.float().mean()))


def test_every_number_is_nan_where_no_target_counts():
    inputs, targets = samples(6)
    targets[:] = 3
    loss = CrossEntropyLoss(ignore_index=3)
    metrics = evaluate(parts_of(TRAIN, val=in_batches(inputs, targets, 6), loss=loss))
    assert metrics is not None
    assert list(metrics) == ["val/loss", "val/accuracy", "val/f1"]
    assert all(math.isnan(value) for value in metrics.values())


def test_the_model_is_evaluated_in_evaluation_mode_and_left_there():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(FEATURES, CLASSES), nn.BatchNorm1d(CLASSES), nn.Dropout(0.9))
    parts = parts_of(TRAIN, val=in_batches(*samples(8), 3, 5), model=model)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert evaluate(parts) == evaluate(parts)
    assert not any(module.training for module in model.modules())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_validation_runs_in_the_precision_of_the_training(precision):
    inputs, targets = samples(12)
    parts = parts_of(
        TRAIN, val=in_batches(inputs, targets, 12), train_section={"precision": precision}
    )
    dtype = torch.bfloat16 if precision == "bf16" else torch.float16
    with torch.autocast("cpu", dtype):
        output = logits(inputs)
    assert output.dtype == dtype
    metrics = evaluate(parts)
    assert metrics is not None
    expected = float(nn.CrossEntropyLoss()(output.float(), targets))
    assert metrics["val/loss"] == pytest.approx(expected, rel=1e-5)


def test_without_validation_samples_there_are_no_metrics():
    assert evaluate(parts_of(TRAIN)) == {}


def test_it_can_be_left_between_two_batches():
    parts = parts_of(TRAIN, val=in_batches(*samples(9), 3, 3, 3))
    asked = count(1)
    assert evaluate(parts, lambda: next(asked) == 2) is None
    assert next(asked) == 3


def test_a_sample_that_cannot_be_read_ends_the_run_with_its_name_and_the_way_out():
    (good,) = in_batches(*samples(4), 4)
    parts = parts_of(TRAIN, val=[good._replace(unreadable=[UNREADABLE])])
    with pytest.raises(RunError, match=r"torn\.png can't be read as an image \(val\)") as caught:
        evaluate(parts)
    assert "skip_unreadable = true" in caught.value.remedy


def test_unreadable_samples_are_left_out_where_that_is_asked_for():
    (good,) = in_batches(*samples(4), 4)
    empty = Batch(torch.empty(0), torch.tensor([]).long(), [], [UNREADABLE])
    data = DataSection(skip_unreadable=True)
    with_bad = evaluate(parts_of(TRAIN, val=[empty, good], data=data))
    assert with_bad == evaluate(parts_of(TRAIN, val=[good]))

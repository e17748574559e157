"""Accuracy and F1, counted by hand."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from engine.parts.metrics import build_metrics

CPU = torch.device("cpu")
TARGETS = torch.tensor([0, 0, 1, 1, 2, 2, 2])
PREDICTED = torch.tensor([0, 1, 1, 0, 2, 0, 2])


def logits(predicted: torch.Tensor, classes: int = 3) -> torch.Tensor:
    return F.one_hot(predicted, classes).float() * 3 - 1


def values(metrics) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.compute().items()}


def test_accuracy_is_the_share_of_the_right_ones_over_batches_of_any_size():
    metrics = build_metrics(3, -100, CPU)
    for part in (slice(0, 4), slice(4, 6), slice(6, 7)):
        metrics.update(logits(PREDICTED)[part], TARGETS[part])
    assert values(metrics)["accuracy"] == pytest.approx(4 / 7)


def test_f1_is_the_mean_over_the_classes():
    metrics = build_metrics(3, -100, CPU)
    metrics.update(logits(PREDICTED), TARGETS)
    # class 0: 1 hit, 2 false alarms, 1 miss; class 1: 1, 1, 1; class 2: 2, 0, 1
    assert values(metrics)["f1"] == pytest.approx((2 / 5 + 2 / 4 + 4 / 5) / 3)


def test_targets_that_the_loss_ignores_are_left_out():
    metrics = build_metrics(3, -100, CPU)
    targets = TARGETS.clone()
    targets[:2] = -100
    metrics.update(logits(PREDICTED), targets)
    # class 0: no hit, 2 false alarms; class 1: 1 hit, 1 miss; class 2: 2 hits, 1 miss
    assert values(metrics) == pytest.approx({"accuracy": 3 / 5, "f1": (0 + 2 / 3 + 4 / 5) / 3})


def test_a_class_can_be_the_one_that_is_ignored():
    metrics = build_metrics(3, 0, CPU)
    metrics.update(logits(PREDICTED), TARGETS)
    # class 0: 2 false alarms; class 1: 1 hit, 1 miss; class 2: 2 hits, 1 miss
    assert values(metrics) == pytest.approx({"accuracy": 3 / 5, "f1": (0 + 2 / 3 + 4 / 5) / 3})


def test_a_class_that_never_occurs_does_not_lower_the_f1():
    metrics = build_metrics(5, -100, CPU)
    metrics.update(logits(torch.tensor([0, 1]), 5), torch.tensor([0, 1]))
    assert values(metrics) == {"accuracy": 1, "f1": 1}


def test_two_classes_are_two_classes():
    metrics = build_metrics(2, -100, CPU)
    metrics.update(logits(torch.tensor([0, 0, 1]), 2), torch.tensor([0, 1, 1]))
    assert values(metrics) == pytest.approx({"accuracy": 2 / 3, "f1": 2 / 3})


def test_a_reset_forgets():
    metrics = build_metrics(3, -100, CPU)
    metrics.update(logits(PREDICTED), TARGETS)
    metrics.reset()
    metrics.update(logits(TARGETS), TARGETS)
    assert values(metrics) == {"accuracy": 1, "f1": 1}


def test_the_counts_are_kept_on_the_device():
    metrics = build_metrics(3, -100, torch.device("meta"))
    assert {metric.tp.device.type for metric in metrics.values()} == {"meta"}

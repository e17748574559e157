"""The metrics of each task, counted by hand."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassF1Score,
    MulticlassJaccardIndex,
)

from engine.contract.metric import Metric
from engine.contract.problems import InputError
from engine.parts import metrics as parts_metrics

CPU = torch.device("cpu")


def build_metrics(classes: int, ignore_index: int, device: torch.device):
    """Of a classification."""
    names = [str(index) for index in range(classes)]
    return parts_metrics.build_metrics("classification", names, classes, ignore_index, device)


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


def of(task, names, *sections, ignore_index=-100):
    metrics = [Metric.model_validate(section) for section in sections]
    return parts_metrics.build_metrics(task, names, len(names), ignore_index, CPU, metrics)


def test_labels_have_the_mean_f1_of_each_and_the_share_of_the_right_ones():
    metrics = of("multilabel", ["a", "b"])
    targets = torch.tensor([[1.0, 0], [1, 1], [0, 1], [0, 0]])
    metrics.update(torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.1, 0.4], [0.7, 0.3]]), targets)
    # a: 1 hit, 1 false alarm, 1 miss; b: 1 hit, no false alarm, 1 miss
    assert values(metrics) == pytest.approx({"f1": (2 / 4 + 2 / 3) / 2, "accuracy": 5 / 8})


def test_pixels_have_the_mean_of_intersection_over_union_without_the_ignored_ones():
    metrics = of("segmentation", ["a", "b"], ignore_index=255)
    targets = torch.tensor([[[0, 0, 1], [1, 255, 255]]])
    predicted = torch.tensor([[[0, 1, 1], [1, 1, 0]]])
    metrics.update(F.one_hot(predicted, 2).movedim(-1, 1).float(), targets)
    # a: 1 pixel of 2; b: 2 of 3
    assert values(metrics) == pytest.approx({"miou": (1 / 2 + 2 / 3) / 2, "accuracy": 3 / 4})


def test_a_number_has_its_r2_and_errors():
    metrics = of("regression", ["age"])
    metrics.update(torch.tensor([[1.0], [2.0]]), torch.tensor([[1.0], [4.0]]))
    metrics.update(torch.tensor([[3.0]]), torch.tensor([[1.0]]))
    # mean 2; sum of squares 1 + 4 + 1, of errors 4 + 4
    expected = {"r2": 1 - 8 / 6, "mae": 4 / 3, "rmse": (8 / 3) ** 0.5}
    assert values(metrics) == pytest.approx(expected)


def test_each_of_several_numbers_has_its_own_since_units_differ():
    metrics = of("regression", ["age", "angle"])
    predicted = torch.tensor([[1.0, 90.0], [3.0, 0.0], [2.0, 45.0]])
    metrics.update(predicted, torch.tensor([[1.0, 80.0], [3.0, 0.0], [2.0, 40.0]]))
    found = values(metrics)
    assert found["mae/age"] == 0
    assert found["mae/angle"] == pytest.approx(5)
    assert found["r2/age"] == 1
    assert found["r2"] == pytest.approx((1 + found["r2/angle"]) / 2)


def test_others_are_named_as_in_torchmetrics_with_their_own_keywords():
    weighted = {"name": "MulticlassPrecision", "label": "weighted", "average": "weighted"}
    metrics = of("classification", ["a", "b", "c"], {"name": "AUROC"}, weighted)
    assert set(metrics) == {"accuracy", "f1", "AUROC", "weighted"}
    assert (metrics["weighted"].num_classes, metrics["weighted"].average) == (3, "weighted")


def test_a_reset_forgets_the_numbers_too():
    metrics = of("regression", ["age"])
    metrics.update(torch.tensor([[1.0], [9.0]]), torch.tensor([[1.0], [2.0]]))
    metrics.reset()
    metrics.update(torch.tensor([[1.0], [2.0]]), torch.tensor([[1.0], [2.0]]))
    assert values(metrics)["mae"] == 0


@pytest.mark.parametrize(
    ("section", "key", "hint"),
    [
        ({"name": "Acuracy"}, "metric.0.name", "Accuracy"),
        ({"name": "AUROC", "averag": "macro"}, "metric.0.averag", "average"),
        ({"name": "AUROC", "average": "nonsense"}, "metric.0", ""),
        ({"name": "MeanSquaredError"}, "metric.0.name", ""),
    ],
)
def test_a_metric_that_can_not_be_is_told_at_its_key(section, key, hint):
    with pytest.raises(InputError) as caught:
        of("classification", ["a", "b"], section)
    (problem,) = caught.value.problems
    assert problem.key == key
    assert hint in problem.hint


@pytest.mark.parametrize("ignore_index", [-100, 0, 2, 255])
@pytest.mark.parametrize("task", ["classification", "segmentation"])
def test_classes_are_counted_as_torchmetrics_counts_them(task, ignore_index):
    generator = torch.Generator().manual_seed(0)
    shape = (9,) if task == "classification" else (9, 4, 5)
    ours = parts_metrics.build_metrics(task, list("abcd"), 5, ignore_index, CPU)
    common = {"num_classes": 5, "ignore_index": ignore_index}
    theirs = {
        "accuracy": MulticlassAccuracy(average="micro", **common),
        "f1": MulticlassF1Score(average="macro", **common),
        "miou": MulticlassJaccardIndex(average="macro", **common),
    }
    for _ in range(3):
        outputs = torch.randn(9, 5, *shape[1:], generator=generator)
        targets = torch.randint(4, shape, generator=generator)
        targets[torch.rand(shape, generator=generator) < 0.3] = ignore_index
        ours.update(outputs, targets)
        for metric in theirs.values():
            metric.update(outputs, targets)
    assert values(ours) == {name: float(theirs[name].compute()) for name in ours}
    states = [name for metric in ours.values() for name in metric.metric_state]
    assert states
    for name, metric in ours.items():
        for state, value in metric.metric_state.items():
            assert torch.equal(value.squeeze(), getattr(theirs[name], state).squeeze())


def test_no_update_asks_the_device_for_a_number():
    """On the meta device there are none to give."""
    for task, shape in (("classification", (8,)), ("segmentation", (8, 4, 4))):
        metrics = parts_metrics.build_metrics(task, list("abc"), 3, -100, torch.device("meta"), [])
        outputs = torch.empty(8, 3, *shape[1:], device="meta")
        metrics.update(outputs, torch.empty(shape, dtype=torch.int64, device="meta"))

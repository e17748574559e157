"""CrossEntropyLoss, held against its formula written out by hand; weights, outputs, predictions."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.contract.loss import Loss
from engine.contract.loss_classes import (
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    HingeEmbeddingLoss,
    KLDivLoss,
    MSELoss,
    NLLLoss,
    PoissonNLLLoss,
    SoftMarginLoss,
)
from engine.contract.problems import InputError, Problem
from engine.contract.tasks import Task
from engine.parts.loss_build import (
    Targets,
    balanced,
    balanced_positives,
    build_criterion,
    output_problems,
    outputs_for,
)
from engine.parts.loss_term import Term
from engine.parts.losses import Criterion

NAMES = ["ant", "bee", "cat", "dog"]
WEIGHTS = [0.5, 2.0, 0.0, 1.5]
GRID = list(itertools.product(["mean", "sum", "none"], [None, WEIGHTS], [-100, 1], [0.0, 0.1, 1.0]))


def batch(size: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Logits (size, 4) that want a gradient, and targets in which every class occurs."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(size, 4, generator=generator, requires_grad=True)
    return logits, torch.arange(size) % 4


def summed(logits: Tensor, targets: Tensor, section: CrossEntropyLoss) -> tuple[Tensor, float]:
    """The sum of the losses and torch's denominator, from the formula in the documentation of
    torch.nn.CrossEntropyLoss: (1 - e) of the target's term, and e / C of every class's."""
    weight = torch.ones(4) if section.weight is None else torch.tensor(section.weight)
    total, denominator = logits.new_zeros(()), 0.0
    for row, target in zip(logits, targets.tolist(), strict=True):
        if target == section.ignore_index:
            continue
        log_probability = row - row.exp().sum().log()
        smoothing = section.label_smoothing
        total = total - (1 - smoothing) * weight[target] * log_probability[target]
        total = total - smoothing / 4 * (weight * log_probability).sum()
        denominator += float(weight[target])
    return total, denominator


def built(section: Loss, targets: Tensor | None = None, task: Task = "classification") -> Criterion:
    """Of one term."""
    targets = torch.arange(40) % 4 if targets is None else targets
    known = Targets(task, NAMES, targets, lambda: torch.unique(targets, return_counts=True))
    return build_criterion([section], [section.name], known, 4, Path())


def value(criterion: Criterion, logits: Tensor, targets: Tensor, count: float) -> Tensor:
    return criterion(logits, (), targets, (count,)).value  # type: ignore[no-any-return]


def count_of(criterion: Criterion, targets: Tensor) -> float:
    (count,) = criterion.counts(targets)
    return count


def problems(section: Loss, targets: Tensor | None = None) -> list[Problem]:
    with pytest.raises(InputError) as caught:
        built(section, targets)
    return list(caught.value.problems)


@pytest.mark.parametrize(("reduction", "weight", "ignore_index", "smoothing"), GRID)
def test_value_and_gradient_are_those_of_the_formula(reduction, weight, ignore_index, smoothing):
    section = CrossEntropyLoss(
        reduction=reduction, weight=weight, ignore_index=ignore_index, label_smoothing=smoothing
    )
    criterion = built(section)
    for size in (8, 3, 1):
        logits, targets = batch(size)
        loss = value(criterion, logits, targets, count_of(criterion, targets))
        (gradient,) = torch.autograd.grad(loss, logits)
        total, denominator = summed(logits, targets, section)
        assert count_of(criterion, targets) == pytest.approx(denominator)
        expected = total if reduction == "sum" else total / denominator
        torch.testing.assert_close(loss, expected)
        torch.testing.assert_close(gradient, torch.autograd.grad(expected, logits)[0])


@pytest.mark.parametrize(("reduction", "weight", "ignore_index", "smoothing"), GRID)
def test_batches_together_make_one_with_the_samples_of_all(
    reduction, weight, ignore_index, smoothing
):
    section = CrossEntropyLoss(
        reduction=reduction, weight=weight, ignore_index=ignore_index, label_smoothing=smoothing
    )
    criterion = built(section)
    logits, targets = batch(29, seed=1)
    targets[8:16] = 1  # with ignore_index 1, a batch in which no target counts
    whole = count_of(criterion, targets)
    (expected,) = torch.autograd.grad(value(criterion, logits, targets, whole), logits)
    gradient = torch.zeros_like(logits)
    for part in torch.arange(29).split(8):
        count = count_of(criterion, targets[part])
        if count == 0:
            continue
        loss = criterion(logits[part], (), targets[part], (count,), (whole,)).value
        gradient += torch.autograd.grad(loss, logits)[0]
    torch.testing.assert_close(gradient, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("weight", [None, WEIGHTS])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_the_total_is_the_sum_whatever_the_reduction(reduction, weight):
    section = CrossEntropyLoss(reduction=reduction, weight=weight, label_smoothing=0.1)
    logits, targets = batch(7)
    torch.testing.assert_close(
        built(section).totals(logits, targets)[0], summed(logits, targets, section)[0]
    )


def test_a_batch_without_a_target_that_counts_has_count_zero_and_no_gradient():
    criterion = built(CrossEntropyLoss(ignore_index=2))
    logits, targets = batch(4)
    targets[:] = 2
    assert count_of(criterion, targets) == 0
    loss = value(criterion, logits, targets, 0)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert float(loss.detach()) == 0
    assert not gradient.any()


def test_targets_of_weight_zero_do_not_count():
    criterion = built(CrossEntropyLoss(weight=[0.0, 1.0, 1.0, 1.0]))
    assert count_of(criterion, torch.tensor([0, 0])) == 0
    assert count_of(criterion, torch.tensor([0, 1])) == 1


def test_ignored_targets_are_not_counted_even_where_training_has_none():
    criterion = built(CrossEntropyLoss(ignore_index=3), targets=torch.tensor([0, 1, 2]))
    assert criterion.counts_of_any(torch.tensor([3, 0, 3])) == (1,)


def test_balanced_is_samples_over_classes_times_the_samples_of_the_class():
    weight = balanced(torch.tensor([6.0, 3, 1]), 10, 3)
    torch.testing.assert_close(weight, torch.tensor([10 / 18, 10 / 9, 10 / 3]))


def test_balanced_gives_a_class_without_samples_zero_and_every_output_a_weight():
    weight = balanced(torch.tensor([2.0, 0, 2, 0]), 4, 3)
    torch.testing.assert_close(weight, torch.tensor([4 / 6, 0, 4 / 6, 0]))


def test_balanced_leaves_ignored_targets_out():
    targets = torch.tensor([0] * 2 + [1] * 8 + [3] * 90)
    criterion = built(CrossEntropyLoss(weight="balanced", ignore_index=3), targets)
    assert count_of(criterion, torch.tensor([0, 3])) == pytest.approx(10 / (4 * 2))
    assert count_of(criterion, torch.tensor([1])) == pytest.approx(10 / (4 * 8))


def test_weights_of_another_number_than_the_classes_are_refused_with_the_classes():
    (problem,) = problems(CrossEntropyLoss(weight=[1.0, 2.0]))
    assert problem.key == "loss.0.weight"
    assert problem.message == "2 weights for 4 classes (ant, bee, cat, dog)"


def test_each_negative_weight_is_refused_at_its_place():
    found = problems(CrossEntropyLoss(weight=[-1.0, 1.0, 1.0, -2.0]))
    assert [problem.key for problem in found] == ["loss.0.weight.0", "loss.0.weight.3"]


@pytest.mark.parametrize("weight", [[0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]])
def test_weights_that_leave_nothing_to_learn_from_are_refused(weight):
    (problem,) = problems(CrossEntropyLoss(weight=weight), targets=torch.tensor([0, 1]))
    assert problem.key == "loss.0.weight"
    assert "nothing is left to learn" in problem.message


def test_ignoring_every_target_is_refused():
    (problem,) = problems(CrossEntropyLoss(ignore_index=2), targets=torch.tensor([2, 2]))
    assert problem.key == "loss.0.ignore_index"


def test_a_target_below_zero_that_is_not_ignored_is_refused():
    (problem,) = problems(CrossEntropyLoss(), targets=torch.tensor([0, -1]))
    assert problem.key == "loss.0.ignore_index"
    assert "ignore_index = -1" in problem.hint
    criterion = built(CrossEntropyLoss(ignore_index=-1), torch.tensor([0, -1]))
    assert criterion.terms[0].ignore_index == -1


def test_the_weights_go_to_the_device_and_counting_stays_on_the_cpu():
    criterion = built(CrossEntropyLoss(weight=WEIGHTS)).to("meta")
    assert [buffer.device.type for buffer in criterion.buffers()] == ["meta"] * 3
    assert count_of(criterion, torch.tensor([0, 1])) == 2.5


LABELS = torch.tensor([[1.0, 0, 0, 0], [1, 1, 0, 0], [1, 0, 0, 0], [0, 1, 0, 1]])


def test_balanced_positives_are_those_without_over_those_with_the_label():
    weight = balanced_positives(torch.tensor([3.0, 2, 0, 1]), 4)
    torch.testing.assert_close(weight, torch.tensor([1 / 3, 1.0, 1.0, 3.0]))


def test_weights_of_labels_are_balanced_from_the_training_targets():
    section = BCEWithLogitsLoss(weight="balanced", pos_weight="balanced")
    criterion = built(section, LABELS, "multilabel")
    logits = torch.randn(4, 4, generator=torch.Generator().manual_seed(0))
    expected = F.binary_cross_entropy_with_logits(
        logits,
        LABELS,
        torch.tensor([4 / (4 * 3), 4 / (4 * 2), 0.0, 4 / 4]),
        pos_weight=torch.tensor([1 / 3, 1.0, 1.0, 3.0]),
    )
    loss = value(criterion, logits, LABELS, count_of(criterion, LABELS))
    torch.testing.assert_close(loss, expected)


def test_one_output_can_not_balance_two_classes_by_its_weight():
    targets = torch.tensor([0, 0, 1])
    known = Targets(
        "classification", ["a", "b"], targets, lambda: targets.unique(return_counts=True)
    )
    sections = [BCEWithLogitsLoss(weight="balanced")]
    assert outputs_for(sections, "classification", 2) == 1
    with pytest.raises(InputError, match="one output has one weight") as caught:
        build_criterion(sections, ["BCE"], known, 1, Path())
    assert "pos_weight" in caught.value.problems[0].hint
    balanced_section = BCEWithLogitsLoss(pos_weight="balanced")
    criterion = build_criterion([balanced_section], ["BCE"], known, 1, Path())
    loss = value(criterion, torch.zeros(1, 1), torch.tensor([1]), 1)
    assert float(loss) == pytest.approx(2 * math.log(2))


@pytest.mark.parametrize(
    ("sections", "task", "classes", "outputs"),
    [
        ([CrossEntropyLoss()], "classification", 2, 2),
        ([BCELoss()], "classification", 2, 1),
        ([BCELoss()], "classification", 3, 3),
        ([BCELoss()], "multilabel", 2, 2),
        ([BCELoss(), CrossEntropyLoss()], "segmentation", 2, 2),
        ([SoftMarginLoss()], "segmentation", 2, 1),
        ([MSELoss()], "regression", 2, 2),
    ],
)
def test_the_head_has_the_outputs_that_the_losses_need(sections, task, classes, outputs):
    assert outputs_for(sections, task, classes) == outputs


@pytest.mark.parametrize(
    ("section", "task", "classes", "outputs", "message"),
    [
        (CrossEntropyLoss(), "classification", NAMES, 3, "3 outputs for 4 classes"),
        (CrossEntropyLoss(), "classification", ["a", "b"], 1, "there is one output only"),
        (MSELoss(), "regression", ["age", "angle"], 1, "1 outputs for 2 numbers (age, angle)"),
        (BCELoss(), "multilabel", NAMES, 5, "5 outputs for 4 labels"),
    ],
)
def test_outputs_that_can_not_be_are_told(section, task, classes, outputs, message):
    (problem,) = output_problems([section], task, classes, outputs)
    assert message in problem.message
    assert problem.key == "model.outputs"


def test_more_outputs_than_classes_are_allowed():
    assert not [*output_problems([CrossEntropyLoss()], "classification", NAMES, 9)]


def test_the_activation_that_is_added_is_said():
    assert built(NLLLoss()).describe() == [
        "NLLLoss expects log-probabilities: log_softmax is applied to the model's outputs"
    ]
    assert built(CrossEntropyLoss()).describe() == []


@pytest.mark.parametrize(
    ("section", "task", "output", "expected"),
    [
        (BCELoss(), "classification", [[-1.0], [3.0]], [[0.0, -1.0], [0.0, 3.0]]),
        (BCELoss(), "multilabel", [[0.0, 40.0]], [[0.5, 1.0]]),
        (PoissonNLLLoss(), "regression", [[0.0, 1.0]], [[1.0, math.e]]),
        (KLDivLoss(), "regression", [[0.0, 0.0]], [[0.5, 0.5]]),
        (MSELoss(), "regression", [[0.3, 7.0]], [[0.3, 7.0]]),
    ],
)
def test_metrics_are_given_what_the_outputs_mean(section, task, output, expected):
    criterion = Criterion([Term(section, "loss", task)], task, 2, 2, 0.0)
    predictions = criterion.predictions(torch.tensor(output), probabilities=False)
    torch.testing.assert_close(predictions, torch.tensor(expected))


def test_a_small_distance_is_a_label_that_applies():
    term = Term(HingeEmbeddingLoss(), "loss", "multilabel")
    criterion = Criterion([term], "multilabel", 2, 2, 0)
    output = torch.tensor([[-9.0, 9.0]])
    near, far = criterion.predictions(output, probabilities=False)[0].tolist()
    assert near > 0.5 > far


def test_a_loss_that_ignores_nothing_refuses_a_target_that_is_no_class():
    (problem,) = problems(BCELoss(), targets=torch.tensor([0, -1]))
    assert problem.message == "the target -1 is no class"
    assert "CrossEntropyLoss can" in problem.hint

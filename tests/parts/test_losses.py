"""CrossEntropyLoss, held against its formula written out by hand."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from engine.contract.loss import CrossEntropyLoss
from engine.contract.problems import InputError, Problem
from engine.parts.losses import Criterion, balanced, build_criterion

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


def built(section: CrossEntropyLoss, targets: Tensor | None = None) -> Criterion:
    return build_criterion(section, NAMES, torch.arange(40) % 4 if targets is None else targets, 4)


def problems(section: CrossEntropyLoss, targets: Tensor | None = None) -> list[Problem]:
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
        loss = criterion(logits, targets, criterion.count(targets))
        (gradient,) = torch.autograd.grad(loss, logits)
        total, denominator = summed(logits, targets, section)
        assert criterion.count(targets) == pytest.approx(denominator)
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
    whole = criterion.count(targets)
    (expected,) = torch.autograd.grad(criterion(logits, targets, whole), logits)
    gradient = torch.zeros_like(logits)
    for part in torch.arange(29).split(8):
        count = criterion.count(targets[part])
        if count == 0:
            continue
        loss = criterion(logits[part], targets[part], count) * criterion.share(count, whole)
        gradient += torch.autograd.grad(loss, logits)[0]
    torch.testing.assert_close(gradient, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("weight", [None, WEIGHTS])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_the_total_is_the_sum_whatever_the_reduction(reduction, weight):
    section = CrossEntropyLoss(reduction=reduction, weight=weight, label_smoothing=0.1)
    logits, targets = batch(7)
    torch.testing.assert_close(
        built(section).total(logits, targets), summed(logits, targets, section)[0]
    )


def test_a_batch_without_a_target_that_counts_has_count_zero_and_torchs_nan():
    criterion = built(CrossEntropyLoss(ignore_index=2))
    logits, targets = batch(4)
    targets[:] = 2
    assert criterion.count(targets) == 0
    assert math.isnan(criterion(logits.detach(), targets, 1.0))


def test_targets_of_weight_zero_do_not_count():
    criterion = built(CrossEntropyLoss(weight=[0.0, 1.0, 1.0, 1.0]))
    assert criterion.count(torch.tensor([0, 0])) == 0
    assert criterion.count(torch.tensor([0, 1])) == 1


def test_ignored_targets_are_not_counted_even_where_training_has_none():
    criterion = built(CrossEntropyLoss(ignore_index=3), targets=torch.tensor([0, 1, 2]))
    assert criterion.count_of_any(torch.tensor([3, 0, 3])) == 1


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_weights_go_with_half_precision_logits_in_autocast(dtype):
    section = CrossEntropyLoss(weight=WEIGHTS, label_smoothing=0.1)
    logits, targets = batch(8)
    half = logits.to(dtype)
    with torch.autocast("cpu", dtype):
        loss = built(section)(half, targets, 8.0)
    total, denominator = summed(half.float(), targets, section)
    torch.testing.assert_close(loss, total / denominator)


def test_balanced_is_samples_over_classes_times_the_samples_of_the_class():
    weight = balanced(torch.tensor([0] * 6 + [1] * 3 + [2]), 3, 3)
    torch.testing.assert_close(weight, torch.tensor([10 / 18, 10 / 9, 10 / 3]))


def test_balanced_gives_a_class_without_samples_zero_and_every_output_a_weight():
    weight = balanced(torch.tensor([0, 0, 2, 2]), 3, 4)
    torch.testing.assert_close(weight, torch.tensor([4 / 6, 0, 4 / 6, 0]))


def test_balanced_leaves_ignored_targets_out():
    targets = torch.tensor([0] * 2 + [1] * 8 + [3] * 90)
    criterion = built(CrossEntropyLoss(weight="balanced", ignore_index=3), targets)
    assert criterion.count(torch.tensor([0, 3])) == pytest.approx(10 / (4 * 2))
    assert criterion.count(torch.tensor([1])) == pytest.approx(10 / (4 * 8))


def test_weights_of_another_number_than_the_classes_are_refused_with_the_classes():
    (problem,) = problems(CrossEntropyLoss(weight=[1.0, 2.0]))
    assert problem.key == "loss.weight"
    assert problem.message == "2 weights for 4 classes (ant, bee, cat, dog)"


def test_each_negative_weight_is_refused_at_its_place():
    found = problems(CrossEntropyLoss(weight=[-1.0, 1.0, 1.0, -2.0]))
    assert [problem.key for problem in found] == ["loss.weight.0", "loss.weight.3"]


@pytest.mark.parametrize("weight", [[0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]])
def test_weights_that_leave_nothing_to_learn_from_are_refused(weight):
    (problem,) = problems(CrossEntropyLoss(weight=weight), targets=torch.tensor([0, 1]))
    assert problem.key == "loss.weight"
    assert "nothing is left to learn" in problem.message


def test_ignoring_every_target_is_refused():
    (problem,) = problems(CrossEntropyLoss(ignore_index=2), targets=torch.tensor([2, 2]))
    assert problem.key == "loss.ignore_index"


def test_a_target_below_zero_that_is_not_ignored_is_refused():
    (problem,) = problems(CrossEntropyLoss(), targets=torch.tensor([0, -1]))
    assert problem.key == "loss.ignore_index"
    assert "ignore_index = -1" in problem.hint
    assert built(CrossEntropyLoss(ignore_index=-1), torch.tensor([0, -1])).ignore_index == -1


def test_the_weights_go_to_the_device_and_counting_stays_on_the_cpu():
    criterion = built(CrossEntropyLoss(weight=WEIGHTS)).to("meta")
    assert criterion.weight is not None
    assert criterion.weight.device.type == "meta"
    assert criterion.count(torch.tensor([0, 1])) == 2.5

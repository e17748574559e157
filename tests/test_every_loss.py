"""Every loss of torch, with all its parameters, through the engine's own path: the value and the
gradient are those of torch's functional form, written out."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from pydantic import TypeAdapter
from torch import Tensor, nn

from engine.build import Parts
from engine.contract.data import Data
from engine.contract.loss import LOSSES, Loss
from engine.contract.optimizer import SGD
from engine.contract.tasks import Task
from engine.evaluate import evaluate
from engine.loop import Window, gradients, optimizer_step
from engine.parts.batches import Batch
from tests.tiny import parts_of

FEATURES, CLASSES, SIZE = 5, 4, 3
WEIGHT = [0.5, 2.0, 0.0, 1.5]
LOSS: TypeAdapter[Any] = TypeAdapter(Loss)
# (logits, targets as the data has them, reduction) → the loss, written out.
ByHand = Callable[[Tensor, Tensor, str], Tensor]


def hot(targets: Tensor) -> Tensor:
    return F.one_hot(targets, CLASSES).movedim(-1, 1).float()


def weights(values: list[float]) -> Tensor:
    return torch.tensor(values)


def second(targets: Tensor) -> Tensor:
    """Of two classes, the second one's column."""
    return targets.unsqueeze(1).float()


def label_lists(targets: Tensor) -> Tensor:
    """The documentation of MultiLabelMarginLoss: the labels that apply, then -1."""
    rows = []
    for row in targets.tolist():
        labels = [label for label, applies in enumerate(row) if applies]
        rows.append(labels + [-1] * (len(row) - len(labels)))
    return torch.tensor(rows)


PIXELS = weights([0.5, 2.0, 0.25, 1.5])[:, None, None]
# (a name for the case, task, the section, the formula)
CASES: list[tuple[str, Task, dict[str, Any], ByHand]] = [
    ("plain", "classification", {"name": "CrossEntropyLoss"},
     lambda o, t, r: F.cross_entropy(o, t, reduction=r)),
    ("weighted, ignoring, smoothed", "classification",
     {"name": "CrossEntropyLoss", "weight": WEIGHT, "ignore_index": 1, "label_smoothing": 0.2},
     lambda o, t, r: F.cross_entropy(o, t, weights(WEIGHT), ignore_index=1, label_smoothing=0.2,
                                     reduction=r)),
    ("weighted pixels", "segmentation",
     {"name": "CrossEntropyLoss", "weight": WEIGHT, "ignore_index": 1},
     lambda o, t, r: F.cross_entropy(o, t, weights(WEIGHT), ignore_index=1, reduction=r)),
    ("plain", "classification", {"name": "NLLLoss"},
     lambda o, t, r: F.nll_loss(F.log_softmax(o, 1), t, reduction=r)),
    ("weighted, ignoring", "classification",
     {"name": "NLLLoss", "weight": WEIGHT, "ignore_index": 0},
     lambda o, t, r: F.nll_loss(F.log_softmax(o, 1), t, weights(WEIGHT), ignore_index=0,
                                reduction=r)),
    ("pixels", "segmentation", {"name": "NLLLoss", "ignore_index": 0},
     lambda o, t, r: F.nll_loss(F.log_softmax(o, 1), t, ignore_index=0, reduction=r)),
    ("labels", "multilabel", {"name": "BCEWithLogitsLoss"},
     lambda o, t, r: F.binary_cross_entropy_with_logits(o, t, reduction=r)),
    ("weighted labels", "multilabel",
     {"name": "BCEWithLogitsLoss", "weight": WEIGHT, "pos_weight": [1.0, 2.0, 3.0, 0.5]},
     lambda o, t, r: F.binary_cross_entropy_with_logits(
         o, t, weights(WEIGHT), pos_weight=weights([1.0, 2.0, 3.0, 0.5]), reduction=r)),
    ("one against all", "classification", {"name": "BCEWithLogitsLoss", "weight": WEIGHT},
     lambda o, t, r: F.binary_cross_entropy_with_logits(o, hot(t), weights(WEIGHT), reduction=r)),
    ("weighted pixels", "segmentation",
     {"name": "BCEWithLogitsLoss", "pos_weight": [0.5, 2.0, 0.25, 1.5]},
     lambda o, t, r: F.binary_cross_entropy_with_logits(o, hot(t), pos_weight=PIXELS, reduction=r)),
    ("unknown pixels", "segmentation", {"name": "BCEWithLogitsLoss"},
     lambda o, t, r: F.binary_cross_entropy_with_logits(
         o.movedim(1, -1)[t >= 0], hot(t.clamp(min=0)).movedim(1, -1)[t >= 0], reduction=r)),
    ("two kinds of pixels, some unknown", "segmentation", {"name": "SoftMarginLoss"},
     lambda o, t, r: F.soft_margin_loss(o[:, 0][t >= 0], 2.0 * t[t >= 0] - 1, reduction=r)),
    ("two classes", "classification", {"name": "BCEWithLogitsLoss", "pos_weight": [2.5]},
     lambda o, t, r: F.binary_cross_entropy_with_logits(
         o, second(t), pos_weight=weights([2.5]), reduction=r)),
    ("labels", "multilabel", {"name": "BCELoss"},
     lambda o, t, r: F.binary_cross_entropy(o.sigmoid(), t, reduction=r)),
    ("weighted labels", "multilabel", {"name": "BCELoss", "weight": WEIGHT},
     lambda o, t, r: F.binary_cross_entropy(o.sigmoid(), t, weights(WEIGHT), reduction=r)),
    ("two classes", "classification", {"name": "BCELoss"},
     lambda o, t, r: F.binary_cross_entropy(o.sigmoid(), second(t), reduction=r)),
    ("two kinds of pixels", "segmentation", {"name": "BCELoss"},
     lambda o, t, r: F.binary_cross_entropy(o.sigmoid(), second(t), reduction=r)),
    ("classes", "classification", {"name": "KLDivLoss"},
     lambda o, t, r: F.kl_div(F.log_softmax(o, 1), hot(t), reduction=r)),
    ("probabilities", "regression", {"name": "KLDivLoss"},
     lambda o, t, r: F.kl_div(F.log_softmax(o, 1), t, reduction=r)),
    ("log-probabilities", "regression", {"name": "KLDivLoss", "log_target": True},
     lambda o, t, r: F.kl_div(F.log_softmax(o, 1), t, log_target=True, reduction=r)),
    ("plain", "regression", {"name": "L1Loss"}, lambda o, t, r: F.l1_loss(o, t, reduction=r)),
    ("plain", "regression", {"name": "MSELoss"}, lambda o, t, r: F.mse_loss(o, t, reduction=r)),
    ("beta", "regression", {"name": "SmoothL1Loss", "beta": 0.3},
     lambda o, t, r: F.smooth_l1_loss(o, t, beta=0.3, reduction=r)),
    ("beta 0", "regression", {"name": "SmoothL1Loss", "beta": 0.0},
     lambda o, t, r: F.smooth_l1_loss(o, t, beta=0.0, reduction=r)),
    ("delta", "regression", {"name": "HuberLoss", "delta": 0.4},
     lambda o, t, r: F.huber_loss(o, t, delta=0.4, reduction=r)),
    ("logarithms of rates", "regression", {"name": "PoissonNLLLoss", "full": True},
     lambda o, t, r: F.poisson_nll_loss(o, t, full=True, reduction=r)),
    ("rates", "regression", {"name": "PoissonNLLLoss", "log_input": False, "eps": 1e-4},
     lambda o, t, r: F.poisson_nll_loss(F.softplus(o), t, log_input=False, eps=1e-4, reduction=r)),
    ("labels", "multilabel", {"name": "SoftMarginLoss"},
     lambda o, t, r: F.soft_margin_loss(o, 2 * t - 1, reduction=r)),
    ("two classes", "classification", {"name": "SoftMarginLoss"},
     lambda o, t, r: F.soft_margin_loss(o, 2 * second(t) - 1, reduction=r)),
    ("labels", "multilabel", {"name": "HingeEmbeddingLoss", "margin": 1.5},
     lambda o, t, r: F.hinge_embedding_loss(F.softplus(o), 2 * t - 1, margin=1.5, reduction=r)),
    ("labels", "multilabel", {"name": "MultiLabelSoftMarginLoss"},
     lambda o, t, r: F.multilabel_soft_margin_loss(o, t, reduction=r)),
    ("weighted labels", "multilabel", {"name": "MultiLabelSoftMarginLoss", "weight": WEIGHT},
     lambda o, t, r: F.multilabel_soft_margin_loss(o, t, weights(WEIGHT), reduction=r)),
    ("labels", "multilabel", {"name": "MultiLabelMarginLoss"},
     lambda o, t, r: F.multilabel_margin_loss(o, label_lists(t), reduction=r)),
    ("plain", "classification", {"name": "MultiMarginLoss"},
     lambda o, t, r: F.multi_margin_loss(o, t, reduction=r)),
    ("squared, weighted", "classification",
     {"name": "MultiMarginLoss", "p": 2, "margin": 0.7, "weight": WEIGHT},
     lambda o, t, r: F.multi_margin_loss(o, t, 2, 0.7, weights(WEIGHT), reduction=r)),
]  # fmt: skip
EVERY = pytest.mark.parametrize(
    ("case", "task", "section", "by_hand"),
    CASES,
    ids=[f"{section['name']}-{task}-{case}" for case, task, section, _ in CASES],
)
REDUCTIONS = pytest.mark.parametrize("reduction", ["mean", "sum", "none"])


def data_of(task: Task, **more: Any) -> Data:
    """One's own data, which may be of any task."""
    return Data(target="own.py:data", task=task, **more)


def two_classes(case: str) -> bool:
    return case.startswith("two ")


def given(task: Task, case: str, count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Inputs (count, FEATURES[, SIZE, SIZE]) and targets as the data has them."""
    generator = torch.Generator().manual_seed(seed)
    image = (SIZE, SIZE) if task == "segmentation" else ()
    inputs = torch.randn(count, FEATURES, *image, generator=generator)
    classes = 2 if two_classes(case) else CLASSES
    if task in ("classification", "segmentation"):
        targets = torch.randint(classes, (count, *image), generator=generator)
        targets[0] = classes - 1
        if "unknown" in case:
            targets[1:, 0, 1:] = -100
            targets[8:16] = -100
        return inputs, targets
    numbers = torch.rand(count, CLASSES, generator=generator)
    if task == "multilabel":
        return inputs, (numbers > 0.6).float()
    if "probabilities" in case:
        numbers = F.log_softmax(numbers, 1) if case.startswith("log") else numbers.softmax(1)
    elif "rates" in case:
        numbers = (numbers * 5).floor()
    return inputs, numbers


def in_batches(inputs: Tensor, targets: Tensor, *sizes: int) -> list[Batch]:
    spans = torch.arange(len(inputs)).split(sizes)
    return [Batch(inputs[span], targets[span], span.tolist(), []) for span in spans]


def built(
    task: Task, case: str, section: dict[str, Any], batches: list[Batch], **more: Any
) -> Parts:
    torch.manual_seed(1)
    outputs = 1 if two_classes(case) else CLASSES
    layer = nn.Conv2d(FEATURES, outputs, 1) if task == "segmentation" else None
    return parts_of(
        batches,
        model=layer or nn.Linear(FEATURES, outputs),
        data=data_of(task),
        loss=[LOSS.validate_python(section)],
        optimizer=SGD(lr=0.1),
        classes=2 if two_classes(case) else CLASSES,
        **more,
    )


def whole(
    by_hand: ByHand, section: dict[str, Any], output: Tensor, targets: Tensor, reduction: str
) -> Tensor:
    """Of all the samples at once. KLDivLoss's mean over all numbers is written out, because torch
    warns that it may mean another thing one day."""
    if reduction == "sum":
        return by_hand(output, targets, "sum")
    if section["name"] == "KLDivLoss":
        return by_hand(output, targets, "sum") / output.numel()
    return by_hand(output, targets, "mean")


def window(parts: Parts, batches: list[Batch]) -> Window:
    return Window(batches, [parts.criterion.counts(batch.targets) for batch in batches])


def gradient(model: nn.Module) -> Tensor:
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def test_every_loss_of_the_declarations_is_tried() -> None:
    assert {section["name"] for _, _, section, _ in CASES} == set(LOSSES)


def test_every_parameter_of_every_loss_is_tried() -> None:
    tried: dict[str, set[str]] = {}
    for _, _, section, _ in CASES:
        tried.setdefault(section["name"], {"name", "scale", "reduction"}).update(section)
    for name, kind in LOSSES.items():
        assert tried[name] == set(kind.model_fields), name


@EVERY
@REDUCTIONS
@pytest.mark.parametrize("size", [16, 3, 1])
def test_value_and_gradient_are_torchs(
    case: str, task: Task, section: dict[str, Any], by_hand: ByHand, reduction: str, size: int
) -> None:
    inputs, targets = given(task, case, size)
    (batch,) = batches = in_batches(inputs, targets, size)
    parts = built(task, case, section | {"reduction": reduction}, batches)
    model = copy.deepcopy(parts.model)
    step = window(parts, [batch])
    loss = gradients(parts, step, step.denominators)

    # "none" minimizes the mean.
    expected = whole(by_hand, section, model(inputs), targets, reduction)
    expected.backward()
    torch.testing.assert_close(loss.value, expected.detach())
    torch.testing.assert_close(gradient(parts.model), gradient(model))


@EVERY
@REDUCTIONS
def test_four_batches_of_eight_are_one_of_thirty_two(
    case: str, task: Task, section: dict[str, Any], by_hand: ByHand, reduction: str
) -> None:
    inputs, targets = given(task, case, 32)
    if (ignored := section.get("ignore_index")) is not None:
        targets[8:16] = ignored  # a batch in which nothing counts
    batches = in_batches(inputs, targets, 8, 8, 8, 8)
    parts = built(task, case, section | {"reduction": reduction}, batches)
    model = copy.deepcopy(parts.model)
    step = window(parts, batches)
    loss, _ = optimizer_step(parts, step, step.denominators)

    expected = whole(by_hand, section, model(inputs), targets, reduction)
    expected.backward()
    torch.testing.assert_close(loss.value, expected.detach(), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(gradient(parts.model), gradient(model), atol=1e-6, rtol=1e-5)
    for ours, theirs in zip(parts.model.parameters(), model.parameters(), strict=True):
        assert theirs.grad is not None
        torch.testing.assert_close(ours, theirs - 0.1 * theirs.grad, atol=1e-6, rtol=1e-5)


@EVERY
def test_a_validation_is_the_mean_over_all_samples_at_once(
    case: str, task: Task, section: dict[str, Any], by_hand: ByHand
) -> None:
    inputs, targets = given(task, case, 23, seed=3)
    parts = built(
        task, case, section, in_batches(*given(task, case, 8), 8),
        val=in_batches(inputs, targets, 9, 9, 5),
    )  # fmt: skip
    with torch.no_grad():
        expected = whole(by_hand, section, parts.model(inputs), targets, "mean")
    metrics = evaluate(parts)
    assert metrics is not None
    assert metrics["val/loss"] == pytest.approx(float(expected), rel=1e-5)


def test_batchmean_divides_by_the_samples() -> None:
    inputs, targets = given("regression", "probabilities", 12)
    section = {"name": "KLDivLoss", "reduction": "batchmean"}
    batches = in_batches(inputs, targets, 8, 4)
    parts = built("regression", "probabilities", section, batches)
    model = copy.deepcopy(parts.model)
    step = window(parts, batches)
    loss = gradients(parts, step, step.denominators)
    expected = F.kl_div(F.log_softmax(model(inputs), 1), targets, reduction="batchmean")
    expected.backward()
    torch.testing.assert_close(loss.value, expected.detach())
    torch.testing.assert_close(gradient(parts.model), gradient(model))


def test_a_sum_of_terms_is_their_scaled_sum_each_with_its_own_denominator() -> None:
    inputs, targets = given("classification", "", 32)
    targets[8:20] = 1  # ignored by the first term, not by the second
    first = {"name": "CrossEntropyLoss", "weight": WEIGHT, "ignore_index": 1, "scale": 0.5}
    second_term = {"name": "MultiMarginLoss", "scale": 2.0}
    batches = in_batches(inputs, targets, 8, 8, 8, 8)
    torch.manual_seed(1)
    parts = parts_of(
        batches,
        model=nn.Linear(FEATURES, CLASSES),
        loss=[LOSS.validate_python(first), LOSS.validate_python(second_term)],
    )
    model = copy.deepcopy(parts.model)
    step = window(parts, batches)
    loss = gradients(parts, step, step.denominators)

    output = model(inputs)
    terms = [
        F.cross_entropy(output, targets, weights(WEIGHT), ignore_index=1),
        F.multi_margin_loss(output, targets),
    ]
    expected = 0.5 * terms[0] + 2.0 * terms[1]
    expected.backward()
    assert loss.terms is not None
    torch.testing.assert_close(loss.terms, torch.stack(terms).detach())
    torch.testing.assert_close(loss.value, expected.detach())
    torch.testing.assert_close(gradient(parts.model), gradient(model))


@pytest.mark.parametrize("name", ["MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss"])
def test_standardized_numbers_are_learned_in_deviations_and_measured_in_their_unit(
    name: str,
) -> None:
    inputs, targets = given("regression", "", 24)
    targets = targets * torch.tensor([1.0, 100.0, 0.01, 5.0]) + torch.tensor([0.0, 50, -3, 1e3])
    batches = in_batches(inputs, targets, 24)
    torch.manual_seed(1)
    parts = parts_of(
        batches,
        val=batches,
        model=nn.Linear(FEATURES, CLASSES),
        data=data_of("regression", standardize=True),
        loss=[LOSS.validate_python({"name": name})],
    )
    model = copy.deepcopy(parts.model)
    step = window(parts, batches)
    loss = gradients(parts, step, step.denominators)

    mean, std = targets.mean(0), targets.std(0, correction=0)
    expected = getattr(nn, name)()(model(inputs), (targets - mean) / std)
    torch.testing.assert_close(loss.value, expected.detach(), rtol=1e-4, atol=1e-5)
    metrics = evaluate(parts)
    assert metrics is not None
    in_unit = model(inputs).detach() * std + mean
    errors = (in_unit - targets).abs().mean(0)
    for column, error in enumerate(errors.tolist()):
        assert metrics[f"val/mae/class {column}"] == pytest.approx(error, rel=1e-3)

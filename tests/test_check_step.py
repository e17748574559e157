"""What one step of a real batch shows of a model; the mistakes of files are in test_mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from engine.check_memory import needed, states
from engine.check_step import step_problems
from engine.contract.data import Data
from engine.contract.loss import Custom
from engine.contract.loss_classes import CrossEntropyLoss
from engine.contract.model import Model
from engine.contract.optimizer import LBFGS, SGD, Adam, Optimizer, RMSprop
from engine.contract.training import Train
from engine.parts.batches import Batch
from engine.parts.reading import Unreadable
from tests.tiny import CLASSES, FEATURES, in_batches, parts_of, samples


class Body(nn.Module):
    """`unused` is never called."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.unused = nn.Linear(FEATURES, FEATURES), nn.Linear(2, 2)
        self.head = nn.Linear(FEATURES, CLASSES)

    def forward(self, inputs: Tensor) -> Tensor:
        output: Tensor = self.head(self.body(inputs))
        return output


class Counter(nn.Module):
    """Moves its buffer in evaluation mode too, which no frozen module may."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(FEATURES))
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, inputs: Tensor) -> Tensor:
        self.calls += 1
        return inputs * self.weight


def test_a_parameter_that_no_gradient_reaches_is_named() -> None:
    (problem,) = step_problems(parts_of(in_batches(*samples(4), 4), model=Body()))
    assert problem.key == "model.freeze"
    assert "no gradient reaches unused.weight, unused.bias" in problem.message
    assert problem.severity == "error"


def test_a_frozen_parameter_needs_no_gradient() -> None:
    frozen = Model(backbone="resnet18", freeze=["unused", "body"])
    parts = parts_of(in_batches(*samples(4), 4), model=Body(), model_section=frozen)
    assert step_problems(parts) == []


def test_a_frozen_buffer_that_moves_is_named() -> None:
    model = nn.Sequential()
    model.add_module("counter", Counter())
    model.add_module("head", nn.Linear(FEATURES, CLASSES))
    section = Model(backbone="resnet18", freeze=["counter"])
    (problem,) = step_problems(
        parts_of(in_batches(*samples(4), 4), model=model, model_section=section)
    )
    assert "frozen, and changed by a step: counter.calls" in problem.message


def test_the_next_batch_is_taken_where_nothing_of_the_first_counts() -> None:
    inputs, targets = samples(8)
    targets[:4] = -100
    assert step_problems(parts_of(in_batches(inputs, targets, 4, 4))) == []


def test_batches_of_which_nothing_counts_are_a_warning() -> None:
    inputs, targets = samples(20)
    targets[:16] = -100
    (problem,) = step_problems(parts_of(in_batches(inputs, targets, 4, 4, 4, 4, 4)))
    assert (problem.key, problem.severity) == ("loss.0.ignore_index", "warning")
    assert "no target of the first 4 batches counts" in problem.message


def test_without_any_readable_image_there_is_nothing_to_train_on() -> None:
    bad = Unreadable(0, "0.png", "an empty file")
    batch = Batch(torch.empty(0), torch.empty(0, dtype=torch.int64), [], [bad])
    (whole,) = in_batches(*samples(4), 4)
    skipping = Data(skip_unreadable=True)
    found = step_problems(parts_of([*[batch] * 4, whole], data=skipping))
    assert [problem.severity for problem in found] == ["warning", "error"]
    assert [p.severity for p in step_problems(parts_of([batch, whole], data=skipping))] == [
        "warning"
    ]


def test_the_term_that_fails_is_named_among_several(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def mine(output, target):\n    return output.nothing\n")
    loss = [CrossEntropyLoss(), Custom(target="mine.py:mine")]
    parts = parts_of(in_batches(*samples(4), 4), loss=loss, folder=tmp_path)
    (problem,) = step_problems(parts)
    assert problem.key == "loss.1.target"
    assert "mine.py, line 2: AttributeError" in problem.message


def test_outputs_that_are_not_finite_point_to_the_weights() -> None:
    model = nn.Sequential(nn.Linear(FEATURES, CLASSES))
    nn.init.constant_(model[0].weight, torch.inf)
    (problem,) = step_problems(parts_of(in_batches(*samples(4), 4), model=model))
    assert problem.key == "model.weights"


def test_fp16_gradients_that_overflow_at_first_are_no_problem() -> None:
    section = {"precision": "fp16"}
    assert step_problems(parts_of(in_batches(*samples(4), 4), train_section=section)) == []
    assert Train(epochs=1, **section).precision == "fp16"


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        (SGD(), 0),
        (SGD(momentum=0.9), 1),
        (Adam(), 2),
        (Adam(amsgrad=True), 3),
        (RMSprop(centered=True, momentum=0.9), 3),
    ],
)
def test_the_optimizers_state_is_what_torch_keeps(section: Optimizer, expected: int) -> None:
    parts = parts_of(in_batches(*samples(4), 4), optimizer=section)
    for parameter in parts.trained:
        parameter.grad = torch.ones_like(parameter)
    parts.optimizer.step()
    kept = sum(
        value.numel()
        for state in parts.optimizer.state.values()
        for value in state.values()
        if isinstance(value, Tensor) and value.numel() > 1
    )
    assert kept == expected * sum(parameter.numel() for parameter in parts.trained)
    assert states(section) == expected


def test_lbfgs_keeps_two_vectors_for_each_step_it_remembers() -> None:
    assert states(LBFGS(history_size=10)) >= 20


def test_the_memory_of_a_linear_layer_is_what_arithmetic_says() -> None:
    """The batch and what log_softmax keeps of it, in float32; the layer itself keeps its input,
    which is the batch."""
    parts = parts_of(in_batches(*samples(4), 4), data=Data(batch_size=100), optimizer=Adam(lr=0.1))
    need = needed(parts, torch.Size([FEATURES]))
    assert need is not None
    parameters = 4 * (FEATURES * CLASSES + CLASSES)
    assert need.weights == need.gradients == parameters
    assert need.optimizer == 2 * parameters
    assert need.batch == 4 * 100 * (FEATURES + CLASSES)
    assert need.step == need.optimizer + need.batch

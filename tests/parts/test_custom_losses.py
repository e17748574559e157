"""One's own loss, as a function or a class: loaded, called, and its mistakes told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from engine.contract.loss import Custom
from engine.contract.problems import InputError, Problem, RunError
from engine.loop import Window, optimizer_step
from engine.parts.losses import Criterion
from tests.tiny import in_batches, linear, parts_of, samples

OWN = """
import torch
import torch.nn.functional as F
from torch import nn


def focal(output, target, gamma=2.0):
    each = F.cross_entropy(output, target, reduction="none")
    return ((1 - (-each).exp()) ** gamma * each).mean()


def added_up(output, target):
    return F.cross_entropy(output, target, reduction="sum")


def one_a_sample(output, target):
    return F.cross_entropy(output, target, reduction="none")


def likelihood(output, target):
    return F.nll_loss(output, target)


def number(output, target):
    return 1.0


def broken(output, target):
    return output / nothing


class Smoothed(nn.Module):
    def __init__(self, smooth, scale=1.0):
        super().__init__()
        self.smooth = smooth
        self.register_buffer("scale", torch.tensor(scale))

    def forward(self, output, target):
        return self.scale * F.cross_entropy(output, target, label_smoothing=self.smooth)


class Learned(nn.Module):
    def __init__(self):
        super().__init__()
        self.temperature = nn.Parameter(torch.ones(()))


class Refusing(nn.Module):
    def __init__(self, smooth):
        raise ValueError("smooth is odd")


def alone(output):
    return output.sum()


constant = 3
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "losses.py").write_text(OWN)
    return tmp_path


def parts(folder: Path, name: str, *sizes: int, **keys: Any) -> Any:
    section = Custom(target=f"losses.py:{name}", **keys)
    batches = in_batches(*samples(sum(sizes)), *sizes)
    return parts_of(batches, folder=folder, loss=[section])


def step(built: Any) -> torch.Tensor:
    batches = built.data.train
    window = Window(batches, [built.criterion.counts(batch.targets) for batch in batches])
    loss, _ = optimizer_step(built, window, window.denominators)
    return loss.value


def problem(folder: Path, name: str, **keys: Any) -> Problem:
    with pytest.raises(InputError) as caught:
        parts(folder, name, 4, **keys)
    (found,) = caught.value.problems
    return found


SMOOTHED = {"args": {"smooth": 0.1, "scale": 2.0}}


@pytest.mark.parametrize(
    ("name", "keys", "expected"),
    [
        ("focal", {}, lambda o, t: focal(o, t, 2.0)),
        ("focal", {"args": {"gamma": 0.5}}, lambda o, t: focal(o, t, 0.5)),
        ("Smoothed", SMOOTHED, lambda o, t: 2 * F.cross_entropy(o, t, label_smoothing=0.1)),
        ("added_up", {"reduction": "sum"}, lambda o, t: F.cross_entropy(o, t, reduction="sum")),
        ("one_a_sample", {"reduction": "none"}, F.cross_entropy),
        ("likelihood", {"activation": "log_softmax"}, F.cross_entropy),
    ],
)
@pytest.mark.parametrize("sizes", [(12,), (5, 5, 2)])
def test_its_value_is_that_of_the_whole_step(
    folder: Path, name: str, keys: Any, expected: Any, sizes: tuple[int, ...]
) -> None:
    inputs, targets = samples(12)
    loss = step(parts(folder, name, *sizes, **keys))
    torch.testing.assert_close(loss, expected(linear()(inputs), targets).detach())


def focal(output: torch.Tensor, target: torch.Tensor, gamma: float) -> torch.Tensor:
    """Lin et al. 2017: -(1 - p)^gamma log p, of the target's probability p."""
    p = output.softmax(1).gather(1, target[:, None])
    return (-((1 - p) ** gamma) * p.log()).mean()


def test_it_is_called_in_events_by_its_name(folder: Path) -> None:
    assert parts(folder, "focal", 4).experiment.term_titles == ["focal"]


def test_its_buffers_go_to_the_device(folder: Path) -> None:
    criterion: Criterion = parts(folder, "Smoothed", 4, **SMOOTHED).criterion.to("meta")
    assert [buffer.device.type for buffer in criterion.buffers()] == ["meta"]


@pytest.mark.parametrize(
    ("name", "keys", "key", "message", "hint"),
    [
        ("focall", {}, "target", 'no "focall"', 'did you mean "focal"?'),
        ("focal", {"args": {"gama": 1}}, "args.gama", "no keyword gama", 'did you mean "gamma"?'),
        ("Smoothed", {}, "args", "missing a required argument: 'smooth'", "under args"),
        ("Refusing", {"args": {"smooth": 3}}, "args", "losses.py, line 50: ValueError: smooth", ""),
        ("alone", {}, "args", "can't be called as f(output, target)", ""),
        ("constant", {}, "target", "constant is a int, not a function or a class", ""),
        ("Learned", {}, "target", "nothing would train: temperature", "buffers"),
    ],
)
def test_what_can_not_be_made_or_called_is_told_before_training(
    folder: Path, name: str, keys: Any, key: str, message: str, hint: str
) -> None:
    found = problem(folder, name, **keys)
    assert found.key == f"loss.0.{key}"
    assert message in found.message
    assert hint in found.hint


@pytest.mark.parametrize(
    ("name", "keys", "message"),
    [
        ("broken", {}, "losses.py, line 29: NameError: name 'nothing' is not defined"),
        ("number", {}, "number gives a float, not a tensor"),
        ("one_a_sample", {}, "gives a tensor of shape (4,), where one number is wanted"),
        ("focal", {"reduction": "none"}, "one number, where a loss for each sample is wanted"),
    ],
)
def test_what_it_gives_wrongly_is_told_with_its_place(
    folder: Path, name: str, keys: Any, message: str
) -> None:
    with pytest.raises(RunError) as caught:
        step(parts(folder, name, 4, **keys))
    assert message in caught.value.message


def test_an_installed_librarys_is_named_by_its_module() -> None:
    section = Custom(target="torch.nn:CrossEntropyLoss", args={"label_smoothing": 0.2})
    inputs, targets = samples(6)
    loss = step(parts_of(in_batches(inputs, targets, 6), loss=[section]))
    expected = nn.CrossEntropyLoss(label_smoothing=0.2)(linear()(inputs), targets)
    torch.testing.assert_close(loss, expected.detach())

"""The losses of experiments/losses.py, with numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from engine.contract.experiment import Experiment, cross_checks
from engine.contract.loss import Custom
from engine.parts.loss_build import Targets, build_criterion
from engine.parts.losses import Criterion
from tests.training import TOP

LOG3 = math.log(3)  # the logit of a probability of 3/4, against one of 0


def criterion(target: str, task: str = "classification", **given: object) -> Criterion:
    section = Custom(target=f"losses.py:{target}", **given)
    values = None if task == "segmentation" else torch.tensor([0, 1])
    counted = torch.tensor([0, 1]), torch.tensor([1, 1])
    targets = Targets(task, ["no", "yes"], values, lambda: counted)
    return build_criterion([section], [section.title], targets, 2, TOP / "experiments")


def loss_of(built: Criterion, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return built(output, [], target, built.counts_of_any(target)).value


def test_the_focal_loss_of_three_quarters_is_a_sixteenth_of_the_cross_entropy():
    output = torch.tensor([[LOG3, 0.0], [0.0, LOG3]], requires_grad=True)
    loss = loss_of(criterion("focal_loss"), output, torch.tensor([0, 0]))
    # p = 3/4 and p = 1/4: (1/4)^2 * log(4/3) and (3/4)^2 * log 4, and their mean.
    assert loss.item() == pytest.approx((math.log(4 / 3) / 16 + 9 / 16 * math.log(4)) / 2)
    loss.backward()
    assert output.grad.isfinite().all()


def test_the_focal_loss_without_gamma_is_cross_entropy():
    generator = torch.Generator().manual_seed(0)
    output, target = torch.randn(5, 2, generator=generator), torch.tensor([0, 1, 1, 0, 1])
    loss = loss_of(criterion("focal_loss", args={"gamma": 0.0}), output, target)
    torch.testing.assert_close(loss, F.cross_entropy(output, target))


def test_a_term_of_ones_own_ignores_for_the_metrics_what_its_neighbour_ignores():
    own, torchs = {"target": "losses.py:DiceLoss"}, {"name": "CrossEntropyLoss"}
    for terms in ([own, torchs | {"ignore_index": 7}], [torchs | {"ignore_index": 7}, own]):
        given = {"name": "x", "model": {"backbone": "resnet18"}, "train": {"epochs": 1}}
        experiment = Experiment.model_validate(given | {"loss": terms})
        assert [term.ignore_index for term in experiment.loss] == [7, 7]
        assert list(cross_checks(experiment)) == []
    alone = Experiment.model_validate(given | {"loss": [own, torchs]})
    assert [term.ignore_index for term in alone.loss] == [-100, -100]


def image(*rows: list[float]) -> torch.Tensor:
    """Outputs (1, 2, 1, W): a row of logits for each class."""
    return torch.tensor(rows)[None, :, None, :].clone().requires_grad_()


def test_the_dice_loss_is_that_of_the_formula():
    output = image([LOG3, 0.0], [0.0, LOG3])  # probabilities 3/4 1/4, and 1/4 3/4
    loss = loss_of(
        criterion("DiceLoss", "segmentation", args={"smooth": 0.0}),
        output,
        torch.tensor([[[0, 0]]]),
    )
    # Class 0: 2 * (3/4 + 1/4) / (1 + 2) = 2/3. Class 1 is nowhere: 0 / (1 + 0) = 0.
    assert loss.item() == pytest.approx(1 - (2 / 3 + 0) / 2)
    smooth = loss_of(criterion("DiceLoss", "segmentation"), output, torch.tensor([[[0, 0]]]))
    assert smooth.item() == pytest.approx(1 - (3 / 4 + 1 / 2) / 2)
    loss.backward()
    assert output.grad.isfinite().all()
    assert output.grad.abs().sum() > 0


@pytest.mark.parametrize("name", ["focal_loss", "DiceLoss"])
def test_pixels_that_nobody_knows_count_nowhere(name):
    built = criterion(name, "segmentation", args={"ignore_index": 255})
    output = image([0.3, -1.0, 50.0], [0.7, 2.0, -50.0])
    loss = loss_of(built, output, torch.tensor([[[0, 1, 255]]]))
    alone = loss_of(built, output[..., :2], torch.tensor([[[0, 1]]]))
    torch.testing.assert_close(loss, alone)
    (gradient,) = torch.autograd.grad(loss, output)
    assert gradient[..., 2].abs().sum() == 0
    assert gradient[..., :2].abs().min() > 0


@pytest.mark.parametrize("name", ["focal_loss", "DiceLoss"])
def test_where_nobody_knows_any_pixel_nothing_is_to_be_learned(name):
    built = criterion(name, "segmentation", args={"ignore_index": 255})
    output = image([0.3, -1.0], [0.7, 2.0])
    loss = loss_of(built, output, torch.tensor([[[255, 255]]]))
    assert loss.item() == pytest.approx(0.0)
    loss.backward()
    assert output.grad.abs().sum() == 0

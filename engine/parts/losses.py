"""[loss] → what the loop minimizes, with the denominators that torch's mean divides by.

`weight` and `ignore_index` make torch's mean a weighted one: batches that are accumulated, and the
batches of an epoch, have to be averaged with the sum of the weights of the targets that count.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.contract.loss import Loss
from engine.contract.problems import InputError, Problem


class Criterion(nn.Module):
    """A loss of the form (output, target).

    `weight`: a weight for each class, shape (classes,), or None.
    """

    def __init__(self, section: Loss, weight: Tensor | None, every_target_counts: bool) -> None:
        super().__init__()
        self.reduction = section.reduction
        self.ignore_index = section.ignore_index
        self.every_target_counts = every_target_counts and weight is None
        # On the CPU, where the targets come from: counting them there never waits for the device.
        self.host_weight = weight
        self.loss = nn.CrossEntropyLoss(
            weight=weight,
            ignore_index=section.ignore_index,
            reduction=section.reduction,
            label_smoothing=section.label_smoothing,
        )
        self.sum_loss = nn.CrossEntropyLoss(
            weight=weight,
            ignore_index=section.ignore_index,
            reduction="sum",
            label_smoothing=section.label_smoothing,
        )

    def forward(self, output: Tensor, targets: Tensor, count: float) -> Tensor:
        """The number to minimize, shape (). `output` (batch, classes), `targets` (batch,)."""
        value: Tensor = self.loss(output, targets)
        return value.sum() / count if self.reduction == "none" else value

    def total(self, output: Tensor, targets: Tensor) -> Tensor:
        """The sum over the targets that count, shape (): divided by their `count`, it is the mean
        of any number of batches together."""
        value: Tensor = self.sum_loss(output, targets)
        return value

    def count(self, targets: Tensor) -> float:
        """The denominator of torch's mean: the weights of the targets that count, summed.

        `targets`: (batch,) on the CPU. 0 where every target is ignored: torch's mean is NaN there.
        """
        if self.every_target_counts:
            return float(len(targets))
        counting = targets[targets != self.ignore_index]
        if self.host_weight is None:
            return float(len(counting))
        return float(self.host_weight[counting].sum())

    def share(self, count: float, window: float) -> float:
        """What a batch's loss is multiplied by when several batches make one step."""
        return 1.0 if self.reduction == "sum" else count / window


def build_criterion(
    section: Loss, classes: list[str], train_targets: Tensor, outputs: int
) -> Criterion:
    """`train_targets`: (samples,), all targets that will be trained on. `outputs` of the head.

    Raises InputError for weights that don't fit the classes.
    """
    ignored = train_targets == section.ignore_index
    if bool(ignored.all()):
        raise InputError(
            Problem(
                f"every training target is {section.ignore_index}: nothing is left to learn from",
                "loss.ignore_index",
                "choose a number that is no class of yours, such as -100",
            )
        )
    weight = _weight(section, classes, train_targets[~ignored], outputs)
    return Criterion(section, weight, every_target_counts=not bool(ignored.any()))


def _weight(section: Loss, classes: list[str], targets: Tensor, outputs: int) -> Tensor | None:
    if section.weight is None:
        return None
    if section.weight == "balanced":
        return balanced(targets, len(classes), outputs)
    weights = section.weight
    if len(weights) != outputs:
        names = ", ".join(classes[:8]) + (", …" if len(classes) > 8 else "")
        raise InputError(
            Problem(
                f"{len(weights)} weights for {outputs} classes ({names})",
                "loss.weight",
                'one number for each class, in that order, or "balanced"',
            )
        )
    if min(weights) < 0 or not any(weights):
        raise InputError(
            Problem("weights are at least 0, and one of them is above", "loss.weight", "")
        )
    return torch.tensor(weights, dtype=torch.float32)


def balanced(targets: Tensor, classes: int, outputs: int) -> Tensor:
    """samples / (classes x samples of the class), as scikit-learn's "balanced"; shape (outputs,).

    A class without a sample gets 0: no target ever asks for its weight.
    """
    counts = torch.bincount(targets, minlength=outputs)
    weight = len(targets) / (classes * counts.clamp(min=1).double())
    return torch.where(counts > 0, weight, 0.0).float()

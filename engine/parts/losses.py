"""[loss] → what the loop minimizes, with the denominators that torch's mean divides by.

`weight` and `ignore_index` make torch's mean a weighted one: batches that are accumulated, and the
batches of an epoch, have to be averaged with the sum of the weights of the targets that count.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.contract.loss import Loss
from engine.contract.problems import InputError, Problem


class Criterion(nn.Module):
    """A loss of the form (output, target).

    `weight`: a weight for each class, shape (classes,), or None. `all_count`: whether no training
    target is ignored.
    """

    weight: Tensor | None

    def __init__(self, section: Loss, weight: Tensor | None, *, all_count: bool) -> None:
        super().__init__()
        self.reduction = section.reduction
        self.ignore_index = section.ignore_index
        self.label_smoothing = section.label_smoothing
        self.register_buffer("weight", weight)
        # Targets are counted on the CPU, where they come from, which never waits for the device;
        # and by numpy, which takes 2 µs for a batch where torch's small operations take 8.
        self._host_weight = None if weight is None else weight.double().numpy()
        self._all_count = all_count and weight is None

    def forward(self, output: Tensor, targets: Tensor, count: float) -> Tensor:
        """The number to minimize, shape (). `output` (batch, classes), `targets` (batch,)."""
        value = self._cross_entropy(output, targets, self.reduction)
        return value.sum() / count if self.reduction == "none" else value

    def total(self, output: Tensor, targets: Tensor) -> Tensor:
        """The sum over the targets that count, shape (): divided by their `count`, it is the mean
        of any number of batches together."""
        return self._cross_entropy(output, targets, "sum")

    def count(self, targets: Tensor) -> float:
        """The denominator of torch's mean: the weights of the targets that count, summed.

        `targets`: (batch,) on the CPU, of training samples; 0 where every one is ignored, and
        torch's mean NaN. Counts only where something can differ: that is once a batch.
        """
        return float(len(targets)) if self._all_count else self.count_of_any(targets)

    def count_of_any(self, targets: Tensor) -> float:
        """As `count`, for targets that need not be of training samples."""
        indices = targets.numpy()
        counting = indices != self.ignore_index
        if self._host_weight is None:
            return float(np.count_nonzero(counting))
        return float(self._host_weight[indices[counting]].sum())

    def share(self, count: float, window: float) -> float:
        """What a batch's loss is multiplied by when several batches make one step."""
        return 1.0 if self.reduction == "sum" else count / window

    def _cross_entropy(self, output: Tensor, targets: Tensor, reduction: str) -> Tensor:
        return F.cross_entropy(
            output,
            targets,
            weight=self.weight,
            ignore_index=self.ignore_index,
            reduction=reduction,
            label_smoothing=self.label_smoothing,
        )


def build_criterion(
    section: Loss, classes: list[str], train_targets: Tensor, outputs: int
) -> Criterion:
    """`train_targets`: (samples,), all targets that will be trained on. `outputs` of the head.

    Raises InputError for weights that don't fit the classes, and where nothing is left to learn
    from.
    """
    counting = train_targets[train_targets != section.ignore_index]
    if len(counting) == 0:
        raise InputError(
            Problem(
                f"every training target is {section.ignore_index}: nothing is left to learn from",
                "loss.ignore_index",
                "choose a number that is no class of yours, such as -100",
            )
        )
    if int(counting.min()) < 0:
        found = int(counting.min())
        hint = f"write ignore_index = {found} if such samples are to be left out"
        raise InputError(Problem(f"the target {found} is no class", "loss.ignore_index", hint))
    weight = _weight(section, classes, counting, outputs)
    criterion = Criterion(section, weight, all_count=len(counting) == len(train_targets))
    if outputs > int(counting.max()) and criterion.count(counting) == 0:
        raise InputError(
            Problem(
                "every class that has training samples has the weight 0: nothing is left to learn",
                "loss.weight",
                'one number for each class, or "balanced"',
            )
        )
    return criterion


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
    negative = [position for position, weight in enumerate(weights) if weight < 0]
    if negative:
        hint = "0 leaves the class out of the loss, 1 is as without weights"
        raise InputError(
            *(
                Problem(f"a weight is not negative, as {weights[n]:g} is", f"loss.weight.{n}", hint)
                for n in negative
            )
        )
    return torch.tensor(weights, dtype=torch.float32)


def balanced(targets: Tensor, classes: int, outputs: int) -> Tensor:
    """samples / (classes x samples of the class), as scikit-learn's "balanced"; shape (outputs,).

    A class without a sample gets 0: no target ever asks for its weight.
    """
    counts = torch.bincount(targets, minlength=outputs)
    weight = len(targets) / (classes * counts.clamp(min=1).double())
    return torch.where(counts > 0, weight, 0.0).float()

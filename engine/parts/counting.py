"""torchmetrics' metrics of classes, counting on the device without waiting for it.

torchmetrics picks the targets that count by a mask, and counts the pairs with bincount: each has to
know how many there are before it can go on, so every batch would wait for the device some times
over. Here what doesn't count is counted too, in a class more that nobody looks at. The states, and
what is made of them, are torchmetrics' own.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassF1Score,
    MulticlassJaccardIndex,
)


class _OfClasses:
    """In the place of torchmetrics' `update`, of what has tp, fp, tn and fn."""

    num_classes: Any
    ignore_index: Any
    average: Any
    tp: Any
    fp: Any
    tn: Any
    fn: Any

    def update(self, preds: Tensor, target: Tensor) -> None:
        """`preds`: (batch, classes, …) logits or probabilities; `target`: (batch, …)."""
        is_, said = _marked(preds, target, self.num_classes, self.ignore_index)
        hit = torch.where(is_ == said, is_, self.num_classes)
        true, told, hits = (_counted(part, self.num_classes) for part in (is_, said, hit))
        others = true.sum() - true - told + hits
        found = {"tp": hits, "fp": told - hits, "tn": others, "fn": true - hits}
        for name, part in found.items():
            part = part.sum() if self.average == "micro" else part
            setattr(self, name, getattr(self, name) + part)


class Accuracy(_OfClasses, MulticlassAccuracy):
    """MulticlassAccuracy."""


class F1Score(_OfClasses, MulticlassF1Score):
    """MulticlassF1Score."""


class JaccardIndex(MulticlassJaccardIndex):
    """MulticlassJaccardIndex."""

    def update(self, preds: Tensor, target: Tensor) -> None:
        classes = self.num_classes
        is_, said = _marked(preds, target, classes, self.ignore_index)
        pairs = torch.where(is_ < classes, is_ * classes + said, classes * classes)
        self.confmat = self.confmat + _counted(pairs, classes * classes).view(classes, classes)


def _marked(
    preds: Tensor, target: Tensor, classes: int, ignore_index: int | None
) -> tuple[Tensor, Tensor]:
    """The classes that are, and that are said, both flat; `classes` where the target is ignored."""
    said, target = preds.argmax(1).flatten(), target.flatten()
    if ignore_index is None:
        return target, said
    counts = target != ignore_index
    return torch.where(counts, target, classes), torch.where(counts, said, classes)


def _counted(numbers: Tensor, below: int) -> Tensor:
    """How often each number below that occurs, (below,); the one after them is left out."""
    counted = torch.zeros(below + 1, dtype=torch.int64, device=numbers.device)
    return counted.index_add_(0, numbers, torch.ones_like(numbers))[:below]

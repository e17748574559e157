"""Targets as the data has them → as a loss wants them; see TargetForm for the shapes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.contract.loss_base import TargetForm
from engine.contract.tasks import Task


def encode(targets: Tensor, outputs: int, task: Task, form: TargetForm) -> Tensor:
    """`targets` of a batch as the data has them: (batch,) or (batch, H, W) int64 of classes,
    (batch, labels) of 0 and 1, or (batch, numbers). `outputs`: the model's, in dimension 1."""
    if form in ("index", "numbers", "natural"):
        return targets
    hot = _hot(targets, outputs) if task in ("classification", "segmentation") else targets
    if form == "sign":
        return hot * 2 - 1
    return _label_lists(hot) if form == "labels" else hot


def _hot(targets: Tensor, outputs: int) -> Tensor:
    """(batch, …) → (batch, outputs, …) float32; of two classes one output is the second's."""
    if outputs == 1:
        return targets.unsqueeze(1).float()
    return F.one_hot(targets, outputs).movedim(-1, 1).float()


def _label_lists(hot: Tensor) -> Tensor:
    """The labels that apply first, then -1: (batch, labels) int64, for MultiLabelMarginLoss."""
    order = hot.argsort(dim=1, descending=True, stable=True)
    places = torch.arange(hot.shape[1], device=hot.device)
    return torch.where(places < hot.sum(1, keepdim=True), order, -1)


class Scaling(nn.Module):
    """Numbers in units of the training targets' standard deviation, from their mean.

    `mean`, `std`: (numbers,) float32.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def forward(self, numbers: Tensor) -> Tensor:
        return (numbers - self.mean) / self.std

    def back(self, numbers: Tensor) -> Tensor:
        """In the original unit."""
        return numbers * self.std + self.mean


def scaling_of(targets: Tensor) -> Scaling:
    """Of (samples, numbers); a column that never changes keeps its unit."""
    std, mean = torch.std_mean(targets.double(), dim=0, correction=0)
    return Scaling(mean.float(), torch.where(std > 0, std, 1.0).float())


def positives(targets: Tensor | None, counts: dict[int, int], classes: int, outputs: int) -> Tensor:
    """How many samples each output applies to, shape (outputs,) float64.

    `targets` (samples, labels) of 0 and 1, or else `counts`: class → samples or pixels.
    """
    if targets is not None and targets.ndim == 2:
        return targets.double().sum(0)
    wanted: Sequence[int] = [1] if outputs == 1 and classes == 2 else range(outputs)
    return torch.tensor([counts.get(value, 0) for value in wanted], dtype=torch.float64)

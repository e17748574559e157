"""[loss]: what is minimized, by torch's own name, with that class's own keywords."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from engine.contract.section import Section


class CrossEntropyLoss(Section):
    """The usual loss of classification: takes raw logits and class indices."""

    name: Literal["CrossEntropyLoss"] = "CrossEntropyLoss"
    """The class of torch.nn."""
    weight: Literal["balanced"] | list[float] | None = None
    """A weight for each class, in the order of the classes. "balanced": samples / (classes x
    samples of the class), from the training targets. Default: all 1."""
    reduction: Literal["mean", "sum", "none"] = "mean"
    """"mean": over the targets that count, weighted. "sum": their sum, which grows with the batch.
    "none": the loss of each sample is kept, and their weighted mean is minimized."""
    ignore_index: int = -100
    """Targets of this value count neither in the loss nor in the metrics."""
    label_smoothing: float = Field(default=0.0, ge=0, le=1)
    """0.1 moves a tenth of each target to all classes alike (Szegedy et al., 2015)."""


Loss = CrossEntropyLoss

# What older code writes, and what replaces it.
DEPRECATED = {
    "size_average": 'size_average = true is reduction = "mean", false is reduction = "sum"',
    "reduce": 'reduce = false is reduction = "none"; else write reduction = "mean" or "sum"',
}

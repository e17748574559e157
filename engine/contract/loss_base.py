"""What every loss has, and the three answers about each that its users need."""

from __future__ import annotations

from typing import ClassVar, Literal

from engine.contract.section import Section
from engine.contract.tasks import DEFAULT_LOSS, Task

# How a loss wants its targets, of a batch of B samples and C outputs (segmentation: … = H, W):
#   index         (B, …) int64, the class                 labels   (B, C) int64, classes, then -1
#   hot           (B, C, …) float, 1 where it applies      numbers  (B, C) float
#   sign          (B, C, …) float, 1 where it applies, else -1
#   probabilities (B, C) float, adding up to 1            natural  as the data has them
TargetForm = Literal["index", "hot", "sign", "labels", "numbers", "probabilities", "natural"]
Activation = Literal["none", "log_softmax", "softmax", "sigmoid", "softplus"]
Reduction = Literal["mean", "sum", "none"]

Weights = Literal["balanced"] | list[float]


class LossSection(Section):
    """What every term has."""

    tasks: ClassVar[tuple[Task, ...]]
    form: ClassVar[TargetForm]
    expects: ClassVar[str] = "raw outputs"

    scale: float = 1.0
    """What the term is multiplied by in the sum of the terms."""

    @property
    def added_activation(self) -> Activation:
        """What the loss expects after the model's last layer, which gives raw outputs."""
        return "none"

    @classmethod
    def needs_no_name(cls) -> bool:
        return cls.__name__ in DEFAULT_LOSS.values()


class Reduced(LossSection):
    """What torch's own losses have besides."""

    reduction: Reduction = "mean"
    """"mean": over what counts. "sum": their sum, which grows with the batch. "none": the loss of
    each sample is kept in samples.jsonl, and their mean is minimized."""


class ClassWeighted(Reduced):
    """One weight a class."""

    weight: Weights | None = None
    """A weight for each class, in the order of the classes. "balanced": samples / (classes x
    samples of the class), from the training targets. Default: all 1."""


class LabelWeighted(Reduced):
    """One weight an output."""

    weight: Weights | None = None
    """A weight for each output, in the order of the labels. "balanced": samples / (labels x
    samples with the label), from the training targets. Default: all 1."""


class Ignoring(ClassWeighted):
    """Leaves out what nobody knows."""

    ignore_index: int = -100
    """Targets of this value count neither in the loss nor in the metrics."""

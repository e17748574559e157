"""torch's losses of the form (output, target), each with its own keywords and defaults."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from engine.contract.loss_base import (
    Activation,
    ClassWeighted,
    Ignoring,
    LabelWeighted,
    Reduced,
    Reduction,
    Weights,
)
from engine.contract.tasks import Task

BY_INDEX: tuple[Task, ...] = ("classification", "segmentation")
BY_LABEL: tuple[Task, ...] = ("multilabel", "classification", "segmentation")


class CrossEntropyLoss(Ignoring):
    """The usual loss of classification: takes raw logits and class indices."""

    tasks, form = BY_INDEX, "index"

    name: Literal["CrossEntropyLoss"] = "CrossEntropyLoss"
    """The class of torch.nn."""
    label_smoothing: float = Field(default=0.0, ge=0, le=1)
    """0.1 moves a tenth of each target to all classes alike (Szegedy et al., 2015)."""


class NLLLoss(Ignoring):
    """The negative log-likelihood: log_softmax is added to the model's raw outputs."""

    tasks, form, expects = BY_INDEX, "index", "log-probabilities"

    name: Literal["NLLLoss"] = "NLLLoss"
    """The class of torch.nn."""

    @property
    def added_activation(self) -> Activation:
        return "log_softmax"


class BCEWithLogitsLoss(LabelWeighted):
    """Binary cross-entropy of each label by itself. Of two classes, one output is made."""

    tasks, form = BY_LABEL, "hot"

    name: Literal["BCEWithLogitsLoss"] = "BCEWithLogitsLoss"
    """The class of torch.nn."""
    pos_weight: Weights | None = None
    """How much more a label counts where it applies, one number an output. "balanced": samples
    without it / samples with it, from the training targets. Default: all 1."""


class BCELoss(LabelWeighted):
    """Binary cross-entropy of probabilities: a sigmoid is added to the model's raw outputs."""

    tasks, form, expects = BY_LABEL, "hot", "probabilities"

    name: Literal["BCELoss"] = "BCELoss"
    """The class of torch.nn."""

    @property
    def added_activation(self) -> Activation:
        return "sigmoid"


class KLDivLoss(Reduced):
    """The Kullback-Leibler divergence from the targets' probabilities; log_softmax is added. A
    regression gives the probabilities as its numbers, a classification one certain class."""

    tasks: ClassVar[tuple[Task, ...]] = ("classification", "regression")
    form, expects = "probabilities", "log-probabilities"

    name: Literal["KLDivLoss"] = "KLDivLoss"
    """The class of torch.nn."""
    reduction: Reduction | Literal["batchmean"] = "mean"  # type: ignore[assignment]
    """"batchmean": over the samples, which is the divergence of mathematics. "mean": over the
    samples and the outputs, as torch's default. "sum", "none": as everywhere."""
    log_target: bool = False
    """Whether the targets are log-probabilities."""

    @property
    def added_activation(self) -> Activation:
        return "log_softmax"


class L1Loss(Reduced):
    """The absolute difference."""

    tasks, form = ("regression",), "numbers"

    name: Literal["L1Loss"] = "L1Loss"
    """The class of torch.nn."""


class MSELoss(Reduced):
    """The squared difference: the usual loss of a regression."""

    tasks, form = ("regression",), "numbers"

    name: Literal["MSELoss"] = "MSELoss"
    """The class of torch.nn."""


class SmoothL1Loss(Reduced):
    """Squared below `beta`, absolute above (Girshick, 2015)."""

    tasks, form = ("regression",), "numbers"

    name: Literal["SmoothL1Loss"] = "SmoothL1Loss"
    """The class of torch.nn."""
    beta: float = Field(default=1.0, ge=0)
    """The difference at which it goes over; in standard deviations with data.standardize."""


class HuberLoss(Reduced):
    """Squared below `delta`, absolute above: SmoothL1Loss times `delta`."""

    tasks, form = ("regression",), "numbers"

    name: Literal["HuberLoss"] = "HuberLoss"
    """The class of torch.nn."""
    delta: float = Field(default=1.0, gt=0)
    """The difference at which it goes over; in standard deviations with data.standardize."""


class PoissonNLLLoss(Reduced):
    """For counts: the model gives the logarithm of the rate, or the rate (a softplus is added)."""

    tasks, form = ("regression",), "numbers"

    name: Literal["PoissonNLLLoss"] = "PoissonNLLLoss"
    """The class of torch.nn."""
    log_input: bool = True
    """Whether the outputs are logarithms of the rate."""
    full: bool = False
    """Whether Stirling's approximation of the constant term is added."""
    eps: float = Field(default=1e-8, gt=0)
    """Added to the rate before its logarithm is taken, where log_input is false."""

    @property
    def added_activation(self) -> Activation:
        return "none" if self.log_input else "softplus"


class SoftMarginLoss(Reduced):
    """The logistic loss of targets 1 and -1, each label by itself."""

    tasks, form = BY_LABEL, "sign"

    name: Literal["SoftMarginLoss"] = "SoftMarginLoss"
    """The class of torch.nn."""


class HingeEmbeddingLoss(Reduced):
    """The output is a distance: near 0 where the label applies, beyond `margin` where not. A
    softplus is added, since a distance is not negative."""

    tasks, form, expects = BY_LABEL, "sign", "distances"

    name: Literal["HingeEmbeddingLoss"] = "HingeEmbeddingLoss"
    """The class of torch.nn."""
    margin: float = Field(default=1.0, gt=0)
    """The distance beyond which nothing is gained. Half of it parts the two in the metrics."""

    @property
    def added_activation(self) -> Activation:
        return "softplus"


class MultiLabelSoftMarginLoss(LabelWeighted):
    """Binary cross-entropy of each label, averaged over the labels."""

    tasks: ClassVar[tuple[Task, ...]] = ("multilabel", "classification")
    form = "hot"

    name: Literal["MultiLabelSoftMarginLoss"] = "MultiLabelSoftMarginLoss"
    """The class of torch.nn."""


class MultiLabelMarginLoss(Reduced):
    """Each label that applies is to be 1 above each that doesn't."""

    tasks, form = ("multilabel",), "labels"

    name: Literal["MultiLabelMarginLoss"] = "MultiLabelMarginLoss"
    """The class of torch.nn."""


class MultiMarginLoss(ClassWeighted):
    """The right class is to be `margin` above each other one."""

    tasks, form = ("classification",), "index"

    name: Literal["MultiMarginLoss"] = "MultiMarginLoss"
    """The class of torch.nn."""
    p: Literal[1, 2] = 1
    """The power that what is missing of the margin is raised to."""
    margin: float = 1.0
    """The margin."""

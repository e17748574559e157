"""[loss]: what is minimized, by torch's own name, with that class's own keywords.

One `[loss]`, or one `[[loss]]` for each term of a sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag

from engine.contract.loss_base import (
    Activation,
    ClassWeighted,
    Ignoring,
    LabelWeighted,
    LossSection,
    Reduced,
    Reduction,
    Weights,
)
from engine.contract.section import target_name
from engine.contract.tasks import DEFAULT_LOSS, Task

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


class Custom(LossSection):
    """One's own: a function `f(output, target)`, or an nn.Module class that is called so."""

    tasks: ClassVar[tuple[Task, ...]] = (
        "classification", "multilabel", "regression", "segmentation",
    )  # fmt: skip
    form = "natural"

    name: ClassVar[Literal["Custom"]] = "Custom"  # no key of the file: `target` stands in its place
    target: Annotated[str, AfterValidator(target_name)]
    """"losses.py:DiceLoss", relative to the experiment's file, or "package.module:Name" of an
    installed library. It gets the outputs (batch, outputs, …) as float32 and the targets."""
    args: dict[str, Any] = {}
    """Keywords of the class when it is made, or of the function at each call."""
    reduction: Reduction = "mean"
    """What it gives: the mean over the batch, its sum, or ("none") a loss for each sample."""
    activation: Activation = "none"
    """What is applied to the model's raw outputs before."""
    ignore_index: int = -100
    """Targets of this value don't count in the metrics; your loss sees the targets as they are."""

    @property
    def added_activation(self) -> Activation:
        return self.activation

    @property
    def title(self) -> str:
        """`DiceLoss`: what it is called in events."""
        return self.target.rpartition(":")[2]


_CLASSES = (
    CrossEntropyLoss, NLLLoss, BCEWithLogitsLoss, BCELoss, KLDivLoss, L1Loss, MSELoss, SmoothL1Loss,
    HuberLoss, PoissonNLLLoss, SoftMarginLoss, HingeEmbeddingLoss, MultiLabelSoftMarginLoss,
    MultiLabelMarginLoss, MultiMarginLoss,
)  # fmt: skip
# What can stand under `name`.
LOSSES: dict[str, type[LossSection]] = {kind.__name__: kind for kind in _CLASSES}

# What older code writes, and what replaces it.
DEPRECATED = {
    "size_average": 'size_average = true is reduction = "mean", false is reduction = "sum"',
    "reduce": 'reduce = false is reduction = "none"; else write reduction = "mean" or "sum"',
}
_NEEDS = "needs more than (output, target): "
_LAYER = "is a layer with parameters of its own, in place of the head and the loss"
REFUSED = {
    "CTCLoss": f"CTCLoss {_NEEDS}the lengths of sequences, which images have not",
    "TripletMarginLoss": f"TripletMarginLoss {_NEEDS}an anchor, a positive and a negative sample",
    "TripletMarginWithDistanceLoss": f"TripletMarginWithDistanceLoss {_NEEDS}three samples at once",
    "CosineEmbeddingLoss": f"CosineEmbeddingLoss {_NEEDS}two samples that are compared",
    "MarginRankingLoss": f"MarginRankingLoss {_NEEDS}two samples that are ranked",
    "GaussianNLLLoss": f"GaussianNLLLoss {_NEEDS}a variance beside each output",
    "AdaptiveLogSoftmaxWithLoss": f"AdaptiveLogSoftmaxWithLoss {_LAYER}",
    "LinearCrossEntropyLoss": f"LinearCrossEntropyLoss {_LAYER}",
    "NLLLoss2d": "NLLLoss2d is deprecated by torch: NLLLoss takes images too",
}


def _tag(section: Any) -> object:
    if isinstance(section, dict):
        return "Custom" if "target" in section else str(section.get("name"))
    return getattr(section, "name", type(section).__name__)


Loss = Annotated[
    Annotated[CrossEntropyLoss, Tag("CrossEntropyLoss")]
    | Annotated[NLLLoss, Tag("NLLLoss")]
    | Annotated[BCEWithLogitsLoss, Tag("BCEWithLogitsLoss")]
    | Annotated[BCELoss, Tag("BCELoss")]
    | Annotated[KLDivLoss, Tag("KLDivLoss")]
    | Annotated[L1Loss, Tag("L1Loss")]
    | Annotated[MSELoss, Tag("MSELoss")]
    | Annotated[SmoothL1Loss, Tag("SmoothL1Loss")]
    | Annotated[HuberLoss, Tag("HuberLoss")]
    | Annotated[PoissonNLLLoss, Tag("PoissonNLLLoss")]
    | Annotated[SoftMarginLoss, Tag("SoftMarginLoss")]
    | Annotated[HingeEmbeddingLoss, Tag("HingeEmbeddingLoss")]
    | Annotated[MultiLabelSoftMarginLoss, Tag("MultiLabelSoftMarginLoss")]
    | Annotated[MultiLabelMarginLoss, Tag("MultiLabelMarginLoss")]
    | Annotated[MultiMarginLoss, Tag("MultiMarginLoss")]
    | Annotated[Custom, Tag("Custom")],
    Discriminator(_tag),
]


def task_of(dataset: object, target: object, task: object, losses: Sequence[object]) -> Task:
    """What the targets are: as data.task says, else by the data set, else by the loss."""
    if isinstance(task, str) and task in DEFAULT_LOSS:
        return task
    if dataset == "ImageMaskFolder" and target is None:
        return "segmentation"
    named = next(
        (LOSSES[name] for name in losses if isinstance(name, str) and name in LOSSES), None
    )
    if dataset == "ImageTable" and target is None and named is not None:
        return named.tasks[0]
    return "classification"


def terms(values: dict[str, Any]) -> Any:
    """The `loss` of a file as a list of terms, each with its name: a file without [loss], or a
    [loss] without a name, has the usual loss of its task."""
    given = values.get("loss", {})
    listed = given if isinstance(given, list) else [given]
    names = [term.get("name") if isinstance(term, dict) else _tag(term) for term in listed]
    data = values.get("data", {})
    keys = ("dataset", "target", "task")
    told = (data.get(key) if isinstance(data, dict) else getattr(data, key, None) for key in keys)
    dataset, target, task = told
    default = DEFAULT_LOSS[task_of(dataset, target, task, names)]
    return [
        {"name": default, **term}
        if isinstance(term, dict) and "name" not in term and "target" not in term
        else term
        for term in listed
    ]

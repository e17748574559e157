"""[loss]: what is minimized, by torch's own name, with that class's own keywords.

One `[loss]`, or one `[[loss]]` for each term of a sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Discriminator, Tag

from engine.contract.loss_base import Activation, LossSection, Reduction
from engine.contract.loss_classes import (
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    HingeEmbeddingLoss,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    MSELoss,
    MultiLabelMarginLoss,
    MultiLabelSoftMarginLoss,
    MultiMarginLoss,
    NLLLoss,
    PoissonNLLLoss,
    SmoothL1Loss,
    SoftMarginLoss,
)
from engine.contract.section import target_name
from engine.contract.tasks import DEFAULT_LOSS, Task


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
    """Targets of this value don't count in the metrics; your loss sees the targets as they are.
    Default: as a term of torch's beside it, else -100."""

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
    return [_filled(term, default, _ignored(listed)) for term in listed]


def _ignored(listed: list[Any]) -> int | None:
    """The ignore_index that a term has; the others are checked against it."""
    given = (term.get("ignore_index") for term in listed if isinstance(term, dict))
    return next((value for value in given if type(value) is int), None)


def _filled(term: Any, default: str, ignored: int | None) -> Any:
    if not isinstance(term, dict) or "name" in term:
        return term
    if "target" not in term:
        return {"name": default, **term}
    return term if ignored is None else {"ignore_index": ignored, **term}

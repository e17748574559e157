"""[[scheduler]]: how the learning rate changes. torch's own names, keywords and defaults."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    field_validator,
)
from pydantic_core import InitErrorDetails

from engine.contract.expression import Expression
from engine.contract.scheduler_base import ByEpoch, ByStep, OneOrEach, SchedulerSection, refusals
from engine.contract.section import target_name

Rate = Annotated[float, Field(ge=0)]
Momentum = Annotated[float, Field(ge=0, lt=1)]
Gamma = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


def _factor(counts: tuple[int, ...]) -> AfterValidator:
    def check(text: str) -> str:
        expression = Expression(text)
        for count in counts:
            expression(count)
        return text

    return AfterValidator(check)


class LambdaLR(ByEpoch):
    """The base learning rate times a factor that depends on the count."""

    name: Literal["LambdaLR"] = "LambdaLR"
    """The class of torch.optim.lr_scheduler."""
    lr_lambda: OneOrEach[Annotated[str, _factor((0, 1))]]
    """The factor, as arithmetic of `epoch` (or `step`: the same count): "0.95 ** epoch".
    One for all groups, or a list with one a group."""


class MultiplicativeLR(ByEpoch):
    """The current learning rate times a factor, each time."""

    name: Literal["MultiplicativeLR"] = "MultiplicativeLR"
    """The class of torch.optim.lr_scheduler."""
    lr_lambda: OneOrEach[Annotated[str, _factor((1, 2))]]
    """The factor, as arithmetic of `epoch` (or `step`: the same count), asked from count 1 on.
    One for all groups, or a list with one a group."""


class StepLR(ByEpoch):
    """Times gamma every `step_size`."""

    name: Literal["StepLR"] = "StepLR"
    """The class of torch.optim.lr_scheduler."""
    step_size: Count
    """How many epochs (or steps, by `interval`) lie between two decays."""
    gamma: Gamma = 0.1
    """What the learning rate is multiplied by."""


class MultiStepLR(ByEpoch):
    """Times gamma at each milestone."""

    name: Literal["MultiStepLR"] = "MultiStepLR"
    """The class of torch.optim.lr_scheduler."""
    milestones: list[Annotated[int, Field(ge=0)]]
    """The counts at which it decays, ascending; one that stands twice decays twice."""
    gamma: Gamma = 0.1
    """What the learning rate is multiplied by."""

    @field_validator("milestones")
    @classmethod
    def _ascending(cls, milestones: list[int]) -> list[int]:
        if milestones != sorted(milestones):
            raise ValueError(f"must be ascending: {sorted(milestones)}")
        return milestones


class ConstantLR(ByEpoch):
    """Times a factor until `total_iters`, then back."""

    name: Literal["ConstantLR"] = "ConstantLR"
    """The class of torch.optim.lr_scheduler."""
    factor: float = Field(default=1.0 / 3, gt=0, le=1)
    """What the learning rate is multiplied by until then."""
    total_iters: Count = 5
    """How many epochs (or steps) it lasts."""


class LinearLR(ByEpoch):
    """A factor that goes linearly from `start_factor` to `end_factor`: the usual warm-up."""

    name: Literal["LinearLR"] = "LinearLR"
    """The class of torch.optim.lr_scheduler."""
    start_factor: float = Field(default=1.0 / 3, gt=0, le=1)
    """The factor at the beginning."""
    end_factor: float = Field(default=1.0, ge=0, le=1)
    """The factor at the end."""
    total_iters: Count = 5
    """How many epochs (or steps) the way takes."""


class ExponentialLR(ByEpoch):
    """Times gamma, each time."""

    name: Literal["ExponentialLR"] = "ExponentialLR"
    """The class of torch.optim.lr_scheduler."""
    gamma: Gamma
    """What the learning rate is multiplied by."""


class PolynomialLR(ByEpoch):
    """Down to 0 within `total_iters`, as a polynomial."""

    name: Literal["PolynomialLR"] = "PolynomialLR"
    """The class of torch.optim.lr_scheduler."""
    total_iters: Count = 5
    """How many epochs (or steps) the way to 0 takes."""
    power: float = Field(default=1.0, ge=0)
    """The power of the polynomial; 1 is a straight line."""


class CosineAnnealingLR(ByEpoch):
    """Half a cosine from the learning rate to `eta_min`, and up again (Loshchilov and Hutter)."""

    name: Literal["CosineAnnealingLR"] = "CosineAnnealingLR"
    """The class of torch.optim.lr_scheduler."""
    T_max: Count
    """How many epochs (or steps) the way down takes; usually the length of the run."""
    eta_min: Rate = 0.0
    """The lowest learning rate."""


class CosineAnnealingWarmRestarts(ByEpoch):
    """Half a cosine down, then at once up again, in cycles that may grow longer (SGDR)."""

    name: Literal["CosineAnnealingWarmRestarts"] = "CosineAnnealingWarmRestarts"
    """The class of torch.optim.lr_scheduler."""
    T_0: Count
    """How many epochs (or steps) the first cycle takes."""
    T_mult: Count = 1
    """How many times longer each cycle is than the one before."""
    eta_min: Rate = 0.0
    """The lowest learning rate."""


class CyclicLR(ByStep):
    """Up and down between `base_lr` and `max_lr`; it ignores the optimizer's lr (Smith, 2017)."""

    refused: ClassVar[dict[str, str]] = SchedulerSection.refused | {
        "scale_fn": 'is a function: write target = "schedules.py:f", instead of name, for your own',
        "scale_mode": "belongs to scale_fn, a function; `mode` decides it here: leave it out",
    }

    name: Literal["CyclicLR"] = "CyclicLR"
    """The class of torch.optim.lr_scheduler."""
    base_lr: OneOrEach[Rate]
    """The lower end of the learning rate, for all groups or a list with one a group."""
    max_lr: OneOrEach[Rate]
    """The upper end of the first cycle, for all groups or a list with one a group."""
    step_size_up: Count = 2000
    """How many steps (or epochs) the way up takes."""
    step_size_down: Annotated[int, Field(ge=0)] | None = None
    """How many the way down takes. Default: as many as the way up."""
    mode: Literal["triangular", "triangular2", "exp_range"] = "triangular"
    """"triangular": each cycle as high as the first. "triangular2": half as high as the one
    before. "exp_range": gamma ** count as high."""
    gamma: Gamma = 1.0
    """The base of "exp_range"."""
    cycle_momentum: bool | None = None
    """Whether momentum (or Adam's first beta) goes down as the learning rate goes up.
    Default: true when the optimizer has momentum above 0 or betas."""
    base_momentum: OneOrEach[Momentum] = 0.8
    """The lower end of the momentum, for all groups or a list with one a group."""
    max_momentum: OneOrEach[Momentum] = 0.9
    """The upper end of the momentum, for all groups or a list with one a group."""


_COMPUTED = "is computed, never typed: the cycle takes the whole run"


class OneCycleLR(ByStep):
    """One rise and one long fall over the whole run; stands alone (Smith and Topin, 2017)."""

    refused: ClassVar[dict[str, str]] = SchedulerSection.refused | dict.fromkeys(
        ("total_steps", "epochs", "steps_per_epoch"), _COMPUTED
    )

    name: Literal["OneCycleLR"] = "OneCycleLR"
    """The class of torch.optim.lr_scheduler."""
    max_lr: OneOrEach[Rate] | None = None
    """The top of the cycle, for all groups or a list with one a group. Default: each group's lr."""
    pct_start: float = Field(default=0.3, ge=0, le=1)
    """The fraction of the cycle that the rise takes."""
    anneal_strategy: Literal["cos", "linear"] = "cos"
    """The form of the rise and the fall."""
    cycle_momentum: bool | None = None
    """Whether momentum (or Adam's first beta) goes down as the learning rate goes up.
    Default: true when the optimizer has momentum above 0 or betas."""
    base_momentum: OneOrEach[Momentum] = 0.85
    """The lower end of the momentum, for all groups or a list with one a group."""
    max_momentum: OneOrEach[Momentum] = 0.95
    """The upper end of the momentum, for all groups or a list with one a group."""
    div_factor: float = Field(default=25.0, gt=0)
    """The first learning rate is max_lr / div_factor."""
    final_div_factor: float = Field(default=1e4, gt=0)
    """The last learning rate is the first / final_div_factor."""
    three_phase: bool = False
    """Whether the fall first goes symmetrically to the beginning, then to the end."""


class ReduceLROnPlateau(SchedulerSection):
    """Times a factor when a metric has stopped getting better; `begin` and `end` are epochs."""

    refused: ClassVar[dict[str, str]] = SchedulerSection.refused | {
        "interval": "cannot be chosen: it acts when its metric is new, after each validation",
        "metrics": 'is given by `monitor`, such as monitor = "val/loss"',
    }

    name: Literal["ReduceLROnPlateau"] = "ReduceLROnPlateau"
    """The class of torch.optim.lr_scheduler."""
    monitor: str = Field(default="val/loss", min_length=1)
    """The metric it looks at. An epoch without it, or with NaN, does not count."""
    mode: Literal["min", "max"] = "min"
    """Whether a smaller or a larger metric is better."""
    factor: float = Field(default=0.1, gt=0, lt=1)
    """What the learning rate is multiplied by."""
    patience: int = Field(default=10, ge=0)
    """How many epochs without getting better are let pass."""
    threshold: float = Field(default=1e-4, ge=0)
    """How much better it must be, to be better."""
    threshold_mode: Literal["rel", "abs"] = "rel"
    """Whether the threshold is a fraction of the best value or a difference."""
    cooldown: int = Field(default=0, ge=0)
    """How many epochs after a reduction are not counted."""
    min_lr: OneOrEach[Rate] = 0.0
    """The lowest learning rate, for all groups or a list with one a group."""
    eps: float = Field(default=1e-8, ge=0)
    """A reduction by this or less is not made."""


class Custom(ByEpoch):
    """One's own function `f(optimizer, epoch)`, which sets `param_group["lr"]` of each group."""

    name: ClassVar[Literal["Custom"]] = "Custom"  # no key of the file: `target` stands in its place
    target: Annotated[str, AfterValidator(target_name)]
    """"schedules.py:adjust_learning_rate", relative to the experiment's file. Called before each
    epoch (or step) with its number from 0."""


_CLASSES = (
    LambdaLR, MultiplicativeLR, StepLR, MultiStepLR, ConstantLR, LinearLR, ExponentialLR,
    PolynomialLR, CosineAnnealingLR, CosineAnnealingWarmRestarts, CyclicLR, OneCycleLR,
    ReduceLROnPlateau,
)  # fmt: skip
# What can stand under `name`.
SCHEDULERS: dict[str, type[SchedulerSection]] = {kind.__name__: kind for kind in _CLASSES}

CONTAINER = (
    "names a container, which is not needed: the list of [[scheduler]] tables is the chain. "
    "Write one table for each member, with `begin` and `end` as its window"
)
CONTAINERS = ("SequentialLR", "ChainedScheduler")


def _tag(value: Any) -> str | None:
    if not isinstance(value, dict):
        return type(value).__name__
    return "Custom" if "target" in value else str(value.get("name"))


def _named(value: Any) -> Any:
    """Say what pydantic's own message for an unknown name cannot say."""
    if not isinstance(value, dict) or "target" in value:
        return value
    errors: list[InitErrorDetails] = []
    if "name" not in value:
        errors = [InitErrorDetails(type="missing", loc=("name",), input=value)]
    elif value["name"] in CONTAINERS:
        errors = refusals(value, {"name": CONTAINER})
    if errors:
        raise ValidationError.from_exception_data("Scheduler", errors)
    return value


Scheduler = Annotated[
    Annotated[LambdaLR, Tag("LambdaLR")]
    | Annotated[MultiplicativeLR, Tag("MultiplicativeLR")]
    | Annotated[StepLR, Tag("StepLR")]
    | Annotated[MultiStepLR, Tag("MultiStepLR")]
    | Annotated[ConstantLR, Tag("ConstantLR")]
    | Annotated[LinearLR, Tag("LinearLR")]
    | Annotated[ExponentialLR, Tag("ExponentialLR")]
    | Annotated[PolynomialLR, Tag("PolynomialLR")]
    | Annotated[CosineAnnealingLR, Tag("CosineAnnealingLR")]
    | Annotated[CosineAnnealingWarmRestarts, Tag("CosineAnnealingWarmRestarts")]
    | Annotated[CyclicLR, Tag("CyclicLR")]
    | Annotated[OneCycleLR, Tag("OneCycleLR")]
    | Annotated[ReduceLROnPlateau, Tag("ReduceLROnPlateau")]
    | Annotated[Custom, Tag("Custom")],
    Discriminator(_tag),
    BeforeValidator(_named),
]

"""[optimizer]: every `torch.optim` class by its name, with its own keywords and defaults."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, field_validator

from engine.contract.optimizer_base import (
    Averaging,
    Capturable,
    Differentiable,
    Foreach,
    Fused,
    NonNegative,
    OptimizerSection,
)


class SGD(OptimizerSection, Differentiable, Fused):
    """Stochastic gradient descent, with momentum if asked for."""

    name: Literal["SGD"] = "SGD"
    """The class of torch.optim."""
    momentum: NonNegative = 0
    """Momentum factor; 0.9 is usual."""
    dampening: float = 0
    """Dampening of the momentum."""
    weight_decay: NonNegative = 0
    """L2 penalty."""
    nesterov: bool = False
    """Nesterov momentum: needs a momentum and no dampening."""

    @classmethod
    def needs_no_name(cls) -> bool:
        return True  # as `_name` below has it


class Adam(OptimizerSection, Averaging, Capturable, Fused):
    """Adam (Kingma and Ba, 2014)."""

    name: Literal["Adam"] = "Adam"
    """The class of torch.optim."""
    weight_decay: NonNegative = 0
    """L2 penalty."""
    amsgrad: bool = False
    """The AMSGrad variant."""
    decoupled_weight_decay: bool = False
    """Decay the weights themselves, as AdamW does, instead of the gradient. Needs torch 2.7."""


class AdamW(OptimizerSection, Averaging, Capturable, Fused):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2017)."""

    name: Literal["AdamW"] = "AdamW"
    """The class of torch.optim."""
    weight_decay: NonNegative = 1e-2
    """Decoupled weight decay."""
    amsgrad: bool = False
    """The AMSGrad variant."""


class NAdam(OptimizerSection, Averaging, Capturable):
    """Adam with Nesterov momentum (Dozat, 2016)."""

    name: Literal["NAdam"] = "NAdam"
    """The class of torch.optim."""
    lr: float = Field(default=2e-3, ge=0)
    """Learning rate: the step size before any scheduler acts on it."""
    weight_decay: NonNegative = 0
    """Weight decay."""
    momentum_decay: NonNegative = 4e-3
    """Decay of the momentum."""
    decoupled_weight_decay: bool = False
    """Decay the weights themselves, as AdamW does, instead of the gradient."""


class RAdam(OptimizerSection, Averaging, Capturable):
    """Rectified Adam (Liu et al., 2019)."""

    name: Literal["RAdam"] = "RAdam"
    """The class of torch.optim."""
    weight_decay: NonNegative = 0
    """Weight decay."""
    decoupled_weight_decay: bool = False
    """Decay the weights themselves, as AdamW does, instead of the gradient."""


class Adamax(OptimizerSection, Averaging, Capturable):
    """Adam with the infinity norm (Kingma and Ba, 2014)."""

    name: Literal["Adamax"] = "Adamax"
    """The class of torch.optim."""
    lr: float = Field(default=2e-3, ge=0)
    """Learning rate: the step size before any scheduler acts on it."""
    weight_decay: NonNegative = 0
    """L2 penalty."""


class Adafactor(OptimizerSection, Foreach):
    """Adafactor: little memory for its state (Shazeer and Stern, 2018)."""

    name: Literal["Adafactor"] = "Adafactor"
    """The class of torch.optim."""
    lr: float = Field(default=1e-2, ge=0)
    """Learning rate: the largest relative step size."""
    beta2_decay: float = Field(default=-0.8, le=0)
    """Exponent of the running average's coefficient."""
    eps: list[NonNegative | None] = Field(default=[None, 1e-3], min_length=2, max_length=2)
    """Regularization of the squared gradient and of the parameter scale. TOML has no null: leave
    it out to keep torch's default for the first."""
    d: float = Field(default=1.0, ge=1)
    """Clipping threshold of an update."""
    weight_decay: NonNegative = 0.0
    """Decoupled weight decay."""


class Adadelta(OptimizerSection, Capturable):
    """Adadelta (Zeiler, 2012)."""

    name: Literal["Adadelta"] = "Adadelta"
    """The class of torch.optim."""
    lr: float = Field(default=1.0, ge=0)
    """Scales the step before it is applied."""
    rho: float = Field(default=0.9, ge=0, le=1)
    """Decay of the running average of squared gradients."""
    eps: NonNegative = 1e-6
    """Added to the denominator for numerical stability."""
    weight_decay: NonNegative = 0
    """L2 penalty."""


class Adagrad(OptimizerSection, Differentiable, Fused):
    """Adagrad (Duchi et al., 2011)."""

    name: Literal["Adagrad"] = "Adagrad"
    """The class of torch.optim."""
    lr: float = Field(default=1e-2, ge=0)
    """Learning rate: the step size before any scheduler acts on it."""
    lr_decay: NonNegative = 0
    """Decay of the learning rate by the optimizer itself."""
    weight_decay: NonNegative = 0
    """L2 penalty."""
    initial_accumulator_value: NonNegative = 0
    """What the sum of squared gradients begins with."""
    eps: NonNegative = 1e-10
    """Added to the denominator for numerical stability."""


class ASGD(OptimizerSection, Capturable):
    """Averaged stochastic gradient descent (Polyak and Juditsky, 1992)."""

    name: Literal["ASGD"] = "ASGD"
    """The class of torch.optim."""
    lr: float = Field(default=1e-2, ge=0)
    """Learning rate: the step size before any scheduler acts on it."""
    lambd: NonNegative = 1e-4
    """Decay term."""
    alpha: NonNegative = 0.75
    """Power of the learning rate's update."""
    t0: float = 1e6
    """The step at which averaging begins."""
    weight_decay: NonNegative = 0
    """L2 penalty."""


class RMSprop(OptimizerSection, Capturable):
    """RMSprop (Hinton's lecture 6)."""

    name: Literal["RMSprop"] = "RMSprop"
    """The class of torch.optim."""
    lr: float = Field(default=1e-2, ge=0)
    """Learning rate: the step size before any scheduler acts on it."""
    alpha: NonNegative = 0.99
    """Smoothing constant."""
    eps: NonNegative = 1e-8
    """Added to the denominator for numerical stability."""
    weight_decay: NonNegative = 0
    """L2 penalty."""
    momentum: NonNegative = 0
    """Momentum factor."""
    centered: bool = False
    """Normalize the gradient by an estimate of its variance."""


class Rprop(OptimizerSection, Capturable):
    """Resilient backpropagation: for full batches."""

    name: Literal["Rprop"] = "Rprop"
    """The class of torch.optim."""
    lr: float = Field(default=1e-2, ge=0)
    """The first step size."""
    etas: list[float] = Field(default=[0.5, 1.2], min_length=2, max_length=2)
    """Factors of decrease (between 0 and 1) and increase (above 1)."""
    step_sizes: list[float] = Field(default=[1e-6, 50], min_length=2, max_length=2)
    """The smallest and the largest step size."""

    @field_validator("etas")
    @classmethod
    def _one_below_and_one_above(cls, etas: list[float]) -> list[float]:
        if len(etas) == 2 and not 0 < etas[0] < 1 < etas[1]:
            raise ValueError(f"are {etas}; write one below 1 and one above, such as [0.5, 1.2]")
        return etas


class Muon(OptimizerSection):
    """Muon: orthogonalized momentum, for matrices only (Jordan, 2024). Needs torch 2.9."""

    name: Literal["Muon"] = "Muon"
    """The class of torch.optim."""
    weight_decay: NonNegative = 0.1
    """Decoupled weight decay."""
    momentum: NonNegative = 0.95
    """Momentum factor."""
    nesterov: bool = True
    """Nesterov momentum."""
    ns_coefficients: list[float] = Field(
        default=[3.4445, -4.775, 2.0315], min_length=3, max_length=3
    )
    """Coefficients of the Newton-Schulz iteration."""
    eps: float = 1e-7
    """Added to the denominator for numerical stability."""
    ns_steps: int = Field(default=5, ge=1, lt=100)
    """Newton-Schulz iterations."""
    adjust_lr_fn: Literal["original", "match_rms_adamw"] | None = None
    """How the learning rate is adjusted to a matrix's shape."""


class LBFGS(OptimizerSection):
    """L-BFGS: several evaluations a step; one group; no fp16."""

    name: Literal["LBFGS"] = "LBFGS"
    """The class of torch.optim."""
    lr: float = Field(default=1, ge=0)
    """Learning rate: the step size before any scheduler acts on it."""
    max_iter: int = Field(default=20, ge=1)
    """Iterations a step."""
    max_eval: int | None = Field(default=None, ge=1)
    """Evaluations of the loss a step. Default: 1.25 times max_iter."""
    tolerance_grad: float = 1e-7
    """Ends a step when the gradient is this small."""
    tolerance_change: float = 1e-9
    """Ends a step when the loss or the parameters change less than this."""
    history_size: int = Field(default=100, ge=1)
    """Updates that are remembered."""
    line_search_fn: Literal["strong_wolfe"] | None = None
    """Line search. Default: none."""
    maximize: bool = False
    """Maximize the loss instead of minimizing it. Needs a torch newer than 2.6."""


OPTIMIZERS: dict[str, type[OptimizerSection]] = {
    model.__name__: model
    for model in (
        SGD,
        Adam,
        AdamW,
        NAdam,
        RAdam,
        Adamax,
        Adafactor,
        Adadelta,
        Adagrad,
        ASGD,
        RMSprop,
        Rprop,
        Muon,
        LBFGS,
    )
}

# No backbone here has sparse gradients, so the class could never take a step.
REFUSED = {"SparseAdam": "SparseAdam needs sparse gradients, and no image model gives any"}


def _name(section: object) -> object:
    return section.get("name", "SGD") if isinstance(section, dict) else getattr(section, "name", "")


Optimizer = Annotated[
    Annotated[SGD, Tag("SGD")]
    | Annotated[Adam, Tag("Adam")]
    | Annotated[AdamW, Tag("AdamW")]
    | Annotated[NAdam, Tag("NAdam")]
    | Annotated[RAdam, Tag("RAdam")]
    | Annotated[Adamax, Tag("Adamax")]
    | Annotated[Adafactor, Tag("Adafactor")]
    | Annotated[Adadelta, Tag("Adadelta")]
    | Annotated[Adagrad, Tag("Adagrad")]
    | Annotated[ASGD, Tag("ASGD")]
    | Annotated[RMSprop, Tag("RMSprop")]
    | Annotated[Rprop, Tag("Rprop")]
    | Annotated[Muon, Tag("Muon")]
    | Annotated[LBFGS, Tag("LBFGS")],
    Discriminator(_name),
]

"""What the classes of [optimizer] have in common, and the groups of parameters."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from engine.contract.section import Section

Beta = Annotated[float, Field(ge=0, lt=1)]
NonNegative = Annotated[float, Field(ge=0)]


def _first_match(validated: dict[str, Any]) -> str:
    """`validated` lacks what is wrong by itself, and is told by itself."""
    return str(next(iter(validated.get("match", [])), "")) or "group"


class Group(Section):
    """[[optimizer.group]]: parameters with settings of their own.

    Beside `match` and `name`, any keyword of the chosen optimizer: `lr = 1e-2`,
    `weight_decay = 0.0`. What is left out is taken from `[optimizer]`.
    """

    model_config = ConfigDict(extra="allow")

    match: list[str] = Field(min_length=1)
    """Names of modules or parameters, or globs. A module takes all that is inside it."""
    name: str = Field(default_factory=_first_match, min_length=1)
    """The group's name, shown beside its learning rate. Default: the first of `match`. `default` is
    the group of the rest."""

    @property
    def options(self) -> dict[str, Any]:
        """The optimizer's keywords that this group sets for itself."""
        return dict(self.model_extra or {})


class OptimizerSection(Section):
    """What every optimizer has."""

    lr: float = Field(default=1e-3, ge=0)
    """Learning rate: the step size before any scheduler acts on it."""
    group: list[Group] = []
    """Groups of parameters with settings of their own; what matches none is in `default`."""

    def keywords(self) -> dict[str, Any]:
        """What the torch class is called with: only what differs from torch's own default.

        So a torch that does not know a newer keyword still takes an experiment without it.
        """
        plain = type(self).model_fields
        return {
            key: value
            for key, value in self.model_dump(exclude={"name", "group"}).items()
            if key == "lr" or value != plain[key].default
        }


class Foreach(Section):
    """Settings of the implementation, which change the speed and not the numbers."""

    maximize: bool = False
    """Maximize the loss instead of minimizing it."""
    foreach: bool | None = None
    """Update all tensors in one call: faster, a little more memory. Default: torch decides."""


class Differentiable(Foreach):
    """One more switch that most classes have."""

    differentiable: bool = False
    """Let autograd run through the step itself: for code that differentiates a whole training, so
    here it must stay false."""


class Capturable(Differentiable):
    """One more switch that most classes have."""

    capturable: bool = False
    """Safe to capture in a CUDA graph."""


class Fused(Section):
    """One more switch that some classes have."""

    fused: bool | None = None
    """The fused implementation: one kernel for the whole step. Default: on CUDA where torch has it,
    for SGD, Adam and AdamW, unless `foreach` is set; elsewhere torch decides."""


class Averaging(Section):
    """What Adam and its kin average."""

    betas: list[Beta] = Field(default=[0.9, 0.999], min_length=2, max_length=2)
    """Decay of the running averages of the gradient and of its square."""
    eps: NonNegative = 1e-8
    """Added to the denominator for numerical stability."""

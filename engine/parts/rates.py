"""Learning rates without an optimizer: what the schedulers of the chain act on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class GroupRates:
    """A parameter group as its optimizer starts with it, without its parameters."""

    name: str
    lr: float
    momentum: float | None = None
    betas: tuple[float, float] | None = None

    @property
    def has_momentum(self) -> bool:
        return self.momentum is not None or self.betas is not None

    def settings(self) -> dict[str, Any]:
        """What of a param_group a scheduler can change."""
        given = {"lr": float(self.lr), "momentum": self.momentum, "betas": self.betas}
        return {key: value for key, value in given.items() if value is not None}


class Rates(torch.optim.Optimizer):
    """Groups with learning rates and no parameters, for schedulers to act on.

    torch's own __init__ is not called: it would import torch._dynamo, which takes 5 s on 2 cores,
    and set up hooks and state for parameters that aren't there.
    """

    def __init__(self, groups: Sequence[GroupRates], *, initial_lr: bool) -> None:
        """`initial_lr`: whether the groups carry the base rate under this name from the start."""
        self.state = defaultdict(dict)
        self.defaults = groups[0].settings()
        self.param_groups = [
            {"params": [], "name": group.name} | group.settings() for group in groups
        ]
        if initial_lr:
            for group in self.param_groups:
                group["initial_lr"] = group["lr"]
        # Else torch warns that the scheduler was stepped before the optimizer.
        self._opt_called = True

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """There is nothing to move; torch's schedulers want to wrap a method of this name."""

    def saved(self) -> list[dict[str, Any]]:
        """The groups as plain values; what one's own function has put there besides is left out."""
        return [
            {key: list(value) if key == "betas" else value for key, value in group.items()
             if key == "betas" or type(value) in (int, float, str, bool)}
            for group in self.param_groups
        ]  # fmt: skip

    def load(self, saved: Sequence[Mapping[str, Any]]) -> None:
        for group, values in zip(self.param_groups, saved, strict=True):
            group.update(values)
            if "betas" in values:
                group["betas"] = tuple(values["betas"])

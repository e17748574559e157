"""The scheduler chain: torch's own schedulers, on small optimizers that hold only the rates.

The recursive members (those that compute from the current learning rate, ReduceLROnPlateau among
them) share one, in the file's order, and give what torch gives back to back. Each closed-form
member has one of its own, and multiplies the shared rate by `its lr / the base lr`; on the shared
one it would overwrite what the others did.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import torch

from engine.contract.experiment import Experiment
from engine.contract.problems import InputError, Problem
from engine.contract.scheduler import OneCycleLR, ReduceLROnPlateau, Scheduler
from engine.parts.rates import GroupRates, Rates
from engine.parts.schedule_member import Member

__all__ = ["GroupRates", "Schedule"]


class Schedule:
    """The learning rate of each group, for the optimizer step to come.

    Call `step` after each optimizer step (not after one that the gradient scaler skipped),
    `epoch_end` after each epoch's validation, and `apply` when either returns True.

    `lrs`           learning rates, one a group
    `needs_metric`  what the plateaus look at

    Raises InputError, with all that was found, at `scheduler.N…`: OneCycleLR beside another
    member, a list that has not one value a group, momentum to cycle where there is none, one's
    own function that cannot be loaded or fails, and whatever torch's constructors refuse.
    """

    def __init__(
        self,
        sections: Sequence[Scheduler],
        groups: Sequence[GroupRates],
        *,
        total_steps: int,
        folder: Path,
        total_epochs: int | None = None,
    ) -> None:
        """`total_steps` are optimizer steps, `total_epochs` is for a OneCycleLR by epochs."""
        self._groups = tuple(groups)
        self._shared = Rates(groups, initial_lr=True)
        self._members = [
            Member(
                section,
                position,
                groups,
                self._shared,
                total_steps if getattr(section, "interval", "") == "step" else total_epochs,
                folder,
            )
            for position, section in enumerate(sections)
        ]
        self._by_step = [member for member in self._members if member.by_step]
        self._by_epoch = [member for member in self._members if not member.by_step]
        self._closed = [member for member in self._members if member.closed_form]
        self._cycling = [member for member in self._members if member.cycles_momentum]
        self._steps = self._epochs = 0
        self.needs_metric = {s.monitor for s in sections if isinstance(s, ReduceLROnPlateau)}
        self._begin()
        self.lrs = self._composed()
        self._momenta = self._cycled()

    @classmethod
    def of(
        cls,
        experiment: Experiment,
        groups: Sequence[GroupRates],
        steps_per_epoch: int,
        folder: Path,
    ) -> Self:
        """The chain of an experiment. `folder` is what files of one's own code are relative to."""
        epochs = experiment.train.epochs
        return cls(
            experiment.scheduler,
            groups,
            total_steps=steps_per_epoch * epochs,
            total_epochs=epochs,
            folder=folder,
        )

    @property
    def groups(self) -> tuple[GroupRates, ...]:
        """As the optimizer began with them, before any member acted."""
        return self._groups

    @property
    def by_step(self) -> bool:
        """Whether a member advances by the batch, and has to know which steps were taken."""
        return bool(self._by_step)

    def _begin(self) -> None:
        problems = [*_lonely(self._members)]
        problems += [problem for member in self._members for problem in member.problems()]
        if not problems:
            for member in self._members:
                try:
                    self._reach(member, 0, {})
                except InputError as error:
                    problems += error.problems
        if problems:
            raise InputError(*problems)

    def step(self) -> bool:
        """After an optimizer step. True when a learning rate or a momentum changed."""
        self._steps += 1
        if not self._by_step:  # the usual case, once a batch: costs 0.1 µs
            return False
        return self._advance(self._by_step, self._steps, {})

    def epoch_end(self, metrics: Mapping[str, float]) -> bool:
        """After an epoch's validation. True when a learning rate or a momentum changed.

        A plateau whose metric is missing or NaN does not count this epoch; torch would count NaN
        as a bad one.
        """
        self._epochs += 1
        return self._advance(self._by_epoch, self._epochs, metrics)

    def apply(self, optimizer: torch.optim.Optimizer) -> None:
        """Write the learning rates, and momentum or betas where they are cycled."""
        for group, lr in zip(optimizer.param_groups, self.lrs, strict=True):
            if isinstance(group["lr"], torch.Tensor):
                group["lr"].fill_(lr)
            else:
                group["lr"] = lr
        if self._momenta:
            for group, momentum in zip(optimizer.param_groups, self._momenta, strict=True):
                group.update(momentum)

    def state_dict(self) -> dict[str, Any]:
        """Counters and current rates: numbers, strings, lists and dicts, shared with nobody."""
        return {
            "steps": self._steps,
            "epochs": self._epochs,
            "shared": self._shared.saved(),
            "members": [member.state() for member in self._members],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on, bit by bit the same, from `state`, which stays as it is.

        A OneCycleLR takes the length that this schedule was made with. InputError where the state
        is of another chain or of other groups.
        """
        members = state["members"]
        same = len(members) == len(self._members) and all(
            member.is_of(saved) for member, saved in zip(self._members, members, strict=True)
        )
        names = [group["name"] for group in state["shared"]]
        if not same or names != [group.name for group in self._groups]:
            message = "the checkpoint is of another chain of schedulers, or of other groups"
            hint = "go on with the run's own experiment.toml, or start a new run"
            raise InputError(Problem(message, key="scheduler", hint=hint))
        self._steps, self._epochs = state["steps"], state["epochs"]
        self._shared = Rates(self._groups, initial_lr=True)
        for member, saved in zip(self._members, members, strict=True):
            member.restore(saved, self._steps if member.by_step else self._epochs, self._shared)
        # Last, because a member that is made anew acts on the rates once.
        self._shared.load(state["shared"])
        self.lrs, self._momenta = self._composed(), self._cycled()

    def _advance(self, members: Sequence[Member], count: int, metrics: Mapping[str, float]) -> bool:
        for member in members:
            self._reach(member, count, metrics)
        lrs, momenta = self._composed(), self._cycled()
        changed = lrs != self.lrs or momenta != self._momenta
        self.lrs, self._momenta = lrs, momenta
        return changed

    def _reach(self, member: Member, count: int, metrics: Mapping[str, float]) -> None:
        """One member's turn: a place for `ptrain lr` to look at what each of them does."""
        member.reach(count, metrics)

    def _composed(self) -> list[float]:
        if len(self._members) == 1:  # not through a quotient, which would round
            return [float(group["lr"]) for group in self._members[0].rates.param_groups]
        lrs = [float(group["lr"]) for group in self._shared.param_groups]
        for member in self._closed:
            for index, group in enumerate(member.rates.param_groups):
                base = self._groups[index].lr
                # Nothing is a factor of 0: a group that doesn't learn goes on not learning.
                lrs[index] *= group["lr"] / base if base else 1.0
        return lrs

    def _cycled(self) -> list[dict[str, Any]]:
        """The momentum or betas of each group, from the last member that has begun to cycle it."""
        for member in reversed(self._cycling):
            if member.begun:
                return [
                    {key: group[key] for key in ("momentum", "betas") if key in group}
                    for group in member.rates.param_groups
                ]
        return []


def _lonely(members: Sequence[Member]) -> list[Problem]:
    """A problem for each OneCycleLR that has not the chain to itself."""
    problems = []
    for member in members:
        if isinstance(member.section, OneCycleLR) and len(members) > 1:
            message = "OneCycleLR sets the learning rate of the whole run, and cannot be chained"
            hint = "let it stand alone, or choose LinearLR and CosineAnnealingLR for a chain"
            problems.append(Problem(message, key=member.key, hint=hint))
    return problems

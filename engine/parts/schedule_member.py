"""One member of the scheduler chain: a torch scheduler, or one's own function, with its window."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from torch.optim import lr_scheduler

from engine.contract.expression import Expression, ExpressionError
from engine.contract.problems import InputError, Problem
from engine.contract.scheduler import (
    Custom,
    CyclicLR,
    LambdaLR,
    MultiplicativeLR,
    OneCycleLR,
    ReduceLROnPlateau,
    Scheduler,
)
from engine.parts.custom import described, load_target
from engine.parts.rates import GroupRates, Rates

# Computed afresh each time, from the count and the base: they would wipe out what others did.
CLOSED_FORM = ("LambdaLR", "CyclicLR", "CosineAnnealingWarmRestarts", "OneCycleLR", "Custom")
PER_GROUP = ("lr_lambda", "max_lr", "base_lr", "min_lr", "base_momentum", "max_momentum")
# All that changes in torch's schedulers while they run; the rest is made again from the section.
COUNTERS = (
    *("last_epoch", "_step_count", "_last_lr", "T_cur", "T_i"),
    *("best", "num_bad_epochs", "cooldown_counter"),
)
OURS = {"name", "interval", "begin", "end", "monitor", "target"}  # what torch's classes don't take


class Member:
    """A section's scheduler on `rates`: the chain's shared ones, or its own if it is closed-form.

    It begins when its interval's count reaches `begin`, and advances until that count is `last`.
    `total` is the run's length in its interval, for OneCycleLR; None where it isn't known.
    """

    def __init__(
        self,
        section: Scheduler,
        position: int,
        groups: Sequence[GroupRates],
        shared: Rates,
        total: int | None,
        folder: Path,
    ) -> None:
        self.section, self.key, self.groups = section, f"scheduler.{position}", groups
        self.closed_form = section.name in CLOSED_FORM
        self.by_step = getattr(section, "interval", "epoch") == "step"
        self.rates = self._own_rates() if self.closed_form else shared
        self.scheduler: Any = None
        self.function: Callable[[Rates, int], object] | None = None
        self.begun = False
        self.first = section.begin
        self.last = math.inf if section.end is None else section.end
        self.cycles_momentum = _cycles_momentum(section, groups)
        self._folder, self._length = folder, 0
        if isinstance(section, OneCycleLR) and total is not None:
            # torch's cycle has its end at `total_steps - 1`, and beyond goes on below it.
            self._length = max(1, (section.end or total) - self.first)
            self.last = self.first + self._length - 1

    def problems(self) -> list[Problem]:
        """What can be found out before the run. Loads one's own function, without calling it."""
        found = list(self._against_groups())
        if found:
            return found
        try:
            if isinstance(self.section, Custom):
                self._load(self.section)
            else:
                self._build(self._own_rates())  # a trial, for those that begin later
        except InputError as error:
            found += error.problems
        return found

    def _against_groups(self) -> Iterator[Problem]:
        names = ", ".join(group.name for group in self.groups)
        for field in PER_GROUP:
            values = getattr(self.section, field, None)
            if isinstance(values, list) and len(values) != len(self.groups):
                yield Problem(
                    f"has {len(values)} values for {len(self.groups)} groups: {names}",
                    key=f"{self.key}.{field}",
                    hint="write one value for all groups, or a list with one a group in this order",
                )
        if self.cycles_momentum and not all(group.has_momentum for group in self.groups):
            yield Problem(
                "the optimizer has neither momentum nor betas to cycle",
                key=f"{self.key}.cycle_momentum",
                hint="write cycle_momentum = false, or choose another optimizer, such as SGD",
            )
        if isinstance(self.section, OneCycleLR) and not self._length:
            yield Problem(
                "the number of epochs is not known here",
                key=f"{self.key}.interval",
                hint='write interval = "step"',
            )

    def reach(self, count: int, metrics: Mapping[str, float]) -> None:
        """The interval's count is now `count`. InputError where one's own code or factor fails."""
        if count == self.first:
            self.begin()
        elif self.first < count <= self.last:
            self._advance(count - self.first, metrics)

    def begin(self) -> None:
        self.begun = True
        if isinstance(self.section, Custom):
            self._call(0)
        else:
            self.scheduler = self._build(self.rates)

    def state(self) -> dict[str, Any]:
        counters = vars(self.scheduler) if self.scheduler is not None else {}
        return {
            "section": self._identity(),
            "begun": self.begun,
            "counters": {key: deepcopy(counters[key]) for key in COUNTERS if key in counters},
            "groups": self.rates.saved() if self.closed_form else [],
        }

    def is_of(self, state: Mapping[str, Any]) -> bool:
        return bool(state.get("section") == self._identity())

    def restore(self, state: Mapping[str, Any], count: int, shared: Rates) -> None:
        """Go on from `state`, made at `count`. The caller loads the shared groups after that.

        OneCycleLR is computed again, so that it follows the length that the run has now.
        """
        self.rates = self._own_rates() if self.closed_form else shared
        self.begun, self.scheduler = state["begun"], None
        if self.begun and not isinstance(self.section, Custom):
            self.scheduler = self._build(self.rates)
            vars(self.scheduler).update(deepcopy(state["counters"]))
        if isinstance(self.section, OneCycleLR) and self.begun:
            own = int(min(count, self.last)) - self.first
            self.scheduler.last_epoch, self.scheduler._step_count = own - 1, own
            self.scheduler.step()
        elif self.closed_form:
            self.rates.load(deepcopy(state["groups"]))

    def _own_rates(self) -> Rates:
        # CyclicLR would begin at an initial_lr that it finds, instead of at its own base_lr.
        return Rates(self.groups, initial_lr=isinstance(self.section, Custom))

    def _identity(self) -> dict[str, Any]:
        """What a checkpoint's member must be: its arguments. A file is known by its name alone,
        because a run may have been copied to another folder."""
        values = {"name": self.section.name} | self.section.model_dump()
        if isinstance(self.section, Custom):
            values["target"] = self.section.target.replace("\\", "/").rpartition("/")[2]
        return values

    def _build(self, rates: Rates) -> Any:
        arguments = self.section.model_dump(exclude=OURS)
        if isinstance(self.section, LambdaLR | MultiplicativeLR):
            text = self.section.lr_lambda
            arguments["lr_lambda"] = (
                Expression(text) if isinstance(text, str) else [Expression(each) for each in text]
            )
        if isinstance(self.section, CyclicLR | OneCycleLR):
            arguments["cycle_momentum"] = self.cycles_momentum
        if isinstance(self.section, OneCycleLR):
            arguments["total_steps"] = self._length
            if self.section.max_lr is None:
                arguments["max_lr"] = [group.lr for group in self.groups]
        try:
            return getattr(lr_scheduler, self.section.name)(rates, **arguments)
        except ZeroDivisionError as error:
            # Only OneCycleLR: its phases are divided by their lengths, less one.
            message = f"a rise of one step, of {self._length}, is more than torch can compute"
            raise self._problem("pct_start", message, "choose another pct_start") from error
        except Exception as error:
            raise self._problem(self._blamed, f"torch refuses it: {error}") from error

    @property
    def _blamed(self) -> str:
        return "lr_lambda" if hasattr(self.section, "lr_lambda") else ""

    def _advance(self, own: int, metrics: Mapping[str, float]) -> None:
        if isinstance(self.section, Custom):
            self._call(own)
        elif isinstance(self.section, ReduceLROnPlateau):
            value = metrics.get(self.section.monitor)
            if value is not None and not math.isnan(value):
                self.scheduler.step(float(value))
        else:
            try:
                self.scheduler.step()
            except ExpressionError as error:
                raise self._problem(self._blamed, str(error)) from error
            except OverflowError as error:  # CyclicLR's "exp_range" with a gamma above 1
                message = f"gamma ** {own} is more than a number can hold"
                raise self._problem("gamma", message, "write a gamma of 1 or less") from error

    def _load(self, section: Custom) -> None:
        function = load_target(section.target, self._folder, f"{self.key}.target")
        if not callable(function):
            raise self._problem("target", f"{section.target} is no function")
        try:
            inspect.signature(function).bind(self.rates, 0)
        except TypeError as error:
            message = f"{section.target} cannot be called as f(optimizer, epoch): {error}"
            raise self._problem("target", message) from error
        self.function = function

    def _call(self, own: int) -> None:
        assert self.function is not None
        code = getattr(inspect.unwrap(self.function), "__code__", None)
        file = Path(code.co_filename) if code is not None else None
        at = "step" if self.by_step else "epoch"
        try:
            self.function(self.rates, own)
        except Exception as error:
            told = f"fails at {at} {own}: {described(error, file)}"
            hint = f"it is called as f(optimizer, {at}), {at} counted from 0"
            raise self._problem("target", told, hint) from error
        where = f"{file.name}, line {code.co_firstlineno}: " if code and file else ""
        for group in self.rates.param_groups:
            try:
                group["lr"] = float(group["lr"])
            except (KeyError, TypeError, ValueError):
                group["lr"] = math.nan
            if not 0 <= group["lr"] < math.inf:
                message = f"{where}sets the learning rate of {group['name']} to {group['lr']:g} "
                hint = "a learning rate is a finite number, and not negative"
                raise self._problem("target", f"{message}at {at} {own}", hint)

    def _problem(self, field: str, message: str, hint: str = "") -> InputError:
        key = f"{self.key}.{field}" if field else self.key
        return InputError(Problem(message, key=key, hint=hint))


def _cycles_momentum(section: Scheduler, groups: Sequence[GroupRates]) -> bool:
    """As asked for; else only where no group would have momentum switched on by it."""
    if not isinstance(section, CyclicLR | OneCycleLR):
        return False
    if section.cycle_momentum is not None:
        return section.cycle_momentum
    return all(group.betas is not None or (group.momentum or 0) > 0 for group in groups)

"""How the engine is asked for the planned learning rates of a run. Pure.

A plateau's plan depends on what was measured: it is asked with the metrics so far, and again after
each validation. What it shows of the epochs to come holds as long as the plateau does nothing.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.contract.events import Validated
from engine.contract.run_state import RunState
from tui.planned import MOST, PLATEAU, Plan

KEPT = 20  # plans, of the runs that were looked at last


@dataclass(frozen=True)
class Planning:
    """What a plan depends on. `validations`: how many the schedule has seen."""

    run: Path
    steps_per_epoch: int
    epochs: int
    validations: int


def planning(run: Path, state: RunState) -> Planning | None:
    """What is to be asked for now; None before the engine has said how long an epoch is."""
    if state.started is None or state.started.steps_per_epoch < 1 or state.epochs < 1:
        return None
    seen = sum(not event.requested for event in state.validated)
    return Planning(run, state.started.steps_per_epoch, state.epochs, seen)


@dataclass(frozen=True)
class _Known:
    """A plan that was asked for, or why there is none."""

    planning: Planning
    plan: Plan | None
    why: str

    def holds(self, now: Planning) -> bool:
        """After a validation only a plan without a plateau is what it was."""
        if self.plan is not None and self.plan.plateau:
            return self.planning == now
        return replace(self.planning, validations=now.validations) == now


class Plans:
    """What is known of the plans of several runs, and what is being asked."""

    def __init__(self) -> None:
        self._known: dict[Path, _Known] = {}
        self._asked: Planning | None = None

    def ask(self, now: Planning) -> bool:
        """Whether it is to be asked; it is counted as asked then."""
        known = self._known.get(now.run)
        if now == self._asked or (known is not None and known.holds(now)):
            return False
        self._asked = now
        return True

    def tell(self, planning: Planning, plan: Plan | None, why: str) -> None:
        """The answer. Of the runs that were asked about longest ago it is forgotten."""
        self._known.pop(planning.run, None)
        self._known[planning.run] = _Known(planning, plan, why)
        while len(self._known) > KEPT:
            del self._known[next(iter(self._known))]

    def forget(self, planning: Planning) -> None:
        """The question was given up."""
        if self._asked == planning:
            self._asked = None

    def of(self, run: Path | None) -> tuple[Plan | None, str]:
        """The plan, and why there is none."""
        known = self._known.get(run) if run is not None else None
        if known is not None:
            return known.plan, known.why
        asked = self._asked is not None and self._asked.run == run
        return None, "is on its way" if asked else ""


def question(planning: Planning, validated: Sequence[Validated]) -> list[str]:
    """The arguments for `ptrain`. Raises ValueError, with the reason, where it can't be asked: that
    would run the code that the run's experiment names, and looking at a run never does."""
    file = planning.run / "experiment.toml"
    schedulers = _schedulers(file)
    for entry in schedulers:
        if "target" in entry:
            raise ValueError(f"not drawn: it would run {entry['target']}")
    arguments = [
        "lr", str(file), "--json", "--steps-per-epoch", str(planning.steps_per_epoch),
        "--set", f"train.epochs={planning.epochs}", "--most-points", str(MOST),
    ]  # fmt: skip
    monitors = {
        str(entry.get("monitor", "val/loss"))
        for entry in schedulers
        if entry.get("name") == PLATEAU
    }
    if len(monitors) > 1:
        raise ValueError("not drawn: its plateaus look at different metrics")
    if monitors:
        arguments += ["--metric", _series(monitors.pop(), validated, planning.epochs)]
    return arguments


def _schedulers(file: Path) -> list[dict[str, Any]]:
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8")).get("scheduler", [])
        return [entry for entry in found if isinstance(entry, dict)]
    except OSError as error:
        raise ValueError(f"not known: {file.name}: {error.strerror}") from None
    except (ValueError, TypeError):
        raise ValueError(f"not known: {file.name} is damaged") from None


def _series(monitor: str, validated: Sequence[Validated], epochs: int) -> str:
    """A value an epoch; nothing where none was measured."""
    values = {event.epoch: event.metrics.get(monitor) for event in validated if not event.requested}
    last = min(max(values, default=-1), epochs - 1)
    known = [values.get(epoch) for epoch in range(last + 1)]
    return ",".join("" if value is None else repr(value) for value in known)

"""The order of the runs in their table: what is pinned is on top. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from engine.contract.outcome import epochs_done, outcome_of
from engine.contract.training import Checkpoint
from tui.run_filter import Facts
from tui.run_list import WatchedRun

STATES = ("running", "failed", "lost", "stopped", "finished")


def _goodness(watched: WatchedRun) -> tuple[Any, ...]:
    """Those that go by the same metric are together, the best of them first."""
    best = outcome_of(watched.state, watched.status)
    if best.best is None or not math.isfinite(best.best):
        return (1, "", 0.0)
    mode = watched.settings().get("checkpoint.mode") or Checkpoint(monitor=best.monitor).better
    return (0, best.monitor, best.best if mode == "min" else -best.best)


# The runs come with the newest first, and so they stay where nothing else tells them apart.
ORDERS: dict[str, Callable[[WatchedRun], Any]] = {
    "newest first": lambda watched: 0,
    "by name": lambda watched: watched.run.name.casefold(),
    "by state": lambda watched: STATES.index(watched.status.state),
    "best first": _goodness,
    "most epochs": lambda watched: -epochs_done(watched.state),
    "last heard of": lambda watched: -watched.state.last_time,
}


def arranged(runs: Sequence[WatchedRun], order: str, pinned: Collection[Path]) -> list[WatchedRun]:
    """In that order, the pinned first."""
    key = ORDERS[order]
    return sorted(runs, key=lambda watched: (watched.run.path not in pinned, key(watched)))


def facts_of(watched: WatchedRun) -> Facts:
    """What a filter can ask of it; the settings are read when they are asked for."""
    state = watched.state
    return Facts(
        name=watched.run.name,
        id=watched.run.id,
        state=watched.status.state,
        epoch=epochs_done(state),
        best=state.best.metric if state.best is not None else None,
        validated=[event.metrics for event in state.validated],
        settings=watched.settings,
    )


class RunWords:
    """A filter's vocabulary: what any of these runs has."""

    def __init__(self, runs: Sequence[WatchedRun]) -> None:
        self._runs = runs

    @cached_property
    def names(self) -> Collection[str]:
        return [name for watched in self._runs for name in (watched.run.name, watched.run.id)]

    @cached_property
    def settings(self) -> Collection[str]:
        return dict.fromkeys(key for watched in self._runs for key in watched.settings())

    @cached_property
    def metrics(self) -> Collection[str]:
        last = [event for watched in self._runs for event in watched.state.validated[-1:]]
        return dict.fromkeys(name for event in last for name in event.metrics)

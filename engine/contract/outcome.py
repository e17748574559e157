"""How a run went, in the few numbers by which runs are compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.contract.run_state import RunState
from engine.contract.runs import State, Status

NONE = "–"


@dataclass(frozen=True)
class Outcome:
    """`best` is of `monitor`; `metrics` are those of the last validation, None where one is not
    finite; `seconds` are from its start to its last event, pauses before a resume included."""

    state: State
    epochs_done: int
    epochs: int
    best: float | None
    monitor: str
    metrics: dict[str, float | None]
    seconds: float | None


def outcome_of(state: RunState, how: Status) -> Outcome:
    """Of what is known so far."""
    started, best = state.started, state.best
    return Outcome(
        state=how.state,
        epochs_done=epochs_done(state),
        epochs=state.epochs,
        best=best.metric if best is not None else None,
        monitor=started.monitor if started is not None else "",
        metrics=state.validated[-1].metrics if state.validated else {},
        seconds=max(0.0, state.last_time - started.time) if started is not None else None,
    )


def epochs_done(state: RunState) -> int:
    """Whole epochs: each ends with its `validated` event."""
    done = [event.epoch + 1 for event in state.validated if not event.requested]
    return done[-1] if done else 0


def outcome_rows(
    outcomes: Sequence[Outcome], duration: Callable[[float], str]
) -> list[tuple[str, list[str]]]:
    """A title, and a cell a run: the state, the epochs, the best, each metric, the time."""
    monitors = {outcome.monitor for outcome in outcomes if outcome.best is not None}
    metrics = dict.fromkeys(name for outcome in outcomes for name in outcome.metrics)
    rows: list[tuple[str, list[str]]] = [
        ("state", [outcome.state for outcome in outcomes]),
        ("epochs", [f"{outcome.epochs_done}/{outcome.epochs}" for outcome in outcomes]),
    ]
    if monitors:  # named once where all go by the same
        one = len(monitors) == 1
        title = " ".join(["best", *(monitors if one else ())])
        rows.append((title, [_best(outcome, named=not one) for outcome in outcomes]))
    rows += [(name, [_metric(outcome, name) for outcome in outcomes]) for name in metrics]
    times = [NONE if run.seconds is None else duration(run.seconds) for run in outcomes]
    return [*rows, ("time", times)]


def _best(outcome: Outcome, *, named: bool) -> str:
    if outcome.best is None:
        return NONE
    return f"{number(outcome.best)} {outcome.monitor if named else ''}".strip()


def _metric(outcome: Outcome, name: str) -> str:
    return number(outcome.metrics[name]) if name in outcome.metrics else NONE


def number(value: float | None) -> str:
    """A metric; what is not finite is None in the events."""
    return "nan" if value is None else f"{value:.4g}"

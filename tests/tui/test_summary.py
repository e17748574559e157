"""A run in words, worked out by hand."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from engine.contract.events import (
    CheckpointSaved,
    Compiled,
    Compiling,
    Event,
    RunFailed,
    RunResumed,
    Validated,
)
from engine.contract.run_state import RunState, fold
from tests.tui.board import append, new_run, running, started, step
from tests.tui.test_acting import watched
from tui.summary import checkpoints, duration, numbers, outcome, progress, seconds_left, summary


def state(*events: Event) -> RunState:
    seen = RunState()
    for event in events:
        fold(seen, event)  # type: ignore[arg-type]
    return seen


def saved(at: int, kind: str, path: str) -> CheckpointSaved:
    return CheckpointSaved(
        time=1.0, step=at, epoch=at // 2, path=path, kind=kind, metric=0.5, sha256="", bytes=1
    )


def test_progress_is_the_share_of_the_planned_steps() -> None:
    assert progress(state()) == ""
    assert progress(state(started(3))) == "epoch 1/3 ▁▁▁▁▁▁▁▁▁▁ 0%"
    seen = state(started(3), *(step(number) for number in range(3)))
    assert progress(seen) == "epoch 2/3 ▇▇▇▇▇▁▁▁▁▁ 50%"


def test_numbers_that_are_none_are_told_as_nan() -> None:
    lost = Validated(time=1.0, step=1, epoch=0, metrics={"val/loss": None}, seconds=0.1)
    seen = state(step(0, loss=math.nan), lost)
    seen.last_step = None
    assert numbers(seen) == "val/loss nan"


def test_the_time_left_comes_from_the_steps_of_up_to_an_epoch() -> None:
    assert seconds_left(state(started(3), step(0, at=0.0))) is None, "one step has no duration"
    slow_then_fast = [step(0, at=0.0), step(1, at=100.0), step(2, at=101.0), step(3, at=102.0)]
    assert seconds_left(state(started(3), *slow_then_fast)) == 2.0, "2 steps of 1 s"


def test_the_time_between_a_stop_and_a_resume_does_not_count() -> None:
    resumed = RunResumed(
        time=1000.0,
        step=1,
        epoch=0,
        checkpoint="",
        version="",
        pid=1,
        host="",
        device="cpu",
        epochs=3,
        planned_end=6,
    )
    seen = state(started(3), step(0, at=0.0), resumed, step(1, at=1001.0), step(2, at=1003.0))
    assert seconds_left(seen) == 6.0, "3 steps of 2 s"


YEAR = 365 * 86400.0


@pytest.mark.parametrize("leap", [-YEAR, -50.0, YEAR])
def test_the_time_that_is_left_is_right_after_a_clock_has_jumped(leap: float) -> None:
    """Six steps in all; the epoch of two that is looked at has one step of two seconds."""
    at = [100.0, 102.0 + leap, 104.0 + leap]
    seen = state(started(3), *(step(number, at=time) for number, time in enumerate(at)))
    assert seconds_left(seen) == 3 * 2.0


def test_a_clock_that_only_jumped_tells_no_time() -> None:
    assert seconds_left(state(started(3), step(0, at=100.0), step(1, at=50.0))) is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(4.4, "4 s"), (185, "3 min"), (7800, "2 h 10 min"), (4 * 86400 + 5, "4 days")],
)
def test_durations_are_rounded_to_what_one_plans_with(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_each_checkpoint_is_listed_once_the_best_first() -> None:
    seen = state(
        saved(2, "best", "best.pt"),
        saved(2, "last", "last.pt"),
        saved(2, "epoch", "epoch-0001.pt"),
        saved(4, "last", "last.pt"),
    )
    assert [(c.path, c.step) for c in checkpoints(seen)] == [
        ("best.pt", 2),
        ("last.pt", 4),
        ("epoch-0001.pt", 2),
    ]


def test_a_run_that_is_being_started_says_what_it_waits_for(tmp_path: Path) -> None:
    run = running(tmp_path)
    run.events.write_bytes(b"")
    assert "importing torch …" in summary(watched(run))
    assert outcome(watched(run)) == "starting"


def test_a_run_that_stands_still_to_be_compiled_says_so_until_it_is(tmp_path: Path) -> None:
    run = running(tmp_path)
    place = {"time": 1.0, "step": 1, "epoch": 0, "split": "train"}
    append(run, Compiling(**place, mode="default"))
    assert "compiling train (default)" in summary(watched(run))
    assert outcome(watched(run)) == "compiling"
    append(run, Compiled(**place, seconds=73.25))
    assert "compiling" not in summary(watched(run))
    assert outcome(watched(run)) != "compiling"


def test_a_lost_run_is_told_as_such(tmp_path: Path) -> None:
    text = summary(watched(new_run(tmp_path)))
    assert "lost" in text


def test_a_failed_run_is_told_without_its_remedy_in_the_list(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    seen = watched(run)
    failed = RunFailed(time=1.0, step=0, epochs=0, seconds=1.0, error="no memory", remedy="x")
    append(run, failed)
    seen.look()
    assert outcome(seen) == "no memory"

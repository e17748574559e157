"""What is asked of a run: the ladder, the answers, and who can't be asked."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from engine.contract.control import ask
from engine.contract.events import RequestDone, RunFinished
from engine.contract.follower import Follower
from engine.contract.run_directory import RunDirectory
from tests.tui.board import (
    FakeLauncher,
    append,
    board,
    look,
    new_run,
    running,
    started,
    step,
    told,
    watch,
)
from tui.acting import GRACE, SILENCE, Acting
from tui.launching import Outcome
from tui.run_list import WatchedRun
from tui.screens.choice import ChoiceDialog
from tui.screens.epochs import EpochsDialog


class Clock:
    """Goes when it is told to."""

    def __init__(self) -> None:
        self.now = 1e9

    def __call__(self) -> float:
        return self.now


def watched(run: RunDirectory) -> WatchedRun:
    seen = WatchedRun(run, Follower(run.events))
    seen.look()
    return seen


def requests(run: RunDirectory) -> list[dict[str, object]]:
    lines = run.control.read_text().splitlines() if run.control.exists() else []
    return [json.loads(line) for line in lines]


def answer(run: RunDirectory, outcome: str, epochs: int = 3) -> None:
    """To the last request, as the engine gives it."""
    last = requests(run)[-1]
    done = RequestDone(
        time=1.0,
        id=str(last["id"]),
        request=str(last["request"]),
        outcome=outcome,
        epochs=epochs,
        planned_end=2 * epochs,
    )
    append(run, done)


def offered(acting: Acting, seen: WatchedRun) -> list[str]:
    return [choice.id for choice in acting.ladder(seen) if not choice.why_not]


def test_each_rung_is_offered_once_the_one_before_was_acknowledged(tmp_path: Path) -> None:
    clock, sent = Clock(), list[tuple[int, int]]()
    acting = Acting(clock, lambda pid, number: sent.append((pid, number)))
    run = running(tmp_path)
    seen = watched(run)
    assert offered(acting, seen) == ["epoch", "step"]
    acting.ask(run, "stop")
    clock.now = float(str(requests(run)[-1]["time"]))
    assert offered(acting, seen) == ["epoch"]
    answer(run, "stops at step 2")
    seen.look()
    assert offered(acting, seen) == ["epoch", "terminate"]
    assert "acknowledged: stops at step 2" in [c.why_not for c in acting.ladder(seen)]
    assert acting.answers([seen]) == ["ants: stop: stops at step 2"]
    assert acting.answers([seen]) == [], "an answer is told once"
    assert acting.signal(run, signal.SIGTERM)
    assert "kill" not in offered(acting, seen)
    clock.now += GRACE
    assert "kill" in offered(acting, seen)
    assert sent == [(os.getpid(), signal.SIGTERM)]


def test_an_engine_that_does_not_answer_can_be_terminated_after_a_while(tmp_path: Path) -> None:
    clock = Clock()
    acting = Acting(clock)
    run = running(tmp_path)
    acting.ask(run, "stop")
    clock.now = float(str(requests(run)[-1]["time"])) + SILENCE
    assert "terminate" in offered(acting, watched(run))


def test_a_run_that_ended_before_it_answered_is_told(tmp_path: Path) -> None:
    acting, run = Acting(), running(tmp_path)
    acting.ask(run, "evaluate")
    run.lock.unlink()
    append(run, RunFinished(time=1.0, step=2, epochs=1.0, seconds=1.0))
    assert acting.answers([watched(run)]) == ["ants: evaluate: the run ended before it answered"]
    assert not acting.signal(run, signal.SIGTERM), "there is no process to send it to"


def test_s_asks_for_a_stop_and_tells_the_answer(tmp_path: Path) -> None:
    run, app = running(tmp_path), board(tmp_path)

    async def test(pilot: Pilot[None]) -> None:
        await pilot.press("s")
        await pilot.pause()
        assert isinstance(app.screen, ChoiceDialog)
        await pilot.press("down", "enter")
        await pilot.pause()
        assert [(r["request"], r.get("after")) for r in requests(run)] == [("stop", None)]
        answer(run, "stops at step 2")
        await look(app, pilot)
        assert "stop: stops at step 2" in told(app)

    watch(app, test, (80, 24))


def test_the_first_rung_is_after_this_epoch_and_escape_asks_nothing(tmp_path: Path) -> None:
    run, app = running(tmp_path), board(tmp_path)

    async def test(pilot: Pilot[None]) -> None:
        await pilot.press("s", "escape")
        await pilot.pause()
        assert requests(run) == []
        await pilot.press("s", "enter")
        await pilot.pause()
        assert [r["after"] for r in requests(run)] == ["epoch"]

    watch(app, test, (80, 24))


@pytest.mark.parametrize(("key", "kind"), [("c", "checkpoint"), ("v", "evaluate")])
def test_a_checkpoint_or_an_evaluation_is_one_key(tmp_path: Path, key: str, kind: str) -> None:
    run, app = running(tmp_path), board(tmp_path)

    async def test(pilot: Pilot[None]) -> None:
        await pilot.press(key)
        assert [r["request"] for r in requests(run)] == [kind]
        answer(run, "val/loss 0.25")
        await look(app, pilot)
        assert f"{kind}: val/loss 0.25" in told(app)

    watch(app, test, (80, 24))


def test_plus_asks_for_epochs_and_refuses_too_few(tmp_path: Path) -> None:
    run, app = running(tmp_path), board(tmp_path)

    async def test(pilot: Pilot[None]) -> None:
        await pilot.press("plus")
        await pilot.pause()
        assert isinstance(app.screen, EpochsDialog)
        entry = app.screen.query_one(Input)
        assert entry.value == "4"
        entry.value = "0"
        await pilot.press("enter")
        assert requests(run) == []
        entry.value = "7"
        await pilot.press("enter")
        await pilot.pause()
        assert [(r["request"], r["epochs"]) for r in requests(run)] == [("epochs", 7)]

    watch(app, test, (80, 24))


KEYS = ("s", "c", "v", "plus", "R")


@pytest.mark.parametrize("key", KEYS)
def test_a_run_on_another_host_is_looked_at_only(tmp_path: Path, key: str) -> None:
    run, app = running(tmp_path, host="far"), board(tmp_path)

    async def test(pilot: Pilot[None]) -> None:
        await pilot.press(key)
        await pilot.pause()
        assert "it runs on far: it can be asked there" in told(app)
        assert app.screen is app.main
        assert requests(run) == []

    watch(app, test, (80, 24))
    assert app.main.running() == []


@pytest.mark.parametrize("key", [*KEYS, "r"])
def test_read_only_starts_and_asks_nothing_and_says_why(tmp_path: Path, key: str) -> None:
    (tmp_path / "ants.toml").touch()
    launcher = FakeLauncher()
    run, app = running(tmp_path), board(tmp_path, read_only=True, launcher=launcher)

    async def test(pilot: Pilot[None]) -> None:
        await pilot.press(key)
        await pilot.pause()
        assert "--read-only" in told(app)
        assert app.screen is app.main
        assert (requests(run), launcher.asked) == ([], [])

    watch(app, test, (80, 24))


def stopped(folder: Path, *, finished: bool) -> RunDirectory:
    run = new_run(folder)
    append(run, started(), step(0))
    if finished:
        append(run, RunFinished(time=1.0, step=6, epochs=3.0, seconds=1.0))
    return run


def test_resuming_a_lost_run_asks_nothing_more(tmp_path: Path) -> None:
    run = stopped(tmp_path, finished=False)
    launcher = FakeLauncher(started=Outcome(run=run.path))
    app = board(tmp_path, launcher=launcher)

    async def test(pilot: Pilot[None]) -> None:
        await pilot.press("R")
        await pilot.pause()
        assert launcher.asked == [("resume", run.id, None)]
        assert "under way" in told(app)

    watch(app, test, (80, 24))


def test_resuming_a_finished_run_asks_how_far(tmp_path: Path) -> None:
    run = stopped(tmp_path, finished=True)
    launcher = FakeLauncher(started=Outcome(words="the disk is full"))
    app = board(tmp_path, launcher=launcher)

    async def test(pilot: Pilot[None]) -> None:
        await pilot.press("R")
        await pilot.pause()
        assert isinstance(app.screen, EpochsDialog)
        await pilot.press("enter")
        await pilot.pause()
        assert launcher.asked == [("resume", run.id, 4)]

    watch(app, test, (80, 24))


def test_what_is_asked_from_elsewhere_is_no_answer_of_ours(tmp_path: Path) -> None:
    acting, run = Acting(), running(tmp_path)
    ask(run, "checkpoint")
    answer(run, "saved checkpoints/last.pt")
    assert acting.answers([watched(run)]) == []

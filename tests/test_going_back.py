"""Resumed from an earlier checkpoint, a run trains the very same numbers once more."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from engine.checkpoint import install, intact, load, write
from engine.contract.follower import read_state
from engine.contract.run_directory import RunDirectory
from tests.test_resume import assert_same
from tests.training import Zygote, differences, only_run

KEPT = ["train.epochs=3", "checkpoint.keep=3"]
STEPS_PER_EPOCH = 4


def train(zygote: Zygote, experiment: Path, runs: Path, *more: str) -> RunDirectory:
    assert zygote.train(path=experiment, runs=runs, overrides=[*KEPT, *more]) == 0
    return only_run(runs)


@pytest.fixture(scope="module")
def whole(
    zygote: Zygote, experiment: Path, tmp_path_factory: pytest.TempPathFactory
) -> RunDirectory:
    """Three epochs, each with its checkpoint; the best is a later one than the first."""
    run = train(zygote, experiment, tmp_path_factory.mktemp("whole"))
    assert load(run.checkpoints / "best.pt")["progress"]["step"] > STEPS_PER_EPOCH
    return run


@pytest.fixture
def copy(whole: RunDirectory, tmp_path: Path) -> RunDirectory:
    run = RunDirectory(tmp_path / "small" / whole.id)
    shutil.copytree(whole.path, run.path)
    return run


def aside(run: RunDirectory) -> list[str]:
    return sorted(path.name for path in run.checkpoints.glob("set-aside-*/*.pt"))


def step_of(path: Path) -> Any:
    return load(path)["progress"]["step"]


@pytest.mark.parametrize("name", ["epoch-0001.pt", "epoch-0002", "checkpoints/epoch-0001.pt"])
def test_it_gives_exactly_the_numbers_of_the_first_time(
    zygote: Zygote, whole: RunDirectory, copy: RunDirectory, name: str
) -> None:
    assert zygote.train(path=copy.path, resume=True, **{"from": name}) == 0
    assert_same(copy, whole)
    resumed = read_state(copy.events).resumed
    assert resumed is not None
    assert resumed.checkpoint == f"checkpoints/{Path(name).stem}.pt"


def test_the_checkpoints_of_later_steps_are_set_aside_and_this_is_told(
    zygote: Zygote, whole: RunDirectory, copy: RunDirectory
) -> None:
    # Killed at its first step: what is there then is what going back has left.
    killed = {STEPS_PER_EPOCH: "SIGKILL"}
    assert zygote.train(path=copy.path, resume=True, at=killed, **{"from": "epoch-0001"}) == -9
    assert aside(copy) == ["best.pt", "epoch-0002.pt", "epoch-0003.pt", "last.pt"]
    assert all(map(intact, copy.checkpoints.glob("set-aside-*/*.pt")))
    there = {path.name: step_of(path) for path in copy.checkpoints.glob("*.pt")}
    assert there == dict.fromkeys(["best.pt", "epoch-0001.pt", "last.pt"], STEPS_PER_EPOCH)
    assert all(map(intact, copy.checkpoints.glob("*.pt")))
    state = read_state(copy.events)
    assert {saved.step for saved in state.checkpoints} <= {3, STEPS_PER_EPOCH}
    (warned,) = (warned for warned in state.warnings if "set aside" in warned.what)
    assert "of later steps: best.pt, epoch-0002.pt" in warned.what
    assert warned.where.startswith("checkpoints/set-aside-")

    # And an ordinary resume goes on from there, not from what was before.
    assert zygote.train(path=copy.path, resume=True) == 0
    assert_same(copy, whole)


def test_the_last_checkpoint_by_its_name_is_an_ordinary_resume(
    zygote: Zygote, experiment: Path, whole: RunDirectory, tmp_path: Path
) -> None:
    at = {5: "SIGTERM"}
    assert zygote.train(path=experiment, runs=tmp_path, at=at, overrides=KEPT) == 3
    run = only_run(tmp_path)
    assert zygote.train(path=run.path, resume=True, **{"from": "last"}) == 0
    assert aside(run) == []
    assert_same(run, whole)


def test_a_best_that_was_deleted_since_is_told_and_the_numbers_are_the_same(
    zygote: Zygote, experiment: Path, tmp_path: Path
) -> None:
    run = train(zygote, experiment, tmp_path / "runs", "checkpoint.keep=3")
    for name in ("epoch-0001.pt", "epoch-0001.pt.sha256"):
        (run.checkpoints / name).unlink()
    first = load(run.checkpoints / "epoch-0002.pt")
    if first["progress"]["best_step"] != STEPS_PER_EPOCH:
        first["progress"]["best_step"] = STEPS_PER_EPOCH  # a first epoch that was the best
        replace(run, "epoch-0002.pt", first)
    numbers = load(run.checkpoints / "last.pt")["model"]
    assert zygote.train(path=run.path, resume=True, **{"from": "epoch-0002"}) == 0
    told = "; ".join(warned.what for warned in read_state(run.events).warnings)
    assert "the best until then (step 4) was deleted" in told
    assert differences(load(run.checkpoints / "last.pt")["model"], numbers) == []


def replace(run: RunDirectory, name: str, content: dict[str, Any]) -> None:
    written = write(run.checkpoints, content)
    install(written, run.checkpoints / name)
    written.path.unlink()


def test_a_checkpoint_that_is_not_there_or_damaged_is_refused_and_nothing_is_moved(
    zygote: Zygote, whole: RunDirectory, copy: RunDirectory
) -> None:
    assert zygote.train(path=copy.path, resume=True, **{"from": "epoch-0009"}) == 2
    assert "no checkpoint epoch-0009.pt" in zygote.log.read_text()
    path = copy.checkpoints / "epoch-0001.pt"
    path.write_bytes(path.read_bytes()[:-1])
    assert zygote.train(path=copy.path, resume=True, **{"from": "epoch-0001"}) == 2
    assert "epoch-0001.pt is damaged" in zygote.log.read_text()
    assert zygote.train(path=copy.path, resume=True, **{"from": "epoch-0003"}) == 2, "all done"
    assert aside(copy) == []
    assert copy.events.read_bytes() == whole.events.read_bytes()

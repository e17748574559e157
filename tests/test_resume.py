"""A run that was stopped or killed anywhere, and resumed, is the run that never was."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from engine.checkpoint import load
from engine.contract.follower import read_state
from engine.contract.run_directory import RunDirectory
from engine.contract.runs import status
from tests.training import STEPS, Numbers, Zygote, differences, only_run, write_experiment


def test_the_undisturbed_run_has_every_step_and_trains(undisturbed: RunDirectory) -> None:
    numbers = Numbers.of(undisturbed)
    assert [step for step, *_ in numbers.steps] == list(range(STEPS))
    assert len(numbers.validated) == 2
    assert len({str(lr) for _, _, _, lr, _ in numbers.steps}) > 4, "the learning rates move"


@pytest.mark.parametrize("by", [{"request": "stop"}, "SIGTERM", "SIGKILL"], ids=str)
@pytest.mark.parametrize("step", range(STEPS))
def test_a_run_that_is_interrupted_at_any_step_and_resumed_is_the_undisturbed_one(
    zygote: Zygote,
    experiment: Path,
    undisturbed: RunDirectory,
    tmp_path: Path,
    step: int,
    by: object,
) -> None:
    code = zygote.train(path=experiment, runs=tmp_path, at={step: by})
    run = only_run(tmp_path)
    assert (code, status(run).state) == ((-9, "lost") if by == "SIGKILL" else (3, "stopped"))
    if by != "SIGKILL":
        assert load(run.checkpoints / "last.pt")["progress"]["step"] == step + 1

    assert zygote.train(path=run.path, resume=True) == 0

    assert_same(run, undisturbed)


def assert_same(run: RunDirectory, undisturbed: RunDirectory) -> None:
    """All events and whole checkpoints, at tolerance 0."""
    assert Numbers.of(run) == Numbers.of(undisturbed)
    names = sorted(path.name for path in undisturbed.checkpoints.glob("*.pt"))
    assert sorted(path.name for path in run.checkpoints.glob("*.pt")) == names
    for name in names:
        mine, theirs = load(run.checkpoints / name), load(undisturbed.checkpoints / name)
        assert differences(mine, theirs) == []


def test_a_damaged_checkpoint_is_passed_over_with_a_warning_and_the_run_is_still_exact(
    zygote: Zygote, experiment: Path, undisturbed: RunDirectory, tmp_path: Path
) -> None:
    assert zygote.train(path=experiment, runs=tmp_path, at={5: "SIGTERM"}) == 3
    run = only_run(tmp_path)
    last = run.checkpoints / "last.pt"
    last.write_bytes(last.read_bytes()[:-1])
    assert zygote.train(path=run.path, resume=True) == 0
    state = read_state(run.events)
    assert state.resumed is not None
    assert (state.resumed.checkpoint, state.resumed.step) == ("checkpoints/best.pt", 4)
    assert any("last.pt is damaged" in warning.what for warning in state.warnings)
    assert_same(run, undisturbed)


def test_without_any_intact_checkpoint_resuming_is_refused_and_says_what_to_do(
    zygote: Zygote, experiment: Path, tmp_path: Path
) -> None:
    assert zygote.train(path=experiment, runs=tmp_path, at={0: "SIGTERM"}) == 3
    run = only_run(tmp_path)
    (run.checkpoints / "last.pt").write_bytes(b"")
    assert zygote.train(path=run.path, resume=True) == 2
    assert "every checkpoint" in zygote.log.read_text()


def test_a_stop_after_the_epoch_leaves_at_its_end_and_goes_on_exactly(
    zygote: Zygote, experiment: Path, undisturbed: RunDirectory, tmp_path: Path
) -> None:
    ask = {"request": "stop", "after": "epoch"}
    assert zygote.train(path=experiment, runs=tmp_path, at={1: ask}) == 3
    run = only_run(tmp_path)
    assert load(run.checkpoints / "last.pt")["progress"]["step"] == STEPS // 2
    assert zygote.train(path=run.path, resume=True) == 0
    assert_same(run, undisturbed)


def test_more_epochs_after_the_end_are_those_of_a_run_that_was_longer_from_the_start(
    zygote: Zygote, experiment: Path, undisturbed: RunDirectory, tmp_path: Path
) -> None:
    longer = ["train.epochs=3"]
    assert zygote.train(path=experiment, runs=tmp_path / "whole", overrides=longer) == 0
    copy = RunDirectory(tmp_path / "copy" / "small" / undisturbed.id)
    shutil.copytree(undisturbed.path, copy.path)
    assert zygote.train(path=copy.path, resume=True) == 2, "all epochs are done"
    assert zygote.train(path=copy.path, resume=True, overrides=longer) == 0
    whole = only_run(tmp_path / "whole")
    assert Numbers.of(copy) == Numbers.of(whole)
    mine, theirs = (load(run.checkpoints / "last.pt") for run in (copy, whole))
    assert differences(mine, theirs) == []
    assert read_state(copy.events).resumed.changed == ["train.epochs: 2 → 3"]


def test_images_that_were_added_since_are_refused(zygote: Zygote, tmp_path: Path) -> None:
    path = write_experiment(tmp_path)
    assert zygote.train(path=path, runs=tmp_path / "runs", at={0: "SIGTERM"}) == 3
    shutil.copy(tmp_path / "images/train/bee/000.png", tmp_path / "images/train/bee/999.png")
    run = only_run(tmp_path / "runs")
    assert zygote.train(path=run.path, resume=True) == 2
    assert "not the samples" in zygote.log.read_text()

"""What happens in the middle of a training: requests, bad images, a loss that explodes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.checkpoint import intact, load
from engine.contract.events import RunFailed, RunFinished, RunStarted, Step, Validated
from engine.contract.follower import Follower, read_state
from engine.contract.run_directory import RunDirectory
from engine.contract.runs import status
from tests.training import Numbers, Zygote, only_run, write_experiment


def test_the_events_tell_the_story_in_order(undisturbed: RunDirectory) -> None:
    events = list(Follower(undisturbed.events).events())
    assert isinstance(events[0], RunStarted)
    assert isinstance(events[-1], RunFinished)
    assert events[0].groups == ["default", "head"]
    assert (events[0].steps_per_epoch, events[0].planned_end) == (4, 8)
    kinds = [type(e) for e in events if isinstance(e, Step | Validated)]
    assert kinds == [Step] * 4 + [Validated] + [Step] * 4 + [Validated]
    assert status(undisturbed).state == "finished"


def test_the_plateau_acts_after_validation_and_the_cycle_every_step(
    undisturbed: RunDirectory,
) -> None:
    """CyclicLR alone: 0.01 + 0.09 * (0, 1/3, 2/3, 1, …), as a factor of each group's base lr.

    The plateau with a threshold of a half counts the second epoch as a bad one, but it acts only
    after that epoch: no step of these two epochs sees it.
    """
    cycle = [0.01 + 0.09 * part / 3 for part in (0, 1, 2, 3, 2, 1, 0, 1)]
    steps = [e for e in Follower(undisturbed.events).events() if isinstance(e, Step)]
    for step, lr in zip(steps, cycle, strict=True):
        assert step.lr == pytest.approx([lr, lr], rel=1e-12)


def test_frozen_layers_are_bit_identical_to_their_start_and_the_rest_has_moved(
    zygote: Zygote, experiment: Path, undisturbed: RunDirectory, tmp_path: Path
) -> None:
    assert zygote.train(path=experiment, runs=tmp_path, overrides=["optimizer.lr=0.0"]) == 0
    still = load(only_run(tmp_path).checkpoints / "last.pt")["model"]
    moved = load(undisturbed.checkpoints / "last.pt")["model"]
    same = {name for name in moved if torch.equal(still[name], moved[name])}
    assert "layers.0.weight" in same
    assert "layers.3.weight" not in same
    assert "layers.4.running_mean" not in same, "the statistics behind a layer that moved"


def test_a_validation_and_a_checkpoint_on_request_leave_no_trace_in_the_numbers(
    zygote: Zygote, experiment: Path, undisturbed: RunDirectory, tmp_path: Path
) -> None:
    at = {1: {"request": "evaluate"}, 2: {"request": "checkpoint"}, 5: {"request": "evaluate"}}
    assert zygote.train(path=experiment, runs=tmp_path, at=at) == 0
    run = only_run(tmp_path)
    state = read_state(run.events)
    asked = [event for event in state.validated if event.requested]
    assert [event.step for event in asked] == [2, 6]
    assert [done.request for done in state.requests.values()] == [
        "evaluate",
        "checkpoint",
        "evaluate",
    ]
    mine, theirs = Numbers.of(run), Numbers.of(undisturbed)
    mine.validated = [row for row in mine.validated if row[0] not in (2, 6)]
    assert mine == theirs


def test_the_number_of_epochs_can_be_changed_while_it_runs(
    zygote: Zygote, experiment: Path, tmp_path: Path
) -> None:
    at = {1: {"request": "epochs", "epochs": 1}}
    assert zygote.train(path=experiment, runs=tmp_path, at=at) == 0
    state = read_state(only_run(tmp_path).events)
    assert (state.epochs, state.planned_end, state.steps_done) == (1, 4, 4)


def test_a_line_that_is_no_request_is_told_and_disturbs_nothing(
    zygote: Zygote, experiment: Path, undisturbed: RunDirectory, tmp_path: Path
) -> None:
    at = {1: {"request": "dance"}}
    assert zygote.train(path=experiment, runs=tmp_path, at=at) == 0
    run = only_run(tmp_path)
    assert any("no request" in warning.what for warning in read_state(run.events).warnings)
    assert Numbers.of(run) == Numbers.of(undisturbed)


def test_a_loss_that_explodes_ends_the_run_and_names_step_samples_lr_and_checkpoint(
    zygote: Zygote, experiment: Path, tmp_path: Path
) -> None:
    overrides = ["optimizer.lr=1e30", "optimizer.group.0.lr=1e30", "scheduler=[]"]
    overrides += ["checkpoint.every_steps=1"]
    assert zygote.train(path=experiment, runs=tmp_path, overrides=overrides) == 1
    run = only_run(tmp_path)
    word = read_state(run.events).last_word
    assert isinstance(word, RunFailed)
    assert "the loss is nan at step" in word.error
    assert "lr 1e+30" in word.error
    assert ".png" in word.error
    assert "last.pt" in word.error
    assert word.remedy
    assert status(run).state == "failed"
    last = load(run.checkpoints / "last.pt")
    assert intact(run.checkpoints / "last.pt")
    assert last["progress"]["step"] < word.step, "nothing is saved of what has gone wrong"


@pytest.fixture
def with_a_broken_image(tmp_path: Path) -> Path:
    path = write_experiment(tmp_path)
    (tmp_path / "images/train/ant/003.png").write_bytes(b"not an image")
    return path


def test_an_image_that_cannot_be_read_is_named_and_ends_the_run(
    zygote: Zygote, with_a_broken_image: Path, tmp_path: Path
) -> None:
    assert zygote.train(path=with_a_broken_image, runs=tmp_path / "runs") == 1
    word = read_state(only_run(tmp_path / "runs").events).last_word
    assert isinstance(word, RunFailed)
    assert "ant/003.png" in word.error
    assert "skip_unreadable" in word.remedy


def test_unreadable_images_are_left_out_and_counted_on_request(
    zygote: Zygote, with_a_broken_image: Path, tmp_path: Path
) -> None:
    overrides = ["data.skip_unreadable=true"]
    runs = tmp_path / "runs"
    assert zygote.train(path=with_a_broken_image, runs=runs, overrides=overrides) == 0
    run = only_run(runs)
    (told,) = [w for w in read_state(run.events).warnings if "can't be read" in w.what]
    assert "ant/003.png" in told.what, "named once, though it was met in two epochs"
    progress = load(run.checkpoints / "last.pt")["progress"]
    assert [Path(name).name for name in progress["unreadable"]] == ["003.png"]


def test_a_disk_that_fills_up_leaves_the_checkpoint_before_and_the_run_goes_on(
    zygote: Zygote, experiment: Path, undisturbed: RunDirectory, tmp_path: Path
) -> None:
    at = {4: "full disk", 7: "room again"}
    assert zygote.train(path=experiment, runs=tmp_path, at=at) == 0
    run = only_run(tmp_path)
    (told,) = [w for w in read_state(run.events).warnings if "no checkpoint" in w.what]
    assert "step 6" in told.what
    assert Numbers.of(run) == Numbers.of(undisturbed)


def test_a_disk_that_is_full_at_the_end_is_a_failure_that_can_be_resumed(
    zygote: Zygote, experiment: Path, undisturbed: RunDirectory, tmp_path: Path
) -> None:
    assert zygote.train(path=experiment, runs=tmp_path, at={4: "full disk"}) == 1
    run = only_run(tmp_path)
    assert "could not be written" in status(run).reason
    assert intact(run.checkpoints / "last.pt")
    assert zygote.train(path=run.path, resume=True) == 0
    assert Numbers.of(run) == Numbers.of(undisturbed)


def test_a_step_without_a_target_that_counts_is_left_out_and_told_once(
    zygote: Zygote, experiment: Path, tmp_path: Path
) -> None:
    """A batch of one, and the bees are ignored: ten of the 26 steps have nothing to learn from."""
    overrides = ["data.batch_size=1", "train.accumulate=1", "train.epochs=1", "model.freeze=[]"]
    overrides += ["loss.ignore_index=1", "model.backbone=squeezenet1_1", "optimizer.lr=1e-4"]
    assert zygote.train(path=experiment, runs=tmp_path, overrides=overrides) == 0
    run = only_run(tmp_path)
    steps = [e for e in Follower(run.events).events() if isinstance(e, Step)]
    assert [e.loss is None for e in steps].count(True) == 10
    assert {e.skipped for e in steps if e.loss is None} == {"no target counts"}
    assert load(run.checkpoints / "last.pt")["progress"]["all_ignored"] == 10
    told = [w.what for w in read_state(run.events).warnings if "no target" in w.what]
    assert len(told) == 1

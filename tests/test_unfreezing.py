"""Whole trainings in which layers begin to train later, interrupted around that moment."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import torch

from engine.checkpoint import load
from engine.contract.events import RunStarted, Unfrozen
from engine.contract.follower import Follower
from engine.contract.run_directory import RunDirectory
from engine.contract.toml_file import read
from engine.display import Screen
from engine.run import build_located
from tests.training import EXPERIMENT, Numbers, Zygote, differences, only_run, write_experiment

STAGE = 'freeze = ["*"]\nunfreeze = [{ epoch = 1, layers = ["layers.14", "layers.15"] }]'
BEGIN = 4  # the step, of 8 in 2 epochs


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    text = EXPERIMENT.replace('freeze = ["layers.0"]', STAGE)
    return write_experiment(tmp_path_factory.mktemp("staged"), text)


@pytest.fixture(scope="module")
def whole(zygote: Zygote, staged: Path, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    runs = tmp_path_factory.mktemp("whole")
    assert zygote.train(path=staged, runs=runs) == 0
    return only_run(runs)


def test_the_layers_begin_to_train_with_their_epoch_and_the_others_never(
    staged: Path, whole: RunDirectory
) -> None:
    parts = build_located(read(staged, ["data.workers=0"]))
    start = parts.model.state_dict()  # the seed's
    parts.data.close()
    end = load(whole.checkpoints / "last.pt")["model"]
    moved = {name.rpartition(".")[0] for name in start if not torch.equal(start[name], end[name])}
    assert moved == {"layers.14", "layers.15", "classifier.1"}


def test_an_event_tells_it_and_the_screen_in_one_line(whole: RunDirectory) -> None:
    events = list(Follower(whole.events).events())
    (told,) = [event for event in events if isinstance(event, Unfrozen)]
    assert (told.step, told.epoch, told.layers) == (BEGIN, 1, ["layers.14", "layers.15"])
    started = events[0]
    assert isinstance(started, RunStarted)
    # MNASNet's last convolution at width 0.5: 160 to 1280 channels, and its norm layer.
    assert told.trainable == started.parameters.trainable + 160 * 1280 + 2 * 1280
    assert any("after 1 epoch: layers.14, layers.15 too" in line for line in started.report)
    shown = io.StringIO()
    Screen(whole, shown).look()
    (line,) = [line for line in shown.getvalue().splitlines() if "from here on" in line]
    assert line.startswith("epoch 2/2  from here on trains too: layers.14, layers.15  (")
    assert "under [model], or take freeze out" in shown.getvalue(), "brackets are no markup"


AT = [
    {2: {"request": "stop"}},
    {3: "SIGTERM"},  # before the epoch's end, with all of its batches done
    {1: {"request": "stop", "after": "epoch"}},  # exactly between the two
    {BEGIN: "SIGTERM"},
    {6: "SIGKILL"},
]


@pytest.mark.parametrize("at", AT, ids=str)
def test_a_run_interrupted_before_at_or_after_that_epoch_goes_on_exactly(
    zygote: Zygote, staged: Path, whole: RunDirectory, tmp_path: Path, at: dict[int, object]
) -> None:
    assert zygote.train(path=staged, runs=tmp_path, at=at) in (3, -9)
    run = only_run(tmp_path)
    assert zygote.train(path=run.path, resume=True) == 0
    assert Numbers.of(run) == Numbers.of(whole)
    mine, theirs = (load(each.checkpoints / "last.pt") for each in (run, whole))
    assert differences(mine, theirs) == []


def test_a_run_that_ends_before_that_epoch_warns_and_unfreezes_when_it_is_made_longer(
    zygote: Zygote, staged: Path, whole: RunDirectory, tmp_path: Path
) -> None:
    assert zygote.train(path=staged, runs=tmp_path, overrides=["train.epochs=1"]) == 0
    run = only_run(tmp_path)
    assert b"never happens" in run.events.read_bytes()
    assert zygote.train(path=run.path, resume=True, overrides=["train.epochs=2"]) == 0
    assert Numbers.of(run).steps == Numbers.of(whole).steps
    assert Numbers.of(run).unfrozen == Numbers.of(whole).unfrozen

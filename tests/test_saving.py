"""A checkpoint is written beside the training, and holds the step at which it was begun."""

from __future__ import annotations

import io
import math
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from engine import checkpoint, saving
from engine.checkpoint import Written, load
from engine.checkpoint_writer import CheckpointWriter
from engine.contract.control import ask
from engine.contract.events import CheckpointSaved, RequestDone, Step, Warned
from engine.contract.follower import Follower
from engine.contract.model import Model, Unfreeze
from engine.contract.optimizer import Adam
from engine.contract.problems import RunError
from engine.contract.training import Checkpoint
from engine.device_copy import DeviceCopy, fits
from engine.job import Job
from engine.loop import train
from engine.requests import Answers
from engine.saving import save_epoch, save_last, settle
from engine.snapshot import snapshot, unchanging
from tests.tiny import CLASSES, FEATURES, in_batches, job_of, parts_of, samples
from tests.training import TOP, differences

pytestmark = pytest.mark.usefixtures("one_thread")
PATIENCE = 60  # seconds, after which a test that waits has failed


class SlowDisk:
    """Checkpoints are written when it is let go; `writing` is set while one waits for that."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.writing, self.released = threading.Event(), threading.Event()
        self.real = checkpoint.write
        monkeypatch.setattr(checkpoint, "write", self.write)

    def write(self, folder: Path, content: dict[str, Any]) -> Written:
        self.writing.set()
        assert self.released.wait(PATIENCE)
        return self.real(folder, content)


@pytest.fixture
def slow_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowDisk]:
    disk = SlowDisk(monkeypatch)
    yield disk
    disk.released.set()


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """No checkpoint can be written any more, once it is called."""

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    return lambda: monkeypatch.setattr(checkpoint.HashingFile, "write", full)


@pytest.fixture
def no_room_for_best(monkeypatch: pytest.MonkeyPatch) -> None:
    real = checkpoint.install

    def without_best(written: Written, path: Path) -> None:
        if path.name == "best.pt":
            raise OSError(28, "No space left on device")
        real(written, path)

    monkeypatch.setattr(checkpoint, "install", without_best)


class Body(nn.Module):
    """Two of everything: one that can be frozen, and its statistics with it, and one that trains.
    `head` and `tied` are one parameter."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.early = nn.Sequential(nn.Linear(FEATURES, 8), nn.BatchNorm1d(8))
        self.late = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8))
        self.head = nn.Linear(8, CLASSES)
        self.tied = nn.Linear(8, CLASSES)
        self.tied.weight = self.head.weight

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        hidden = self.late(self.early(inputs).relu())
        return self.head(hidden) + self.tied(hidden)  # type: ignore[no-any-return]


def job(folder: Path, *, model: Model | None = None, epochs: int = 2, **given: Any) -> Job:
    """8 steps an epoch, Adam, validation."""
    parts = parts_of(
        in_batches(*samples(64), *[8] * 8),
        val=in_batches(*samples(16, seed=1), 16),
        model=Body(),
        heads=["head", "tied"],
        optimizer=Adam(lr=0.01),
        model_section=model or Model(backbone="resnet18"),
        train_section={"epochs": epochs},
        **given,
    )
    return job_of(parts, folder)


def saved_at_once(job: Job) -> dict[str, Any]:
    """The state as torch.save writes it in the middle of the loop, and as it is read again."""
    file = io.BytesIO()
    parts = job.parts
    state = {
        "model": parts.model.state_dict(),
        "optimizer": parts.optimizer.state_dict(),
        "schedule": parts.schedule.state_dict(),
        "progress": job.progress.state_dict(),
    }
    torch.save(state, file)
    file.seek(0)
    found: dict[str, Any] = torch.load(file, weights_only=True)
    return found


def spoil(job: Job) -> None:
    """All that a training may change, in place."""
    still = unchanging(job.parts)
    with torch.no_grad():
        for name, tensor in job.parts.model.state_dict().items():
            if name not in still:
                tensor.add_(1)
        for state in job.parts.optimizer.state.values():
            for tensor in state.values():
                tensor.add_(1)
    job.parts.optimizer.param_groups[0]["lr"] = 7.0
    job.progress.step += 100
    job.progress.kept.append([0.0, 0, "spoilt"])
    job.progress.unreadable.append("spoilt")


def epoch_ends(job: Job, epochs: int, val_loss: float) -> None:
    """After so many of 8 steps each."""
    job.progress.epoch, job.progress.step = epochs, 8 * epochs
    save_epoch(job, {"val/loss": val_loss})


def last(job: Job) -> dict[str, Any]:
    return load(job.keeper.run.checkpoints / "last.pt")


def events(job: Job) -> list[Any]:
    return list(Follower(job.keeper.run.events).events())


@pytest.mark.parametrize("freeze", [[], ["early"]], ids=str)
def test_what_is_written_is_the_state_of_its_moment_whatever_changes_before_it_is_written(
    tmp_path: Path, slow_disk: SlowDisk, freeze: list[str]
) -> None:
    it = job(tmp_path, model=Model(backbone="resnet18", freeze=freeze), epochs=1)
    slow_disk.released.set()
    train(it)
    slow_disk.released.clear()
    slow_disk.writing.clear()
    expected = saved_at_once(it)

    save_last(it)
    assert slow_disk.writing.wait(PATIENCE)
    spoil(it)
    slow_disk.released.set()
    assert settle(it)

    found = {key: last(it)[key] for key in expected}
    assert differences(found, expected) == []
    versions = [state["model"]._metadata for state in (found, expected)]
    assert versions[0] == versions[1]
    tied = [found["model"][f"{name}.weight"].data_ptr() for name in ("head", "tied")]
    assert tied[0] == tied[1], "tied weights are written once"


def test_steps_go_on_while_a_slow_disk_holds_up_a_checkpoint_of_an_earlier_one(
    tmp_path: Path, slow_disk: SlowDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is let go by step 6, which would never come if the loop waited for it."""
    it = job(tmp_path / "slow", epochs=1, checkpoint=Checkpoint(every_steps=3, keep=0))
    written_one_by_one(it)
    step = it.recorder.step
    read: list[dict[str, Any]] = []

    def handed(record: Any) -> None:
        step(record)
        if record.step == 5:  # the next checkpoint is due after it, and waits for this one
            slow_disk.released.set()

    monkeypatch.setattr(it.recorder, "step", handed)
    monkeypatch.setattr(checkpoint, "write", reading(read, slow_disk.write))
    train(it)
    told = [(type(e), e.step) for e in events(it) if isinstance(e, CheckpointSaved | Step)]
    assert told.index((CheckpointSaved, 3)) > told.index((Step, 5))
    assert [one["progress"]["step"] for one in read] == [3, 6, 8]

    monkeypatch.undo()
    undisturbed = job(tmp_path / "quick", epochs=1, checkpoint=Checkpoint(every_steps=3, keep=0))
    written_one_by_one(undisturbed)
    others: list[dict[str, Any]] = []
    monkeypatch.setattr(checkpoint, "write", reading(others, checkpoint.write))
    train(undisturbed)
    assert differences(read, others) == []


def reading(into: list[dict[str, Any]], write: Any) -> Any:
    """`write` that keeps what was in each file."""

    def and_read(folder: Path, content: dict[str, Any]) -> Written:
        written: Written = write(folder, content)
        into.append(load(written.path))
        return written

    return and_read


def test_of_large_copies_no_more_than_one_is_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = job(tmp_path, checkpoint=Checkpoint(every_steps=1))
    it.writer = CheckpointWriter(it.keeper, most=0)
    real, under_way, found = snapshot, [0], []

    def counted(*given: Any) -> Any:
        taken = real(*given)
        under_way[0] += 1
        found.append(under_way[0])
        return taken

    def done(folder: Path, content: dict[str, Any]) -> Written:
        written = write(folder, content)
        under_way[0] -= 1
        return written

    write = checkpoint.write
    monkeypatch.setattr("engine.saving.snapshot", counted)
    monkeypatch.setattr(checkpoint, "write", done)
    train(it)
    assert found == [1] * 18, "16 steps and two epochs"


def written_one_by_one(job: Job) -> None:
    job.writer = CheckpointWriter(job.keeper, pause=0, most=0)


def written_at_the_end(job: Job) -> None:
    job.writer = CheckpointWriter(job.keeper, pause=PATIENCE)


def checkpoints(job: Job) -> dict[str, Any]:
    """What is in each, by file name; all of them whole."""
    paths = sorted(job.keeper.run.checkpoints.glob("*.pt"))
    assert all(map(checkpoint.intact, paths))
    return {path.name: load(path) for path in paths}


def test_short_epochs_leave_the_same_checkpoints_in_fewer_files(tmp_path: Path) -> None:
    slow, quick = job(tmp_path / "slow", epochs=6), job(tmp_path / "quick", epochs=6)
    written_one_by_one(slow)
    written_at_the_end(quick)
    for it in (slow, quick):
        it.keeper.keep = 2
        train(it)
    assert len(checkpoints(slow)) == 4, "last, best and two epochs"
    assert differences(checkpoints(slow), checkpoints(quick)) == []
    told = [event for event in events(quick) if isinstance(event, CheckpointSaved)]
    assert sorted(event.path for event in told) == [f"checkpoints/{n}" for n in checkpoints(quick)]
    assert len(events(slow)) > len(events(quick))


@pytest.mark.parametrize("seed", range(8))
def test_whatever_is_written_together_is_what_would_have_been_written_one_by_one(
    tmp_path: Path, seed: int
) -> None:
    """Epochs of any metric, with the disk's turn between some of them."""
    draw = random.Random(seed)
    slow, quick = job(tmp_path / "slow", epochs=99), job(tmp_path / "quick", epochs=99)
    written_one_by_one(slow)
    written_at_the_end(quick)
    for it in (slow, quick):
        it.keeper.keep = 3
    for epoch in range(1, 13):
        metric = draw.choice([0.1, 0.2, 0.3, 0.4, math.nan])
        for it in (slow, quick):
            epoch_ends(it, epoch, metric)
        assert settle(slow)
        if draw.random() < 0.3:
            assert settle(quick)
            assert differences(checkpoints(slow), checkpoints(quick)) == []
            assert slow.progress == quick.progress
    assert settle(quick)
    assert differences(checkpoints(slow), checkpoints(quick)) == []


def test_what_last_names_is_there_whenever_the_engine_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = job(tmp_path, epochs=99)
    it.keeper.keep = 2
    written_at_the_end(it)
    real, seen = checkpoint.install, []

    def and_look(written: Written, path: Path) -> None:
        real(written, path)
        there = checkpoints(it)
        seen.append(set(there))
        if "last.pt" in there:
            progress = there["last.pt"]["progress"]
            assert {row[2] for row in progress["kept"]} <= set(there)
            assert "best.pt" in there

    monkeypatch.setattr(checkpoint, "install", and_look)
    for epoch, metric in enumerate([0.9, 0.8, 0.85, 0.4, 0.5, 0.3, 0.6], 1):
        epoch_ends(it, epoch, metric)
        if epoch in (2, 5, 7):
            assert settle(it)
    assert len(seen) == 11
    assert set(checkpoints(it)) == {"last.pt", "best.pt", "epoch-0004.pt", "epoch-0006.pt"}


def test_an_epoch_after_one_that_could_not_be_written_is_given_up_with_it(
    tmp_path: Path, slow_disk: SlowDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second epoch is held while the first, which is the better one, waits for the disk, and
    names it."""
    it = job(tmp_path, epochs=99)
    it.keeper.keep = 2
    it.writer = CheckpointWriter(it.keeper, pause=0)
    epoch_ends(it, 1, 0.1)
    assert slow_disk.writing.wait(PATIENCE)
    epoch_ends(it, 2, 0.2)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.HashingFile, "write", raising(OSError(28, "No space left")))
        slow_disk.released.set()
        assert not settle(it)
    assert (it.progress.best, it.progress.kept, checkpoints(it)) == (None, [], {})

    epoch_ends(it, 3, 0.3)
    assert settle(it)
    assert checkpoints(it)["best.pt"]["progress"]["best"] == 0.3
    assert set(checkpoints(it)) == {"last.pt", "best.pt", "epoch-0003.pt"}
    (told,) = [event for event in events(it) if isinstance(event, Warned)]
    assert "no checkpoint at step 8" in told.what


def test_what_names_a_best_that_could_not_be_written_is_not_written_in_the_same_turn(
    tmp_path: Path, no_room_for_best: None
) -> None:
    it = job(tmp_path, epochs=99)
    it.keeper.keep = 2
    written_at_the_end(it)
    for epoch, metric in enumerate([0.1, 0.2], 1):
        epoch_ends(it, epoch, metric)
    assert not settle(it)
    assert set(checkpoints(it)) == {"epoch-0001.pt"}
    assert (it.progress.best, it.progress.kept) == (None, [[0.1, 8, "epoch-0001.pt"]])


def test_a_request_is_answered_at_once_where_epochs_wait_for_their_turn(tmp_path: Path) -> None:
    it = job(tmp_path, epochs=99)
    written_at_the_end(it)
    epoch_ends(it, 1, 0.5)
    answered = threading.Event()
    it.progress.step = 11
    save_last(it, lambda saved: answered.set())
    assert answered.wait(PATIENCE / 2)
    assert last(it)["progress"]["step"] == 11
    assert checkpoints(it)["best.pt"]["progress"]["step"] == 8


def test_the_turn_comes_without_another_epoch(tmp_path: Path) -> None:
    """A short epoch, and then one that takes hours."""
    it = job(tmp_path, epochs=99)
    it.writer = CheckpointWriter(it.keeper, pause=0.1)
    epoch_ends(it, 1, 0.5)
    ends = time.monotonic() + PATIENCE
    while not it.writer.news().saved:
        assert time.monotonic() < ends
        time.sleep(0.01)
    assert last(it)["progress"]["step"] == 8


def test_what_never_trains_is_shared_and_what_ever_trains_is_copied(tmp_path: Path) -> None:
    unfreeze = [Unfreeze(epoch=1, layers=["late.1"])]
    it = job(tmp_path, model=Model(backbone="resnet18", freeze=["*"], unfreeze=unfreeze))
    before = {name: value.clone() for name, value in it.parts.model.state_dict().items()}
    train(it)
    after = it.parts.model.state_dict()
    same = {name for name in before if torch.equal(before[name], after[name])}
    assert set(unchanging(it.parts)) == same
    assert {name.rpartition(".")[0] for name in same} == {"early.0", "early.1", "late.0"}

    taken = snapshot(it, it.progress).on_cpu()["model"]
    shared = {name for name in after if after[name].data_ptr() == taken[name].data_ptr()}
    assert shared == same


def test_norm_layers_that_are_spared_from_freezing_are_copied(tmp_path: Path) -> None:
    model = Model(backbone="resnet18", freeze=["early"], freeze_norm=False)
    it = job(tmp_path, model=model)
    assert set(unchanging(it.parts)) == {"early.0.weight", "early.0.bias"}


def test_what_could_not_be_written_is_not_the_best_of_anything(
    tmp_path: Path, full_disk: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    it = job(tmp_path, epochs=3)
    it.keeper.keep = 2
    epoch_ends(it, 1, 0.5)
    assert settle(it)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.HashingFile, "write", raising(OSError(28, "No space left")))
        epoch_ends(it, 2, 0.1)
        assert not settle(it)
    save_last(it)
    assert settle(it)
    progress = last(it)["progress"]
    assert (progress["best"], progress["best_step"]) == (0.5, 8)
    assert progress["kept"] == [[0.5, 8, "epoch-0001.pt"]]
    files = {path.name for path in it.keeper.run.checkpoints.glob("*.pt")}
    assert files == {"last.pt", "best.pt", "epoch-0001.pt"}
    (told,) = [event for event in events(it) if isinstance(event, Warned)]
    assert "no checkpoint at step 16" in told.what


def raising(error: BaseException) -> Any:
    def fail(*_: object) -> Any:
        raise error

    return fail


def test_of_a_checkpoint_that_was_written_in_part_what_is_there_counts(
    tmp_path: Path, no_room_for_best: None
) -> None:
    it = job(tmp_path, epochs=3)
    it.keeper.keep = 2
    epoch_ends(it, 1, 0.5)
    assert not settle(it)
    assert it.progress.best is None
    assert it.progress.kept == [[0.5, 8, "epoch-0001.pt"]]
    announced = [event.path for event in events(it) if isinstance(event, CheckpointSaved)]
    assert announced == ["checkpoints/epoch-0001.pt"]
    assert (it.keeper.run.checkpoints / "epoch-0001.pt").exists()


def test_last_comes_last_so_that_it_names_nothing_that_is_not_there(tmp_path: Path) -> None:
    it = job(tmp_path, epochs=3)
    it.keeper.keep = 2
    epoch_ends(it, 1, 0.5)
    assert settle(it)
    assert [event.kind for event in events(it)] == ["epoch", "best", "last"]


def test_a_full_disk_at_the_last_epoch_is_a_failure_before_the_end_of_training(
    tmp_path: Path, full_disk: Callable[[], None]
) -> None:
    it = job(tmp_path, epochs=1)
    full_disk()
    with pytest.raises(RunError, match="the checkpoint of step 8 could not be written"):
        train(it)


def test_a_request_for_a_checkpoint_is_answered_when_it_is_there(
    tmp_path: Path, slow_disk: SlowDisk
) -> None:
    it = job(tmp_path)
    ask(it.keeper.run, "checkpoint")
    assert it.control.pending()
    assert Answers(it).give() == ""
    assert slow_disk.writing.wait(PATIENCE)
    assert events(it) == [], "nothing is there yet"
    slow_disk.released.set()
    assert settle(it)
    saved, done = events(it)
    assert isinstance(saved, CheckpointSaved)
    assert isinstance(done, RequestDone)
    assert done.outcome == "saved checkpoints/last.pt"


def test_a_request_for_a_checkpoint_that_could_not_be_written_is_told_so(
    tmp_path: Path, full_disk: Callable[[], None]
) -> None:
    it = job(tmp_path)
    full_disk()
    ask(it.keeper.run, "checkpoint")
    assert it.control.pending()
    assert Answers(it).give() == ""
    assert not settle(it)
    warned, done = events(it)
    assert isinstance(warned, Warned)
    assert done.outcome == "could not be written"


def test_what_the_writing_raises_is_raised_in_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = job(tmp_path)
    monkeypatch.setattr(checkpoint, "write", raising(TypeError("a bug")))
    save_last(it)
    with pytest.raises(TypeError, match="a bug"):
        settle(it)
    assert settle(it), "once"


def test_a_training_that_goes_wrong_names_the_checkpoint_that_was_still_being_written(
    tmp_path: Path, slow_disk: SlowDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is let go when the loss is found to be NaN, and is then waited for."""
    it = job(tmp_path, checkpoint=Checkpoint(every_steps=3))
    step, flush, finish = it.recorder.step, it.recorder.flush, saving.finish

    def handed(record: Any) -> None:
        if record.step == 4:
            record.loss = torch.tensor(float("nan"))
        step(record)
        flush()

    def go_wrong(wrong: Job) -> None:
        slow_disk.released.set()
        finish(wrong)

    monkeypatch.setattr(it.recorder, "step", handed)
    monkeypatch.setattr(saving, "finish", go_wrong)
    with pytest.raises(RunError, match=r"nan at step 4 .* the last checkpoint is .*last\.pt"):
        train(it)
    assert last(it)["progress"]["step"] == 3


@pytest.mark.parametrize("every", [1, 2])
def test_a_stop_after_an_epoch_leaves_a_checkpoint_of_it_also_where_none_is_due(
    tmp_path: Path, every: int
) -> None:
    it = job(tmp_path, epochs=4, checkpoint=Checkpoint(every=every))
    it.stop_after_epoch = True
    assert train(it).stopped
    assert (last(it)["progress"]["step"], last(it)["progress"]["epoch"]) == (8, 1)
    kinds = [event.kind for event in events(it) if isinstance(event, CheckpointSaved)]
    assert kinds == (["best", "last"] if every == 1 else ["last"]), "and writes nothing twice"


FORK = """
import os, threading
from types import SimpleNamespace
begun, going_on, there = threading.Event(), threading.Event(), threading.Event()

from engine.checkpoint import Progress
from engine.checkpoint_writer import CheckpointWriter, Pending

# Registered later, so called earlier: the fork is under way, and waits for what is being written.
os.register_at_fork(before=going_on.set)

class Slow:
    def save(self, content, progress, metric, names):
        begun.set()
        going_on.wait()
        threading.Event().wait(0.2)  # far longer than a fork that does not wait
        there.set()
        return frozenset(names)

def pending(epochs):
    taken = SimpleNamespace(nbytes=0, on_cpu=dict)
    return Pending(taken, Progress(), epochs, None, {"last": "last.pt"})

writer = CheckpointWriter(Slow())
writer.hold(pending(1), now=True)
begun.wait()
pid = os.fork()
if not pid:
    again = CheckpointWriter(Slow())  # the lock is open
    again.hold(pending(2), now=True)
    os._exit(0 if there.is_set() and again.wait().saved[0].epochs == 2 else 1)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), writer.wait().saved[0].epochs)
"""


def test_a_fork_waits_for_the_file_in_hand_so_that_no_child_inherits_the_locks_of_its_thread() -> (
    None
):
    told = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK],
        capture_output=True,
        text=True,
        cwd=TOP,
        timeout=PATIENCE,
        check=True,
    )
    assert told.stdout.split() == ["0", "1"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_the_copy_is_of_its_moment_and_goes_to_the_cpu_while_the_weights_change() -> None:
    device = torch.device("cuda:0")
    torch.manual_seed(0)
    weights = {
        "large": torch.randn(2**25, device=device),
        "channels last": torch.randn(8, 64, 3, 3, device=device).to(
            memory_format=torch.channels_last
        ),
        "with gaps": torch.randn(100, 100, device=device)[:, ::2],
        "half": torch.randn(1001, device=device).half(),
        "steps": torch.tensor(3.0),
        "none": torch.empty(0, device=device),
        "still": torch.randn(50, 50, device=device)[:, ::2],
    }
    expected = {name: tensor.to("cpu", copy=True) for name, tensor in weights.items()}
    taken = DeviceCopy({"model": weights}, device, [weights["still"]])
    for _ in range(100):
        for name, tensor in weights.items():
            if name != "still":
                tensor.add_(1)
    found = taken.on_cpu()["model"]
    assert differences(found, expected) == []
    assert {tensor.device.type for tensor in found.values()} == {"cpu"}
    assert found["channels last"].is_contiguous(memory_format=torch.channels_last)


def test_copies_stay_on_the_device_where_they_leave_the_steps_what_these_have_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A step has needed 60 of 100 bytes of the device: 32 more still fit, 40 do not."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (30, 100))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 70)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 60)
    device = torch.device("cuda:0")
    model = {"weight": on_cuda(8), "frozen": on_cuda(100), "steps": torch.zeros(100)}
    assert fits({"model": model, "tied": model["weight"]}, device, {id(model["frozen"])})
    assert not fits({"model": model, "momentum": on_cuda(2)}, device, {id(model["frozen"])})


def on_cuda(numbers: int) -> torch.Tensor:
    """Looks as if it were on a GPU, which most machines of the tests don't have."""

    class Pretended(torch.Tensor):
        is_cuda = True

    return torch.zeros(numbers).as_subclass(Pretended)  # type: ignore[return-value]

"""A checkpoint is the whole file or the one before, whatever happens."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch

from engine import checkpoint
from engine.checkpoint import Keeper, Progress, install, intact, load, newest_intact, write
from engine.contract.events import CheckpointSaved, Warned
from engine.contract.follower import read_state
from engine.contract.problems import InputError
from engine.contract.run_directory import RunDirectory, create
from engine.recorder import Recorder


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return create(tmp_path, "small", "", b"")


def content(step: int) -> dict[str, Any]:
    return {"model": {"weight": torch.full((10,), float(step))}, "progress": {"step": step}}


def put(run: RunDirectory, name: str, step: int) -> Path:
    written = write(run.checkpoints, content(step))
    install(written, run.checkpoints / name)
    written.path.unlink()
    return run.checkpoints / name


def test_a_checkpoint_is_read_back_with_its_hash_in_the_format_of_sha256sum(
    run: RunDirectory,
) -> None:
    path = put(run, "last.pt", 3)
    assert intact(path)
    assert torch.equal(load(path)["model"]["weight"], torch.full((10,), 3.0))
    verdict = subprocess.run(
        ["sha256sum", "-c", "last.pt.sha256"], cwd=run.checkpoints, capture_output=True, text=True
    )
    assert verdict.stdout == "last.pt: OK\n"


def test_damage_of_a_single_byte_is_seen(run: RunDirectory) -> None:
    path = put(run, "last.pt", 3)
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    assert not intact(path)


@pytest.mark.parametrize("moment", ["before the rename", "after the rename"])
def test_a_kill_between_the_file_and_its_hash_leaves_an_intact_checkpoint(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    path = put(run, "last.pt", 3)
    written = write(run.checkpoints, content(4))

    class KilledError(Exception):
        pass

    def kill(*_: object) -> None:
        raise KilledError

    if moment == "before the rename":
        monkeypatch.setattr(Path, "replace", _nth_call(Path.replace, 2, kill))
    else:
        monkeypatch.setattr(checkpoint, "sync_folder", kill)
    with pytest.raises(KilledError):
        install(written, path)
    assert intact(path)
    assert load(path)["progress"]["step"] == (3 if moment == "before the rename" else 4)


def _nth_call(real: Any, number: int, instead: Any) -> Any:
    calls = []

    def replace(self: Path, target: Path) -> Any:
        calls.append(target)
        return instead() if len(calls) == number else real(self, target)

    return replace


def test_resuming_falls_back_to_the_newest_intact_checkpoint(run: RunDirectory) -> None:
    put(run, "epoch-0001.pt", 10)
    put(run, "epoch-0002.pt", 20)
    put(run, "epoch-0003.pt", 30).write_bytes(b"half")
    put(run, "last.pt", 35).write_bytes(b"")
    found = newest_intact(run)
    assert found is not None
    assert found.path.name == "epoch-0002.pt"
    assert [path.name for path in found.damaged] == ["epoch-0003.pt", "last.pt"]


def test_without_any_intact_checkpoint_all_are_named(run: RunDirectory) -> None:
    put(run, "last.pt", 3).write_bytes(b"x")
    put(run, "best.pt", 3).write_bytes(b"x")
    with pytest.raises(InputError, match=r"best\.pt, last\.pt"):
        newest_intact(run)


def test_a_run_that_was_killed_before_its_first_checkpoint_has_none(run: RunDirectory) -> None:
    (run.checkpoints / ".checkpoint.1.tmp").write_bytes(b"half")
    assert newest_intact(run) is None


def keeper(run: RunDirectory, keep: int, better: str) -> tuple[Keeper, Recorder]:
    recorder = Recorder(run, torch.device("cpu"))
    return Keeper(run, recorder, keep=keep, better=better), recorder


@pytest.mark.parametrize(
    ("better", "best", "kept"),
    [
        ("min", 2, ["epoch-0002.pt", "epoch-0004.pt"]),
        ("max", 3, ["epoch-0001.pt", "epoch-0003.pt"]),
    ],
)
def test_the_best_two_and_best_and_last_are_kept(
    run: RunDirectory, better: str, best: int, kept: list[str]
) -> None:
    keep, recorder = keeper(run, 2, better)
    progress = Progress()
    for epoch, metric in enumerate([0.7, 0.2, 0.9, 0.3], start=1):
        progress.epoch, progress.step = epoch, epoch * 10
        is_best, is_kept = keep.rank(progress, metric)
        names = {"epoch": f"epoch-{epoch:04d}.pt"} if is_kept else {}
        names |= {"last": "last.pt"} | ({"best": "best.pt"} if is_best else {})
        assert keep.save(content(epoch), progress, metric, names)
    recorder.close()
    names = sorted(path.name for path in run.checkpoints.iterdir())
    files = ["best.pt", *kept, "last.pt"]
    assert names == sorted(name for file in files for name in (file, f"{file}.sha256"))
    assert load(run.checkpoints / "best.pt")["progress"]["step"] == best
    assert load(run.checkpoints / "last.pt")["progress"]["step"] == 4


def test_a_metric_that_is_nan_is_never_the_best(run: RunDirectory) -> None:
    keep, recorder = keeper(run, 2, "min")
    progress = Progress()
    assert keep.rank(progress, float("nan")) == (False, False)
    assert keep.rank(progress, None) == (False, False)
    assert progress.best is None
    recorder.close()


def test_a_full_disk_leaves_the_checkpoint_before_and_the_run_says_so(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep, recorder = keeper(run, 2, "min")
    progress = Progress(epoch=1, step=10)
    assert keep.save(content(1), progress, None, {"last": "last.pt"})

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint.HashingFile, "write", full)
    progress.step = 20
    assert not keep.save(content(2), progress, None, {"last": "last.pt"})
    recorder.close()
    assert intact(run.checkpoints / "last.pt")
    assert load(run.checkpoints / "last.pt")["progress"]["step"] == 1
    assert sorted(path.name for path in run.checkpoints.iterdir()) == ["last.pt", "last.pt.sha256"]
    (warning,) = read_state(run.events).warnings
    assert isinstance(warning, Warned)
    assert "step 20" in warning.what
    assert "No space left" in warning.what


def test_what_is_announced_is_there_with_that_hash(run: RunDirectory) -> None:
    keep, recorder = keeper(run, 1, "min")
    assert keep.save(content(1), Progress(epoch=1, step=10), 0.5, {"last": "last.pt"})
    recorder.close()
    (saved,) = read_state(run.events).checkpoints
    assert isinstance(saved, CheckpointSaved)
    path = run.path / saved.path
    assert saved.bytes == path.stat().st_size
    assert saved.sha256 in path.with_name("last.pt.sha256").read_text()

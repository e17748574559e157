"""In what order the runs are, and that 500 of them are quick."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest

from engine.contract.events import CheckpointSaved, RunFailed, RunFinished, RunResumed, Validated
from engine.contract.run_directory import RunDirectory
from tests.tui.board import append, started
from tui.run_filter import parse
from tui.run_list import RunList, WatchedRun
from tui.run_order import RunWords, arranged, facts_of

EXPERIMENT = '[model]\nbackbone = "{0}"\n[optimizer]\nname = "SGD"\nlr = {1}\n'


def made(
    root: Path,
    number: int,
    name: str,
    *,
    best: float | None = None,
    monitor: str = "val/accuracy",
    ended: bool = True,
    more: str = "",
) -> None:
    run = RunDirectory(root / name / f"20260101-{number:06}-aaaa")
    run.checkpoints.mkdir(parents=True)
    backbone = "resnet18" if number % 2 else "resnet50"
    run.experiment.write_text(EXPERIMENT.format(backbone, number / 1000) + more)
    append(run, msgspec.structs.replace(started(), monitor=monitor, time=float(number)))
    if best is not None:
        metrics = {monitor: best, "val/loss": 1.0}
        append(
            run,
            Validated(time=float(number), step=2, epoch=0, metrics=metrics, seconds=1.0),
            CheckpointSaved(
                time=float(number), step=2, epoch=1, path="checkpoints/best.pt", kind="best",
                metric=best, sha256="", bytes=1,
            ),
        )  # fmt: skip
    totals = {"time": float(number), "step": 2, "epochs": 1.0, "seconds": 1.0}
    if ended:
        append(run, RunFinished(**totals))
    elif best is None:
        append(run, RunFailed(**totals, error="nan", remedy=""))


def runs_of(root: Path) -> list[WatchedRun]:
    runs = RunList(root)
    runs.search()
    return runs.look()


@pytest.fixture
def runs(tmp_path: Path) -> list[WatchedRun]:
    made(tmp_path, 1, "bees", best=0.8)
    made(tmp_path, 2, "ants", ended=False)  # failed
    made(tmp_path, 3, "Cats", best=0.9, ended=False)  # lost
    made(tmp_path, 4, "ants", best=0.25, monitor="val/loss")
    made(tmp_path, 5, "dogs", best=0.5, monitor="val/loss", more='[checkpoint]\nmode = "max"\n')
    return runs_of(tmp_path)


def numbers(runs: list[WatchedRun]) -> list[int]:
    return [int(watched.run.id.split("-")[1]) for watched in runs]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("newest first", [5, 4, 3, 2, 1]),
        ("by name", [4, 2, 1, 3, 5]),
        ("by state", [2, 3, 5, 4, 1]),
        ("best first", [3, 1, 5, 4, 2]),  # by metric; 5 says that more is better; 2 has none
        ("most epochs", [5, 4, 3, 1, 2]),
        ("last heard of", [5, 4, 3, 2, 1]),
    ],
)
def test_the_orders(runs: list[WatchedRun], order: str, expected: list[int]) -> None:
    assert numbers(arranged(runs, order, ())) == expected
    pinned = {watched.run.path for watched in runs if numbers([watched]) in ([1], [4])}
    on_top = [number for number in expected if number in (1, 4)]
    below = [number for number in expected if number not in (1, 4)]
    assert numbers(arranged(runs, order, pinned)) == [*on_top, *below]


def test_a_filter_asks_runs_as_they_are(runs: list[WatchedRun]) -> None:
    def found(text: str) -> list[int]:
        asked = parse(text, RunWords(runs))
        return numbers([watched for watched in runs if asked(facts_of(watched))])

    assert found("backbone = resnet18") == [5, 3, 1]
    assert found("lr >= 0.004") == [5, 4]
    assert found("state = failed") == [2]
    assert found("best >= 0.5 and accuracy > 0.1") == [3, 1]
    assert found("ants epoch = 1") == [4]
    assert found("000003") == [3]


def test_500_runs_are_filtered_and_sorted_in_a_blink(tmp_path: Path) -> None:
    for number in range(500):
        made(tmp_path, number, f"run{number % 7}", best=number / 500)
    runs = runs_of(tmp_path)
    began = time.perf_counter()
    asked = parse("backbone = resnet* and lr > 0.1 and best accuracy > 0.5", RunWords(runs))
    kept = [watched for watched in runs if asked(facts_of(watched))]
    kept = arranged(kept, "best first", ())
    took = time.perf_counter() - began
    assert numbers(kept) == list(range(499, 250, -1))
    assert took < 0.25  # 20 ms where nothing else runs


def test_settings_are_read_once_and_again_after_a_resume(runs: list[WatchedRun]) -> None:
    (watched,) = [run for run in runs if numbers([run]) == [1]]
    before = watched.settings()
    assert before["optimizer.lr"] == 0.001
    assert watched.settings() is before
    watched.run.experiment.write_text("broken [")
    assert watched.settings() is before
    resumed = RunResumed(
        time=9.0, step=2, epoch=1, checkpoint="", version="1", pid=8, host="h", device="cpu",
        epochs=4, planned_end=8,
    )  # fmt: skip
    append(watched.run, resumed)
    watched.look()
    assert watched.settings() == {}

"""`ptrain compare`, from run directories that were written by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.cli import main
from engine.contract.events import CheckpointSaved, RunFailed, RunFinished, Validated, encode
from engine.contract.run_directory import RunDirectory, create
from tests.tui.board import started

TEXT = '[data]\nroot = "/data/{0}"\n[optimizer]\nname = "SGD"\nlr = {1}\n'


def run(root: Path, data: str, lr: float, accuracy: float | None) -> RunDirectory:
    made = create(root, "ants", TEXT.format(data, lr), b"")
    begun = started(epochs=3)
    metrics = {"val/loss": 0.5, "val/accuracy": accuracy}
    saved = CheckpointSaved(
        time=1.0, step=2, epoch=1, path="checkpoints/best.pt", kind="best", metric=0.5, sha256="",
        bytes=1,
    )  # fmt: skip
    validated = Validated(time=1.0, step=2, epoch=0, metrics=metrics, seconds=0.1)
    totals = {"time": begun.time + 250, "step": 2, "epochs": 1.0, "seconds": 9.0}
    over = (
        RunFailed(**totals, error="the loss is nan", remedy="")
        if accuracy is None
        else RunFinished(**totals)
    )
    made.events.write_bytes(b"".join(map(encode, (begun, validated, saved, over))))
    return made


@pytest.fixture
def runs(tmp_path: Path) -> list[RunDirectory]:
    return [run(tmp_path, "a", 0.1, 0.9), run(tmp_path, "b", 0.01, None)]


def compare(*arguments: object, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("sys.argv", ["ptrain", "compare", *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        main()
    assert isinstance(left.value.code, int)
    return left.value.code


def test_runs_stand_beside_each_other_with_what_differs_and_nothing_else(
    runs: list[RunDirectory],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert compare(*(run.path for run in runs), monkeypatch=monkeypatch) == 0
    rows = [row.split() for row in capsys.readouterr().out.splitlines()]
    assert rows == [
        ["ants", "ants"],
        [run.id for run in runs],
        ["state", "finished", "failed"],
        ["epochs", "1/3", "1/3"],
        ["best", "0.5", "0.5"],
        ["val/loss", "0.5", "0.5"],
        ["val/accuracy", "0.9", "nan"],
        ["time", "4", "min", "10", "s", "4", "min", "10", "s"],
        [],
        ["data.root", "…/a", "…/b"],
        ["optimizer.lr", "0.1", "0.01"],
    ]


def test_a_program_gets_one_object_with_the_values_as_they_are(
    runs: list[RunDirectory],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert compare(*(run.path for run in runs), "--json", monkeypatch=monkeypatch) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["settings"] == {"data.root": ["/data/a", "/data/b"], "optimizer.lr": [0.1, 0.01]}
    first, second = told["runs"]
    assert (first["run"], first["state"], first["epochs_done"]) == (runs[0].id, "finished", 1)
    assert (second["metrics"], second["best"]) == ({"val/loss": 0.5, "val/accuracy": None}, 0.5)
    assert first["seconds"] == 250


def test_a_setting_that_is_no_finite_number_is_told_in_json_as_it_is_written(
    runs: list[RunDirectory],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs[0].experiment.write_text("a = inf\nb = [1.0, nan]\n")
    runs[1].experiment.write_text("a = 1.0\nb = []\n")
    assert compare(*(run.path for run in runs), "--json", monkeypatch=monkeypatch) == 0
    told = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert told["settings"] == {"a": ["inf", 1.0], "b": [[1.0, "nan"], []]}


def test_one_run_is_no_comparison_and_an_unknown_one_is_told(
    runs: list[RunDirectory],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    twice = runs[0].path, runs[0].path
    assert compare(*twice, monkeypatch=monkeypatch) == 2
    assert "a comparison takes two or more" in capsys.readouterr().err
    assert compare(runs[0].path, "nothing", monkeypatch=monkeypatch) == 2
    assert 'no run "nothing"' in capsys.readouterr().err


def test_experiments_without_a_difference_are_told_to_be_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    same = [run(tmp_path, "a", 0.1, 0.9) for _ in range(2)]
    assert compare(*(run.path for run in same), monkeypatch=monkeypatch) == 0
    assert "their experiments are the same" in capsys.readouterr().out

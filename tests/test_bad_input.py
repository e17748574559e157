"""Whatever is wrong with the input: a clear message, exit code 2, never a traceback."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from engine.cli import main
from engine.contract.run_directory import Holder, RunDirectory
from tests.training import draw_images, write_experiment


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return write_experiment(tmp_path)


@pytest.fixture
def ptrain(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> object:
    """Run a command in this process: (exit code, standard output, standard error)."""
    monkeypatch.setenv("PTRAIN_RUNS", str(tmp_path / "runs"))

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["ptrain", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        assert not (tmp_path / "runs").exists(), "a run that can't begin leaves no directory"
        return int(left.value.code or 0), out, err

    return run


CASES = {
    "a typing error in a key": (
        ["--set", "train.epocs=5"],
        ["train.epocs", "unknown key", 'did you mean "epochs"?'],
    ),
    "a wrong type": (["--set", "train.epochs='five'"], ["train.epochs", "whole number"]),
    "a wrong value": (["--set", "optimizer.lr=-1"], ["optimizer.lr"]),
    "an unknown backbone": (["--set", "model.backbone=resnet19"], ["model.backbone", "resnet18"]),
    "too few weights": (["--set", "loss.weight=[1.0]"], ["loss.weight", "1 weights for 2 classes"]),
    "a device that isn't there": (["--device", "cuda:7"], ["train.device", 'here are: "cpu"']),
    "no such folder": (["--set", "data.root=nowhere"], ["data.root", "nowhere"]),
    "no such weights file": (["--set", "model.weights=no.pth"], ["model.weights", "no.pth"]),
    "a pattern that matches nothing": (
        ["--set", 'model.freeze=["layer1"]'],
        ["model.freeze.0", "layers"],
    ),
    "nothing left to train": (
        ["--set", 'model.freeze=["*", "classifier.1"]'],
        ["model.freeze"],
    ),
    "a group that matches nothing": (
        ["--set", 'optimizer.group.0.match=["fc"]'],
        ["optimizer.group.0.match.0", "classifier"],
    ),
    "OneCycleLR in a chain": (
        ["--set", 'scheduler.0={name="OneCycleLR"}'],
        ["scheduler.0", "OneCycleLR"],
    ),
    "a plateau on what nobody measures": (
        ["--set", "data.val=none"],
        ["scheduler.1.monitor", "never measured"],
    ),
    "an image too small for the backbone": (
        ["--set", "model.backbone=inception_v3", "--set", "optimizer.group=[]"],
        ["data.image_size", "inception_v3"],
    ),
}


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize("case", CASES)
def test_a_mistake_is_told_with_its_key_and_what_to_write(
    ptrain, small: Path, case: str, command: str
) -> None:
    words, told = CASES[case]
    if "--device" in words and command == "check":
        words = ["--set", f"train.device={words[1]}"]
    code, out, err = ptrain(command, small, *words)
    assert code == 2
    assert out == ""
    for word in told:
        assert word in err


def test_a_class_folder_with_one_class(ptrain, tmp_path: Path) -> None:
    path = write_experiment(tmp_path)
    draw_images(tmp_path / "lonely" / "train", {"ant": 3})
    draw_images(tmp_path / "lonely" / "val", {"ant": 3})
    code, _, err = ptrain("run", path, "--set", f"data.root={tmp_path / 'lonely'}")
    assert code == 2
    assert "data.root" in err
    assert "class" in err


def test_a_missing_file_names_those_that_are_near(ptrain, small: Path) -> None:
    code, _, err = ptrain("run", small.with_name("smal.toml"))
    assert code == 2
    assert 'did you mean "small.toml"?' in err


def test_toml_that_does_not_parse_has_its_line(ptrain, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("[data]\nroot = images\n")
    code, _, err = ptrain("run", tmp_path / "bad.toml")
    assert code == 2
    assert "bad.toml:2: data.root" in err


def test_every_problem_is_one_object_of_json(ptrain, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text('[model]\nbackbon = "resnet18"\n[train]\nepochs = 0\n')
    code, out, err = ptrain("check", tmp_path / "bad.toml", "--json")
    assert (code, err) == (2, "")
    found = {(problem["line"], problem["key"]) for problem in json.loads(out)["problems"]}
    assert {(2, "model.backbon"), (4, "train.epochs")} <= found


@pytest.mark.parametrize("runs", ["file", "/dev/null"])
def test_a_run_directory_that_cannot_be_written(ptrain, small: Path, runs: str) -> None:
    small.with_name("file").touch()
    code, _, err = ptrain("run", small, "--runs", small.parent / runs)
    assert code == 2
    assert "can't be written" in err
    assert "--runs" in err


def test_a_run_that_there_is_not(ptrain) -> None:
    for words in (["show", "x"], ["follow", "x"], ["stop", "x"], ["resume", "x"]):
        code, _, err = ptrain(*words)
        assert code == 2
        assert 'no run "x"' in err


def test_a_run_that_is_already_running(ptrain, small: Path, tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "elsewhere" / "small" / "20260101-000000-abcd")
    run.path.mkdir(parents=True)
    run.experiment.write_text(small.read_text())
    run.lock.write_text(json.dumps(vars(Holder.this_process())))
    code, _, err = ptrain("run", small, "--resume", run.path)
    assert code == 2
    assert "already running" in err


def test_a_mistake_on_the_command_line(ptrain, small: Path) -> None:
    assert ptrain("run")[0] == 2
    assert ptrain("rnu", small)[0] == 2
    assert ptrain("run", small, "--sett", "x=1")[0] == 2
    assert ptrain("run", small, "--set", "x")[0] == 2
    assert ptrain("stop", "last", "--after", "lunch")[0] == 2

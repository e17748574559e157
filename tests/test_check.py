"""`check` on files that read well: whatever they ask for is built or told, never a traceback."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

import engine.run
from engine.build import Parts
from engine.check import check
from engine.commands import Launch, check_file, train_file
from engine.contract.problems import InputError
from engine.contract.toml_file import read
from tests.contract.test_damaged_files import line_added, lines_moved, value_replaced, word_misspelt
from tests.training import EXPERIMENT, write_experiment

DAMAGES = (lines_moved, line_added, value_replaced, word_misspelt)
FILES = 40  # of those that still read well; each is built, and a batch goes through


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("check")
    write_experiment(folder, EXPERIMENT.replace("workers = 2", "workers = 0"))
    return folder


def test_a_good_experiment_has_no_problem(folder: Path) -> None:
    found = check(read(folder / "small.toml"))
    assert [problem for problem in found if problem.severity == "error"] == []


@pytest.mark.parametrize("seed", range(FILES))
def test_what_a_damaged_file_still_asks_for_is_built_or_told(folder: Path, seed: int) -> None:
    good = (folder / "small.toml").read_bytes()
    chance = random.Random(seed)
    path = folder / f"damaged{seed}.toml"
    while True:
        path.write_bytes(chance.choice(DAMAGES)(chance, good))
        try:
            file = read(path)
        except InputError:
            continue
        if path.read_bytes() != good:
            break
    lines = len(path.read_text().splitlines())
    for problem in check(file):
        assert problem.key
        assert problem.message
        assert problem.line is not None
        assert 1 <= problem.line <= lines


def test_a_batch_with_an_image_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    path = write_experiment(tmp_path)
    for image in (tmp_path / "images/train/ant").iterdir():
        image.write_bytes(b"")
    found = check(read(path, ["data.workers=0"]))
    assert any("can't be read" in p.message and p.key == "data.root" for p in found)
    assert any(p.severity == "error" for p in found)


def test_a_run_is_checked_first_and_says_the_warnings_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = '\n[[scheduler]]\nname = "StepLR"\nstep_size = 30\n'
    path = write_experiment(tmp_path, EXPERIMENT.replace("workers = 2", "workers = 0") + late)
    begun: list[Parts] = []

    def start(_run: object, parts: Parts, _control: object, _file: object) -> int:
        begun.append(parts)
        return 0

    monkeypatch.setattr(engine.run, "start", start)
    runs = tmp_path / "runs"
    launch = Launch(runs=runs, detach=False, json=True, debug=True, into=None)
    assert train_file(path, [], None, launch) == 0
    (parts,) = begun
    told = {warning.key: warning.line for warning in parts.warnings}
    assert told["scheduler.2.step_size"] == len(path.read_text().splitlines())


def test_a_run_with_an_error_that_only_a_step_shows_leaves_no_directory(tmp_path: Path) -> None:
    text = EXPERIMENT.replace('weight = "balanced"\nlabel_smoothing = 0.1', 'target = "own.py:own"')
    path = write_experiment(tmp_path, text.replace("workers = 2", "workers = 0"))
    (tmp_path / "own.py").write_text("def own(output, target):\n    return output.mean().item()\n")
    launch = Launch(runs=tmp_path / "runs", detach=False, json=True, debug=True, into=None)
    with pytest.raises(InputError) as refused:
        train_file(path, [], None, launch)
    (problem,) = [p for p in refused.value.problems if p.severity == "error"]
    assert (problem.key, problem.line) == ("loss.target", 23)
    assert not (tmp_path / "runs").exists()


def test_warnings_are_objects_of_json_too_and_the_exit_code_stays_0(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "warned.toml"
    path.write_text((folder / "small.toml").read_text() + "[[scheduler]]\nname = \"StepLR\"\n"
                    "step_size = 30\n")  # fmt: skip
    assert check_file(path, [], json=True) == 0
    problems = json.loads(capsys.readouterr().out)["problems"]
    found = {(problem["key"], problem["severity"]) for problem in problems}
    assert ("scheduler.2.step_size", "warning") in found


def test_nothing_is_trained_and_no_run_is_made(folder: Path) -> None:
    before = sorted(path.name for path in folder.iterdir())
    check(read(folder / "small.toml"))
    assert sorted(path.name for path in folder.iterdir()) == before

"""Which files of a folder are experiments, and what is wrong with each."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.contract.good_files import GOOD
from tui import experiments
from tui.experiments import ExperimentFolder


def found(folder: ExperimentFolder) -> dict[str, int]:
    return {entry.path.name: len(entry.problems) for entry in folder.look()}


def test_experiments_come_by_name_with_their_problems(tmp_path: Path) -> None:
    (tmp_path / "good.toml").write_text(GOOD["short"])
    (tmp_path / "bad.toml").write_text(GOOD["short"] + "epoch = 1\nlr = 2\n")
    (tmp_path / "torn.toml").write_text("[data\n")
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    (tmp_path / "model.txt").write_text("[model]\n")
    (tmp_path / "nothing.toml").symlink_to(tmp_path / "gone")
    assert found(ExperimentFolder(tmp_path)) == {
        "bad.toml": 2,
        "good.toml": 0,
        "nothing.toml": 1,
        "torn.toml": 1,
    }


def test_a_file_is_read_again_only_when_it_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "it.toml"
    path.write_text(GOOD["short"])
    folder, times = ExperimentFolder(tmp_path), []
    read = experiments.read
    monkeypatch.setattr(experiments, "read", lambda path: times.append(path) or read(path))
    assert found(folder) == found(folder) == {"it.toml": 0}
    assert len(times) == 1
    path.write_text(GOOD["short"] + "epochs = 2\n")
    assert found(folder) == {"it.toml": 1}
    os.utime(path, (1, 1))
    folder.look()
    assert len(times) == 3
    path.unlink()
    assert found(folder) == {}


def test_a_folder_that_is_not_there_has_none(tmp_path: Path) -> None:
    assert ExperimentFolder(tmp_path / "none").look() == []

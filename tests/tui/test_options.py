"""What `ptrain-tui` is called with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tui.options import read_options


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a folder of experiments in it."""
    (tmp_path / "experiments").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PTRAIN_RUNS", raising=False)
    return tmp_path


def test_the_runs_are_where_ptrain_puts_them(here: Path) -> None:
    options = read_options(["experiments"])
    assert (options.folder, options.runs) == (here / "experiments", here / "runs")
    assert (options.read_only, options.mouse, options.workbench) == (False, True, True)


def test_runs_beside_the_experiments_come_before_those_of_the_working_directory(
    here: Path,
) -> None:
    (here / "experiments" / "runs").mkdir()
    assert read_options(["experiments"]).runs == here / "experiments" / "runs"


def test_the_option_comes_before_the_environment(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "experiments" / "runs").mkdir()
    monkeypatch.setenv("PTRAIN_RUNS", "elsewhere")
    assert read_options(["experiments"]).runs == here / "elsewhere"
    assert read_options(["experiments", "--runs", "given"]).runs == here / "given"


def test_without_a_folder_it_is_the_working_directory(here: Path) -> None:
    options = read_options(["--read-only", "--no-mouse", "--no-workbench"])
    assert (options.folder, options.read_only) == (here, True)
    assert (options.mouse, options.workbench) == (False, False)


@pytest.mark.parametrize("wrong", [["nowhere"], ["--reed-only"], [".", "."], ["--runs"]])
def test_wrong_input_is_told_with_exit_code_2(
    here: Path, wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        read_options(wrong)
    assert left.value.code == 2
    assert "ptrain-tui: error:" in capsys.readouterr().err


def test_help_says_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        read_options(["--help"])
    assert left.value.code == 0
    assert "Leaving it stops no run" in " ".join(capsys.readouterr().out.split())

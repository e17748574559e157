"""An experiment's file against what a run was launched with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from engine.contract.run_directory import Holder, RunDirectory
from tests.tui.board import (
    EXPERIMENT,
    FakeLauncher,
    append,
    board,
    look,
    new_run,
    started,
    step,
    told,
    watch_at,
)
from tui.app import Dashboard
from tui.edited import EditedMark, since_launch
from tui.pace import Rest
from tui.screens.choice import ChoiceDialog
from tui.screens.edited import EditedDialog
from tui.widgets.run_summary import RunSummary
from tui.widgets.run_table import RunTable


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "ants.toml"
    path.write_text(EXPERIMENT)
    return path


@pytest.fixture
def run(tmp_path: Path, file: Path) -> RunDirectory:
    """Launched from that file."""
    run = new_run(tmp_path, source=EXPERIMENT.encode())
    append(run, started(file=str(file)))
    return run


def test_a_file_that_is_what_it_was_is_not_edited(run: RunDirectory, file: Path) -> None:
    edited = since_launch(run, started(file=str(file)))
    assert (edited.file, edited.lines, edited.unknown) == (file, (), "")


def test_what_was_edited_is_a_unified_diff_from_then_to_now(run: RunDirectory, file: Path) -> None:
    file.write_text(EXPERIMENT.replace("epochs = 3", "epochs = 5"))
    lines = since_launch(run, started(file=str(file))).lines
    assert lines[:2] == ("--- at the launch", "+++ now")
    assert [line for line in lines[2:] if line[0] in "+-"] == ["-epochs = 3", "+epochs = 5"]


def test_other_line_endings_alone_are_told_in_words(run: RunDirectory, file: Path) -> None:
    file.write_bytes(EXPERIMENT.replace("\n", "\r\n").encode())
    assert since_launch(run, started(file=str(file))).lines[0].startswith("only line endings")


def test_a_run_that_names_no_file_or_one_that_is_gone_says_so(
    run: RunDirectory, file: Path
) -> None:
    assert "does not say" in since_launch(run, None).unknown
    assert "does not say" in since_launch(run, started()).unknown
    gone = since_launch(run, started(file=str(file.with_name("gone.toml"))))
    assert gone.unknown.endswith("gone.toml: No such file or directory")
    assert "on here" in gone.unknown, "its host is named when it isn't this one"


def test_the_mark_follows_the_file(run: RunDirectory, file: Path) -> None:
    mark = EditedMark()
    assert not mark.look(run, started(file=str(file)))
    file.write_text("# another\n")
    assert mark.look(run, started(file=str(file)))
    file.unlink()
    assert not mark.look(run, started(file=str(file)))
    assert not mark.look(run, None)


def shown(app: Dashboard) -> str:
    return str(app.screen.query_one("VerticalScroll Static", Static).render())


def test_d_shows_the_difference_and_r_runs_the_file_as_it_is_now(
    tmp_path: Path, run: RunDirectory, file: Path
) -> None:
    launcher = FakeLauncher()
    file.write_text(EXPERIMENT.replace("epochs = 3", "epochs = 5"))

    async def test(app: Dashboard, pilot: Pilot[None]) -> None:
        assert "edited since launch" in app.main.query_one(RunSummary).text
        await pilot.press("D")
        assert isinstance(app.screen, EditedDialog)
        assert "+epochs = 5" in shown(app)
        await pilot.press("r")
        assert isinstance(app.screen, ChoiceDialog)
        await pilot.press("enter")
        await pilot.pause()
        assert launcher.asked[0][:2] == ("start", "ants.toml")

    watch_at(RunTable, board(tmp_path, launcher=launcher), test)


def test_a_runs_again_what_was_run_from_the_resolved_copy(
    tmp_path: Path, run: RunDirectory
) -> None:
    launcher = FakeLauncher()

    async def test(app: Dashboard, pilot: Pilot[None]) -> None:
        assert "edited since launch" not in app.main.query_one(RunSummary).text
        await pilot.press("D")
        assert "was not edited since" in shown(app)
        await pilot.press("a", "enter")
        await pilot.pause()
        assert launcher.asked[0][:2] == ("start", "experiment.toml")

    watch_at(RunTable, board(tmp_path, launcher=launcher), test)


def test_read_only_shows_it_and_runs_nothing(tmp_path: Path, run: RunDirectory) -> None:
    launcher = FakeLauncher()

    async def test(app: Dashboard, pilot: Pilot[None]) -> None:
        await pilot.press("D", "r", "a")
        assert isinstance(app.screen, EditedDialog)
        await pilot.press("escape")
        assert app.screen is app.main
        assert launcher.asked == []
        assert told(app) == ""

    watch_at(RunTable, board(tmp_path, launcher=launcher, read_only=True), test)


def test_files_are_looked_at_when_the_run_tells_something_and_now_and_then(
    tmp_path: Path, run: RunDirectory, file: Path
) -> None:
    run.lock.write_text(json.dumps(vars(Holder.this_process())))
    asked: list[Path] = []
    now = 100.0

    async def test(app: Dashboard, pilot: Pilot[None]) -> None:
        nonlocal now
        words = app.main.query_one(RunSummary)
        words.free, words.rest = asked.append, Rest(2.0, lambda: now)
        for _ in range(5):
            await look(app, pilot)
        assert len(asked) == 1
        file.write_text("# another\n")
        await look(app, pilot)
        assert "edited since launch" not in words.text
        now += 2.1
        await look(app, pilot)
        assert "edited since launch" in words.text
        append(run, step(0))
        file.write_text(EXPERIMENT)
        await look(app, pilot)
        assert "edited since launch" not in words.text
        assert len(asked) == 3

    watch_at(RunTable, board(tmp_path), test)

"""What a person sees where there is nothing, or something broken: words, and what to do."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from textual.pilot import Pilot

from engine.contract.run_directory import RunDirectory
from tests.tui.board import (
    EXPERIMENT,
    append,
    board,
    look,
    new_run,
    running,
    started,
    step,
    told,
    watch,
)
from tests.tui.test_app import choose, rows, words
from tui.empty import no_run
from tui.widgets.run_charts import RunCharts
from tui.widgets.run_log import RunLog
from tui.widgets.run_table import RunTable

SIZES = [(140, 40), (80, 24)]


@pytest.mark.parametrize("size", SIZES)
def test_with_an_experiment_and_no_runs_it_says_how_to_start_one(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    (tmp_path / "ants.toml").write_text(EXPERIMENT)
    app = board(tmp_path)

    async def test(pilot: Pilot[None]) -> None:
        assert "r checks the chosen experiment and starts it" in words(app)
        assert "leaving the dashboard does not stop it" in words(app)

    watch(app, test, size)


def test_read_only_it_does_not_offer_what_it_refuses(tmp_path: Path) -> None:
    app = board(tmp_path, read_only=True)

    async def test(pilot: Pilot[None]) -> None:
        assert "appears here by itself" in words(app)
        assert "r checks" not in words(app)

    watch(app, test)


def test_a_runs_folder_that_is_no_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    told = no_run(tmp_path / "runs", some=False, experiments=True, read_only=False)
    assert "runs can't be read: Not a directory" in told


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable to root")
def test_a_runs_folder_that_one_may_not_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir(mode=0)
    told = no_run(tmp_path / "runs", some=False, experiments=True, read_only=False)
    assert "can't be read: Permission denied" in told


def test_a_runs_folder_that_is_deleted_while_it_is_looked_at_empties_the_screen(
    tmp_path: Path,
) -> None:
    running(tmp_path)
    app = board(tmp_path)

    async def test(pilot: Pilot[None]) -> None:
        assert len(rows(app)) == 1
        shutil.rmtree(tmp_path / "runs")
        await look(app, pilot)
        assert rows(app) == []
        assert "no runs in" in words(app)
        assert app.main.query_one(RunCharts).loss.content.lines == ()
        assert not app.main.query_one(RunLog).lines
        await pilot.press("s")
        await pilot.pause()
        assert "no run is chosen" in told(app)
        again = running(tmp_path, "bees")
        await look(app, pilot)
        assert app.main.chosen == again.path

    watch(app, test)


def test_of_a_run_that_is_lost_the_last_words_of_its_engine_are_shown(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    append(run, started(), step(0))
    run.console.write_text("1\n2\nTraceback\nMemoryError: [no]\n")
    app = board(tmp_path)

    async def test(pilot: Pilot[None]) -> None:
        assert "gone without a last word" in words(app)
        assert "console.log ends:\n2\nTraceback\nMemoryError: [no]" in words(app)

    watch(app, test)


def damaged(folder: Path, name: str) -> RunDirectory:
    run = new_run(folder, name)
    append(run, started(), step(0))
    return run


def test_a_run_whose_experiment_is_gone_is_still_shown(tmp_path: Path) -> None:
    damaged(tmp_path, "ants").experiment.unlink()
    app = board(tmp_path)

    async def test(pilot: Pilot[None]) -> None:
        assert [row[0] for row in rows(app)] == ["? ants"]
        assert "experiment.toml is missing: it can be looked at, not resumed" in words(app)
        assert "loss 0.5" in words(app)

    watch(app, test)


def test_events_that_are_garbage_are_told(tmp_path: Path) -> None:
    damaged(tmp_path, "ants").events.write_bytes(os.urandom(5000) + b"\n{}\n[1]\nnull\n")
    app = board(tmp_path)

    async def test(pilot: Pilot[None]) -> None:
        assert "nothing in events.jsonl can be read" in words(app)

    watch(app, test)


def test_a_run_of_another_host_says_which_and_is_only_looked_at(tmp_path: Path) -> None:
    running(tmp_path, host="box7")
    app = board(tmp_path)

    async def test(pilot: Pilot[None]) -> None:
        assert "it runs on box7: here it can be looked at" in words(app)
        await pilot.press("s")
        await pilot.pause()
        assert "it runs on box7" in told(app)
        assert app.screen is app.main, "no ladder is offered"

    watch(app, test)


def test_times_a_year_apart_leave_the_curves_and_the_words_sensible(tmp_path: Path) -> None:
    run = running(tmp_path)
    year = 365 * 86400.0
    append(run, step(2, at=1e9), step(3, at=1e9 + 1), step(4, at=1e9 + year), step(5, at=1e9))
    app = board(tmp_path)

    async def test(pilot: Pilot[None]) -> None:
        assert "left" not in words(app), "of an epoch whose clock only leapt nothing is known"
        await pilot.press("2", "x", "x")
        charts = app.main.query_one(RunCharts)
        assert charts.x_axis == "time"
        low, high = charts.loss.content.whole
        assert high - low < 60

    watch(app, test)


def test_500_runs_are_opened_and_gone_through_without_reading_all_again(tmp_path: Path) -> None:
    first = damaged(tmp_path, "ants")
    for number in range(499):
        shutil.copytree(first.path, first.path.with_name(f"20200101-000000-{number:04x}"))
    app = board(tmp_path)

    async def test(pilot: Pilot[None]) -> None:
        for _ in range(200):
            if not app.main.runs.behind:
                break
            await look(app, pilot)
        table, before = app.main.query_one(RunTable), app.main.runs.version
        for key in ("end", "home", *["down"] * 30):
            await pilot.press(key)
        assert table.cursor_row == 30
        await choose(app, pilot, "ants")
        app.main.look()
        assert app.main.runs.version == before, "nothing has changed: no row is made again"

    watch(app, test, (80, 24))

"""Filtering, sorting, pinning and overlaying runs, by their keys."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from engine.contract.events import RunFinished, Validated
from engine.contract.run_directory import RunDirectory
from tests.tui.board import append, board, look, started, step, told, watch_at
from tui.app import Dashboard
from tui.overlay import MOST, Look
from tui.widgets.difference_table import DifferenceTable
from tui.widgets.filter_line import FilterLine
from tui.widgets.run_charts import RunCharts
from tui.widgets.run_pane import RunPane
from tui.widgets.run_table import RunTable
from tui.widgets.words import Words

TEXT = '[data]\n[model]\nbackbone = "{0}"\n[optimizer]\nname = "SGD"\nlr = {1}\n'
SIZE = (140, 40)


def made(root: Path, number: int, name: str, backbone: str, lr: float) -> RunDirectory:
    run = RunDirectory(root / "runs" / name / f"20260101-00000{number}-aaa{number}")
    run.checkpoints.mkdir(parents=True)
    run.experiment.write_text(TEXT.format(backbone, lr))
    metrics = {"val/loss": 0.1 * number, "val/accuracy": 1 - 0.1 * number}
    append(run, started(), step(0), step(1))
    append(run, Validated(time=1.0, step=2, epoch=0, metrics=metrics, seconds=1.0))
    append(run, RunFinished(time=1.0, step=2, epochs=1.0, seconds=1.0))
    return run


@pytest.fixture
def runs(tmp_path: Path) -> list[RunDirectory]:
    """The oldest first; the table has the newest first."""
    return [
        made(tmp_path, 1, "bees", "resnet18", 0.1),
        made(tmp_path, 2, "ants", "resnet50", 0.1),
        made(tmp_path, 3, "cats", "vgg16", 0.01),
    ]


def names(app: Dashboard) -> list[str]:
    table = app.main.query_one(RunTable)
    return [table.get_row_at(i)[0].plain.split()[1] for i in range(table.row_count)]


def heading(app: Dashboard) -> str:
    return app.main.query_one("RunPane > Words", Words).text


def problem(app: Dashboard) -> str:
    return app.main.query_one("FilterLine Words", Words).text


async def type_in(app: Dashboard, pilot: Pilot[None], text: str) -> None:
    app.main.query_one(Input).value = text
    await pilot.pause()


def differing(app: Dashboard) -> dict[str, list[str]]:
    table = app.main.query_one(DifferenceTable)
    rows = [[cell.plain for cell in table.get_row_at(i)] for i in range(table.row_count)]
    return {row[0]: row[1:] for row in rows}


def lines(app: Dashboard) -> list[str]:
    return [line.name for line in app.main.query_one(RunCharts).loss.content.lines]


def test_a_filter_shows_fewer_runs_as_one_types_and_escape_shows_all(
    tmp_path: Path, runs: list[RunDirectory]
) -> None:
    async def test(app: Dashboard, pilot: Pilot[None]) -> None:
        assert names(app) == ["cats", "ants", "bees"]
        await pilot.press("slash", *"ant")
        assert names(app) == ["ants"]
        assert heading(app) == "Runs 1/3 · newest first"
        await type_in(app, pilot, "backbone = resnet*")
        assert names(app) == ["ants", "bees"]
        await type_in(app, pilot, "backbone = resnet* and val/accuracy > 0.85")
        assert names(app) == ["bees"]
        await pilot.press("enter")
        assert isinstance(app.focused, RunTable)
        assert names(app) == ["bees"]
        assert app.main.chosen == runs[0].path
        await pilot.press("escape")
        assert names(app) == ["cats", "ants", "bees"]
        assert not app.main.query_one(FilterLine).has_class("-shown")
        await pilot.press("slash", *"bee", "escape")
        assert names(app) == ["cats", "ants", "bees"]
        assert isinstance(app.focused, RunTable)

    watch_at(RunTable, board(tmp_path), test, SIZE)


def test_a_wrong_filter_is_told_and_the_table_stays_as_it_was(
    tmp_path: Path, runs: list[RunDirectory]
) -> None:
    async def test(app: Dashboard, pilot: Pilot[None]) -> None:
        await pilot.press("slash")
        await type_in(app, pilot, "lr = 0.1")
        for wrong, words in (
            ("lr = 0.1 backbon = vgg16", 'did you mean "backbone"'),
            ("lr = 0.1 and back", "no run's name or id"),
            ("lr = 0.1 and cats", "no run is like that"),  # a word may yet become a key
            ("lr = ", "needs a value"),
        ):
            await type_in(app, pilot, wrong)
            assert words in problem(app)
            assert names(app) == ["ants", "bees"]
        await type_in(app, pilot, "lr > 7")
        assert problem(app) == "no run is like that"
        assert names(app) == []
        await type_in(app, pilot, "lr < 7")
        assert problem(app) == ""
        assert len(names(app)) == 3

    watch_at(RunTable, board(tmp_path), test, SIZE)


def test_a_filter_holds_for_runs_that_come_and_change(
    tmp_path: Path, runs: list[RunDirectory]
) -> None:
    async def test(app: Dashboard, pilot: Pilot[None]) -> None:
        await pilot.press("slash")
        await type_in(app, pilot, "val/loss < 0.25")
        assert names(app) == ["ants", "bees"]
        again = Validated(time=2.0, step=4, epoch=1, metrics={"val/loss": 0.2}, seconds=1.0)
        append(runs[2], again)
        made(tmp_path, 0, "dogs", "vgg16", 0.1)
        await look(app, pilot)
        assert names(app) == ["cats", "ants", "bees", "dogs"]

    watch_at(RunTable, board(tmp_path), test, SIZE)


def test_a_run_that_was_just_started_is_shown_even_if_the_filter_hid_it(
    tmp_path: Path, runs: list[RunDirectory]
) -> None:
    async def test(app: Dashboard, pilot: Pilot[None]) -> None:
        await pilot.press("slash", *"bees", "enter")
        app.main.query_one(RunPane).choose(runs[2].path)
        await pilot.pause()
        assert app.main.chosen == runs[2].path
        assert len(names(app)) == 3

    watch_at(RunTable, board(tmp_path), test, SIZE)


def test_o_sorts_by_the_next_order_and_the_heading_says_which(
    tmp_path: Path, runs: list[RunDirectory]
) -> None:
    async def test(app: Dashboard, pilot: Pilot[None]) -> None:
        await pilot.press("o")
        assert (names(app), heading(app)) == (["ants", "bees", "cats"], "Runs · by name")
        await pilot.press(*"ooooo")
        assert (names(app), heading(app)) == (["cats", "ants", "bees"], "Runs · newest first")

    watch_at(RunTable, board(tmp_path), test, SIZE)


def test_p_keeps_a_run_on_top_with_a_mark_and_lets_it_go(
    tmp_path: Path, runs: list[RunDirectory]
) -> None:
    async def test(app: Dashboard, pilot: Pilot[None]) -> None:
        await pilot.press("end", "p", "o")
        assert names(app) == ["bees", "ants", "cats"]
        assert app.main.query_one(RunTable).get_row_at(0)[0].plain.endswith("^")
        assert app.main.chosen == runs[0].path  # the cursor is still on it
        await pilot.press("p")
        assert names(app) == ["ants", "bees", "cats"]

    watch_at(RunTable, board(tmp_path), test, SIZE)


@pytest.mark.parametrize("size", [(140, 40), (80, 24)])
def test_space_overlays_runs_with_their_differences_and_takes_them_away(
    tmp_path: Path, runs: list[RunDirectory], size: tuple[int, int]
) -> None:
    async def test(app: Dashboard, pilot: Pilot[None]) -> None:
        table = app.main.query_one(DifferenceTable)
        await pilot.press("space")  # alone it is no overlay
        assert "val" in lines(app)
        assert not table.has_class("-shown")
        await pilot.press("down")
        assert lines(app) == ["train", "train", "ants", "cats"]
        await pilot.press("space", "down")
        await pilot.pause()
        assert lines(app) == ["train"] * 3 + ["bees", "cats", "ants"]
        assert heading(app) == "Runs · 2 marked · newest first"
        assert table.has_class("-shown")
        await pilot.press("2")
        await pilot.pause()
        assert differing(app) == {
            "model.backbone": ["resnet18", "vgg16", "resnet50"],
            "optimizer.lr": ["0.1", "0.01", "0.1"],
            "state": ["finished"] * 3,
            "epochs": ["1/3"] * 3,
            "val/loss": ["0.1", "0.3", "0.2"],
            "val/accuracy": ["0.9", "0.7", "0.8"],
            "time": ["0 s"] * 3,
        }
        await pilot.press("1")
        first = app.main.query_one(RunTable).get_row_at(0)[0]
        assert Look(1).colour in [str(span.style) for span in first.spans]
        await pilot.press("up", "space")  # ants are let go, and are seen as the chosen
        assert lines(app)[-2:] == ["ants", "cats"]
        await pilot.press("escape")
        assert not table.has_class("-shown")
        assert "val" in lines(app)

    watch_at(RunTable, board(tmp_path), test, size)


def test_in_a_small_terminal_the_differences_are_below_the_charts(
    tmp_path: Path, runs: list[RunDirectory]
) -> None:
    async def test(app: Dashboard, pilot: Pilot[None]) -> None:
        await pilot.press("space", "down", "2", "tab", "tab")
        await pilot.pause()
        table = app.main.query_one(DifferenceTable)
        assert app.focused is table
        assert table.region.height >= 4
        assert app.main.query_one(RunCharts).loss.size.height >= 5
        await pilot.press("j", "k", "right")

    watch_at(RunTable, board(tmp_path), test)


def test_only_so_many_runs_can_be_told_apart(tmp_path: Path) -> None:
    for number in range(MOST + 1):
        made(tmp_path, number, f"run{number}", "vgg16", 0.1)

    async def test(app: Dashboard, pilot: Pilot[None]) -> None:
        await pilot.press(*["space", "down"] * MOST, "space")
        assert f"{MOST} runs are overlaid already" in told(app)
        assert len(lines(app)) == MOST + 1  # the chosen one too; without the training

    watch_at(RunTable, board(tmp_path), test, SIZE)


def test_nothing_is_laid_out_or_drawn_anew_without_news(
    tmp_path: Path, runs: list[RunDirectory]
) -> None:
    async def test(app: Dashboard, pilot: Pilot[None]) -> None:
        await pilot.press("space", "down")
        await look(app, pilot)
        charts, table = app.main.query_one(RunCharts), app.main.query_one(DifferenceTable)
        before = charts.loss.content, charts.lr.content, table.get_row_at(0)[1]
        await look(app, pilot)
        after = charts.loss.content, charts.lr.content, table.get_row_at(0)[1]
        assert all(one is other for one, other in zip(before, after, strict=True))
        append(runs[2], step(2, 0.25))
        await look(app, pilot)
        assert charts.lr.content is not before[1]
        assert table.get_row_at(0)[1] is before[2]  # its experiment is what it was

    watch_at(RunTable, board(tmp_path), test, SIZE)


def test_a_run_that_was_deleted_is_overlaid_no_more(
    tmp_path: Path, runs: list[RunDirectory]
) -> None:
    async def test(app: Dashboard, pilot: Pilot[None]) -> None:
        await pilot.press("space", "down", "space", "down")
        shutil.rmtree(runs[2].path)
        await look(app, pilot)
        assert [name for name in lines(app) if name != "train"] == ["bees", "ants"]

    watch_at(RunTable, board(tmp_path), test, SIZE)


def test_an_experiment_that_cannot_be_read_is_told(
    tmp_path: Path, runs: list[RunDirectory]
) -> None:
    runs[2].experiment.write_text("damaged [")

    async def test(app: Dashboard, pilot: Pilot[None]) -> None:
        await pilot.press("space", "down", "space", "down")
        assert differing(app)["experiment.toml"] == ["", "can't be read", ""]
        assert differing(app)["model.backbone"] == ["resnet18", "–", "resnet50"]

    watch_at(RunTable, board(tmp_path), test, SIZE)


def test_the_keys_are_told(tmp_path: Path, runs: list[RunDirectory]) -> None:
    async def test(app: Dashboard, pilot: Pilot[None]) -> None:
        await pilot.press("question_mark")
        words = app.screen.query_one("VerticalScroll Words", Words).text
        for does in ("Show some runs", "Sort the runs", "Keep this run on top", "Overlay this run"):
            assert does in words

    watch_at(RunTable, board(tmp_path), test, SIZE)

"""The dashboard is as one left it; the file that remembers it can harm nothing."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.tui.board import EXPERIMENT, FakeLauncher, look, new_run, running, told
from tui.app import Dashboard
from tui.options import Options
from tui.remembered import FOLDERS, Remembered, of_kind, state_file
from tui.widgets.run_charts import RunCharts
from tui.widgets.run_log import RunLog
from tui.widgets.run_table import RunTable


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("ants", "bees"):
        (tmp_path / f"{name}.toml").write_text(EXPERIMENT)
        running(tmp_path, name)
    return tmp_path


def opened(
    folder: Path,
    test: Callable[[Dashboard, Pilot[None]], Awaitable[None]],
    *,
    size: tuple[int, int] = (140, 40),
    theme: str = "",
) -> Dashboard:
    options = Options(
        folder=folder, runs=folder / "runs", state=folder / "state" / "it.json", theme=theme
    )
    app = Dashboard(options, launcher=FakeLauncher(), devices=list, opening=False)

    async def run() -> None:
        async with app.run_test(size=size) as pilot:
            await look(app, pilot)
            await test(app, pilot)

    asyncio.run(run())
    return app


async def quits(app: Dashboard, pilot: Pilot[None]) -> None:
    await pilot.press("q")
    await pilot.pause()


def test_the_selection_the_charts_the_focus_and_the_theme_are_as_one_left_them(
    folder: Path,
) -> None:
    async def use(app: Dashboard, pilot: Pilot[None]) -> None:
        await pilot.press("down")
        await pilot.press("2", "x", "]", "l", "T")
        app.main.query_one(RunLog).focus()
        await pilot.pause()
        await quits(app, pilot)

    before = opened(folder, use).main

    async def see(app: Dashboard, pilot: Pilot[None]) -> None:
        charts = app.main.query_one(RunCharts)
        assert (charts.x_axis, charts.smoothing) == ("epoch", {"loss": 4})
        assert (charts.loss.logarithmic, charts.lr.logarithmic) == (True, False)
        assert app.main.chosen == before.chosen
        assert app.focused is app.main.query_one(RunLog)
        assert app.theme == "light"

    assert before.chosen != next(iter(before.watched)), "it went down from the first row"
    opened(folder, see)


def test_the_pane_that_was_shown_where_only_one_fits_is_shown_again(folder: Path) -> None:
    async def use(app: Dashboard, pilot: Pilot[None]) -> None:
        await pilot.press("3")
        await quits(app, pilot)

    async def see(app: Dashboard, pilot: Pilot[None]) -> None:
        assert [pane.id for pane in app.main.query(".pane") if pane.display] == ["right"]

    opened(folder, use, size=(80, 24))
    opened(folder, see, size=(80, 24))


def test_the_chosen_experiment_is_chosen_again(folder: Path) -> None:
    async def use(app: Dashboard, pilot: Pilot[None]) -> None:
        app.main.query_one("ExperimentList").focus()
        await pilot.press("down")
        await pilot.pause()
        await quits(app, pilot)

    async def see(app: Dashboard, pilot: Pilot[None]) -> None:
        assert app.main.experiment == folder / "bees.toml"

    opened(folder, use)
    opened(folder, see)


def test_a_signal_that_ends_it_forgets_nothing(folder: Path) -> None:
    async def use(app: Dashboard, pilot: Pilot[None]) -> None:
        await pilot.press("T")
        app.leave(143)

    opened(folder, use)
    (entry,) = json.loads((folder / "state" / "it.json").read_text())["folders"].values()
    assert entry["theme"] == "light"


def test_an_option_is_stronger_than_what_is_remembered(folder: Path) -> None:
    async def use(app: Dashboard, pilot: Pilot[None]) -> None:
        assert app.theme == "light"
        await pilot.press("T")
        assert app.theme == "dark"
        await quits(app, pilot)

    async def see(app: Dashboard, pilot: Pilot[None]) -> None:
        assert app.theme == "nord"

    opened(folder, use, theme="light")
    opened(folder, see, theme="nord")


DAMAGED = [
    b"",
    b"\xff{",
    b"[]",
    b'{"folders": []}',
    b'{"folders": {"FOLDER": 3}}',
    b'{"folders": {"FOLDER": {"run": 3, "pane": [], "focus": {}, "theme": 1, "RunCharts": '
    b'{"smoothing": "x", "x_axis": [1], "logarithmic": "loss"}}}}',
]


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_file_is_told_at_most_and_then_written_anew(folder: Path, content: bytes) -> None:
    (folder / "state").mkdir()
    file = folder / "state" / "it.json"
    file.write_bytes(content.replace(b"FOLDER", str(folder).encode()))

    async def use(app: Dashboard, pilot: Pilot[None]) -> None:
        app.main.remember()
        await pilot.pause()
        if content.startswith((b"\xff", b"[")):
            assert "it.json is damaged" in told(app)
        await pilot.press("T")
        await quits(app, pilot)

    assert opened(folder, use).return_code == 0
    assert json.loads(file.read_text())["folders"][str(folder)]["theme"] == "light"


def test_where_it_cant_be_written_this_is_told_once(folder: Path) -> None:
    (folder / "state").write_text("a file where a folder should be")

    async def use(app: Dashboard, pilot: Pilot[None]) -> None:
        app.main.remember()
        app.main.remember()
        await pilot.press("T")
        app.main.remember()
        await pilot.pause()
        assert told(app).count("it.json can't be") == 1

    opened(folder, use)


def test_in_place_of_a_run_that_is_gone_the_newest_is_chosen(folder: Path) -> None:
    gone = new_run(folder, "wasps")

    async def use(app: Dashboard, pilot: Pilot[None]) -> None:
        app.main.query_one(RunTable).choose(gone.path)
        await pilot.pause()
        await quits(app, pilot)

    async def see(app: Dashboard, pilot: Pilot[None]) -> None:
        assert app.main.chosen == next(iter(app.main.watched))

    opened(folder, use)
    shutil.rmtree(gone.path)
    opened(folder, see)


def test_each_folder_has_its_own_and_a_new_one_begins_with_the_last_theme(tmp_path: Path) -> None:
    file = tmp_path / "it.json"
    for number in range(FOLDERS + 3):
        Remembered(file, tmp_path / str(number)).keep({"theme": "nord", "run": str(number)})
    assert Remembered(file, tmp_path / "5").settings == {"theme": "nord", "run": "5"}
    assert Remembered(file, tmp_path / "other").settings == {"theme": "nord"}
    assert len(json.loads(file.read_text())["folders"]) == FOLDERS


def test_two_dashboards_do_not_take_each_others_memory(tmp_path: Path) -> None:
    file = tmp_path / "it.json"
    one, two = Remembered(file, tmp_path / "1"), Remembered(file, tmp_path / "2")
    one.keep({"run": "a"})
    two.keep({"run": "b"})
    one.keep({"run": "c"})
    assert Remembered(file, tmp_path / "1").settings == {"run": "c"}
    assert Remembered(file, tmp_path / "2").settings == {"run": "b"}


def test_nothing_is_written_when_nothing_has_changed(tmp_path: Path) -> None:
    remembered = Remembered(tmp_path / "it.json", tmp_path)
    remembered.keep({"run": "a"})
    before = (tmp_path / "it.json").stat().st_ino
    remembered.keep({"run": "a"})
    assert (tmp_path / "it.json").stat().st_ino == before


def test_what_is_of_another_type_is_not_taken() -> None:
    assert of_kind({"run": 3}, "run", str, "none") == "none"
    assert of_kind({"run": "a"}, "run", str, "none") == "a"


def test_the_tests_leave_the_users_own_file_alone(tmp_path_factory: pytest.TempPathFactory) -> None:
    assert state_file().is_relative_to(os.environ["XDG_STATE_HOME"])
    assert state_file().is_relative_to(tmp_path_factory.getbasetemp())

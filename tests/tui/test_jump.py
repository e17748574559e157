"""g: a letter at each part of the screen, and the next key goes there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Label

from tests.contract.good_files import FULL
from tests.tui.board import board
from tui.app import Dashboard
from tui.screens.edit import EditScreen
from tui.screens.help import HelpDialog
from tui.screens.jump import JumpScreen
from tui.widgets.experiment_form import ExperimentForm
from tui.widgets.experiment_list import ExperimentList
from tui.widgets.run_table import RunTable
from tui.widgets.toml_text import TomlText


def use(
    folder: Path,
    does: Callable[[Dashboard, Pilot[None]], Awaitable[None]],
    size: tuple[int, int] = (140, 40),
) -> None:
    (folder / "full.toml").write_text(FULL)

    async def run() -> None:
        app = board(folder)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await does(app, pilot)

    asyncio.run(run())


def letters(app: Dashboard) -> dict[tuple[int, int], str]:
    """Each by its place on the screen."""
    assert isinstance(app.screen, JumpScreen)
    marks = app.screen.query(Label)
    return {(mark.region.x, mark.region.y): str(mark.render()).strip() for mark in marks}


@pytest.mark.parametrize("size", [(80, 24), (140, 40)])
def test_on_the_main_screen_each_part_that_is_seen_has_a_letter(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async def does(app: Dashboard, pilot: Pilot[None]) -> None:
        experiments, runs = app.main.query_one(ExperimentList), app.main.query_one(RunTable)
        experiments.focus()
        await pilot.press("g")
        await pilot.pause()
        shown = letters(app)
        assert len(set(shown.values())) == len(shown) >= (2 if size[0] == 80 else 4)
        await pilot.press(shown[(runs.region.x, runs.region.y)])
        await pilot.pause()
        assert app.screen is app.main
        assert runs.has_focus

    use(tmp_path, does, size)


def test_escape_leaves_everything_as_it_was(tmp_path: Path) -> None:
    async def does(app: Dashboard, pilot: Pilot[None]) -> None:
        focused = app.main.focused
        await pilot.press("g")
        await pilot.pause()
        await pilot.press("escape")
        await pilot.pause()
        assert app.screen is app.main
        assert app.main.focused is focused

    use(tmp_path, does)


def test_in_an_entry_of_the_editor_it_is_with_ctrl_and_rows_out_of_sight_have_none(
    tmp_path: Path,
) -> None:
    async def does(app: Dashboard, pilot: Pilot[None]) -> None:
        await pilot.press("e")
        await pilot.pause(0.2)
        screen = app.screen
        assert isinstance(screen, EditScreen)
        form = screen.query_one(ExperimentForm)
        form.focus_path(("data", "root"))
        await pilot.press("ctrl+g")
        await pilot.pause()
        shown, seen = letters(app), screen.size.height
        assert all(y < seen for _, y in shown)
        goal = next(row for row in form.rows if row.row.path == ("seed",))
        await pilot.press(shown[(goal.region.x, goal.region.y)])
        await pilot.pause()
        assert form.focused_path == ("seed",)
        form.focus_path(("data",))
        await pilot.press("g")
        await pilot.pause()
        text = screen.query_one(TomlText)
        await pilot.press(letters(app)[(text.region.x, text.region.y)])
        await pilot.pause()
        assert text.has_focus

    use(tmp_path, does)


def test_dialogs_are_left_alone_and_a_resize_takes_the_letters_away(tmp_path: Path) -> None:
    async def does(app: Dashboard, pilot: Pilot[None]) -> None:
        await pilot.press("question_mark")
        await pilot.pause()
        await pilot.press("g")
        await pilot.pause()
        assert isinstance(app.screen, HelpDialog)
        await pilot.press("escape", "g")
        await pilot.pause()
        assert isinstance(app.screen, JumpScreen)
        await pilot.resize_terminal(90, 30)
        await pilot.pause()
        assert app.screen is app.main

    use(tmp_path, does)

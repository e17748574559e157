"""The list of experiments: a row each, with its marks; it says which one is chosen."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from textual.app import App, ComposeResult

from tests.contract.good_files import GOOD
from tui.widgets.experiment_list import NONE_YET, ExperimentList


class Listing(App[None]):
    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.chosen: list[tuple[str, bool]] = []

    def compose(self) -> ComposeResult:
        yield ExperimentList(self.folder)

    def on_experiment_list_chosen(self, message: ExperimentList.Chosen) -> None:
        self.chosen.append((message.path.name, message.entered))

    @property
    def rows(self) -> list[str]:
        return [str(option.prompt).rstrip() for option in self.query_one(ExperimentList).options]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ants.toml").write_text(GOOD["short"])
    (tmp_path / "bad.toml").write_text(GOOD["short"] + "epoch = 1\nlr = 2\n")
    return tmp_path


def test_each_row_has_the_number_of_problems_and_whether_it_is_unsaved(folder: Path) -> None:
    async def look() -> None:
        app = Listing(folder)
        async with app.run_test() as pilot:
            await pilot.pause()
            assert app.rows == ["▸ ants.toml", "  bad.toml ✗2"]
            app.query_one(ExperimentList).look(unsaved={folder / "ants.toml", folder / "bad.toml"})
            assert app.rows == ["▸ ants.toml •", "  bad.toml ✗2 •"]

    asyncio.run(look())


def test_it_says_where_the_cursor_is_and_what_was_entered(folder: Path) -> None:
    async def look() -> None:
        app = Listing(folder)
        async with app.run_test() as pilot:
            app.query_one(ExperimentList).focus()
            await pilot.press("down", "enter")
            await pilot.pause()
            assert app.chosen == [("ants.toml", False), ("bad.toml", False), ("bad.toml", True)]
            assert app.rows == ["  ants.toml", "▸ bad.toml ✗2"]

    asyncio.run(look())


def test_the_cursor_stays_at_its_file_when_others_come(folder: Path) -> None:
    async def look() -> None:
        app = Listing(folder)
        async with app.run_test() as pilot:
            listed = app.query_one(ExperimentList)
            listed.focus()
            await pilot.press("down")
            (folder / "aaa.toml").write_text(GOOD["short"])
            listed.look()
            await pilot.pause()
            assert app.rows == ["  aaa.toml", "  ants.toml", "▸ bad.toml ✗2"]
            assert listed.chosen == folder / "bad.toml"
            (folder / "bad.toml").unlink()
            listed.look()
            await pilot.pause()
            assert app.chosen[-1] == ("aaa.toml", False)

    asyncio.run(look())


def test_a_folder_without_experiments_says_how_to_make_one(tmp_path: Path) -> None:
    async def look() -> None:
        app = Listing(tmp_path)
        async with app.run_test() as pilot:
            await pilot.pause()
            assert app.rows == [NONE_YET]
            assert app.query_one(ExperimentList).chosen is None
            (tmp_path / "ants.toml").write_text(GOOD["short"])
            app.query_one(ExperimentList).look()
            await pilot.pause()
            assert app.rows == ["▸ ants.toml"]
            assert app.chosen == [("ants.toml", False)]

    asyncio.run(look())

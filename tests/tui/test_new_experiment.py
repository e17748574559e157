"""New experiments, from a template or as a copy; nothing that is there is overwritten."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Label, OptionList

from engine.contract.template import templates
from engine.contract.toml_file import read
from tests.tui.board import EXPERIMENT, board, told
from tui.app import Dashboard
from tui.experiments import wrong_name
from tui.screens.choose import ChooseScreen
from tui.screens.edit import EditScreen
from tui.screens.file_name import FileNameScreen
from tui.widgets.experiment_list import ExperimentList


def use(
    folder: Path, does: Callable[[Dashboard, Pilot[None]], Awaitable[None]], **options: bool
) -> None:
    async def run() -> None:
        app = board(folder, **options)
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.pause()
            app.main.query_one(ExperimentList).focus()
            await does(app, pilot)

    asyncio.run(run())


async def named(pilot: Pilot[None], name: str) -> None:
    await pilot.pause()
    assert isinstance(pilot.app.screen, FileNameScreen)
    pilot.app.screen.query_one(Input).value = name
    await pilot.pause()
    await pilot.press("enter")
    await pilot.pause(0.2)


def test_every_example_says_what_it_is_without_running_anything() -> None:
    assert {"ants_bees", "digits", "gauges", "labels", "shapes"} <= set(templates())
    for words in templates().values():
        assert words[-1] in ".8", words
        assert "`" not in words


def test_n_writes_a_template_with_the_code_it_names_and_opens_it(tmp_path: Path) -> None:
    async def does(app: Dashboard, pilot: Pilot[None]) -> None:
        await pilot.press("n")
        await pilot.pause()
        assert isinstance(app.screen, ChooseScreen)
        options = app.screen.query_one(OptionList)
        options.highlighted = 1 + sorted(templates()).index("gauges")
        await pilot.press("enter")
        await named(pilot, "mine")
        assert isinstance(app.screen, EditScreen)
        assert app.screen.path == tmp_path / "mine.toml"
        assert (tmp_path / "drawn.py").is_file()
        assert read(tmp_path / "mine.toml").experiment.name == "gauges"
        await pilot.press("escape")
        await pilot.pause()
        assert app.main.query_one(ExperimentList).chosen == tmp_path / "mine.toml"

    use(tmp_path, does)


def test_in_an_empty_folder_the_first_choice_is_the_commented_one(tmp_path: Path) -> None:
    async def does(app: Dashboard, pilot: Pilot[None]) -> None:
        await pilot.press("n")
        await pilot.pause()
        await pilot.press("enter")
        await named(pilot, "first.toml")
        assert read(tmp_path / "first.toml").experiment.name == "first"

    use(tmp_path, does)


def test_d_copies_byte_for_byte_and_opens_the_copy(tmp_path: Path) -> None:
    source = tmp_path / "ants.toml"
    source.write_bytes(EXPERIMENT.replace("\n", "\r\n").encode() + b"# mine")

    async def does(app: Dashboard, pilot: Pilot[None]) -> None:
        await pilot.press("d")
        await named(pilot, "bees")
        assert isinstance(app.screen, EditScreen)
        assert (tmp_path / "bees.toml").read_bytes() == source.read_bytes()

    use(tmp_path, does)


def test_escape_at_either_question_writes_nothing(tmp_path: Path) -> None:
    async def does(app: Dashboard, pilot: Pilot[None]) -> None:
        await pilot.press("n")
        await pilot.pause()
        await pilot.press("escape", "n")
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()
        await pilot.press("escape")
        await pilot.pause()
        assert app.screen is app.main
        assert list(tmp_path.iterdir()) == []

    use(tmp_path, does)


def test_with_read_only_nothing_is_written(tmp_path: Path) -> None:
    async def does(app: Dashboard, pilot: Pilot[None]) -> None:
        await pilot.press("n")
        await pilot.pause()
        assert app.screen is app.main
        assert "nothing is written" in told(app)

    use(tmp_path, does, read_only=True)


def test_a_name_that_can_not_be_is_told_while_it_is_typed(tmp_path: Path) -> None:
    (tmp_path / "ants.toml").write_text(EXPERIMENT)

    async def does(app: Dashboard, pilot: Pilot[None]) -> None:
        await pilot.press("d")
        await named(pilot, "ants")
        note = app.screen.query_one("#note", Label)
        assert str(note.render()) == "ants.toml is there already"
        await named(pilot, "other")
        assert (tmp_path / "other.toml").is_file()

    use(tmp_path, does)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "needs a name"),
        (" ", "needs a name"),
        ("../a", "not a path"),
        ("a.txt", "must end in .toml"),
        ("taken", "there already"),
        ("link.toml", "there already"),
        ("free", ""),
        ("free.toml", ""),
    ],
)
def test_which_names_can_be(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "taken.toml").write_text("")
    (tmp_path / "link.toml").symlink_to("nowhere")
    wrong = wrong_name(tmp_path, name, new=True)
    assert (why in wrong) if why else (wrong == "")


def test_a_folder_that_can_not_be_written_to_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.experiments.os.access", lambda *_: False)  # root may write anywhere
    assert "can't be written to" in wrong_name(tmp_path, "free", new=True)

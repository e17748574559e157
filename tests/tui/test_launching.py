"""Starting a run from the dashboard: device, start, and what is told when it fails."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import OptionList

from engine.contract.problems import Problem
from tests.tui.board import EXPERIMENT, FakeLauncher, board, look, new_run, told
from tui.app import Dashboard
from tui.launching import Answer, Engine, Outcome, device_in, read_outcome
from tui.screens.choice import ChoiceDialog
from tui.screens.edit import EditScreen
from tui.screens.problems import ProblemsDialog
from tui.widgets.experiment_form import ExperimentForm
from tui.widgets.words import Words


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ants.toml").write_text(EXPERIMENT)
    return tmp_path


def start(
    app: Dashboard,
    test: Callable[[Pilot[None]], Awaitable[None]],
    *keys: str,
    size: tuple[int, int] = (80, 24),
) -> None:
    """Press `r`, choose with the keys, and then do the test."""

    async def run() -> None:
        async with app.run_test(size=size) as pilot:
            await look(app, pilot)
            await pilot.press("r")
            await pilot.pause()
            await pilot.press(*keys)
            await pilot.pause()
            await pilot.pause()
            await test(pilot)

    asyncio.run(run())


def shown(app: Dashboard) -> str:
    listed = [option.prompt for each in app.screen.query(OptionList) for option in each.options]
    return "\n".join([*(words.text for words in app.screen.query(Words)), *map(str, listed)])


def test_the_devices_are_told_with_free_memory_and_users(folder: Path) -> None:
    app = board(folder)

    async def test(pilot: Pilot[None]) -> None:
        assert isinstance(app.screen, ChoiceDialog)
        options = app.screen.query_one(OptionList)
        told = [str(options.get_option_at_index(i).prompt) for i in range(options.option_count)]
        assert told[0] == "auto  as the experiment says"
        assert told[2] == (
            "cuda:0  NVIDIA H200, 127 of 139 GB free, 87% busy; used by eve: python (7)"
        )

    start(app, test)


@pytest.mark.parametrize(("keys", "device"), [(["enter"], None), (["down", "enter"], "cpu")])
def test_a_run_is_started_and_followed(folder: Path, keys: list[str], device: str | None) -> None:
    launcher = FakeLauncher()
    launcher.begin = lambda: Outcome(run=new_run(folder, "begun").path)
    new_run(folder, "earlier")
    app = board(folder, launcher=launcher)

    async def test(pilot: Pilot[None]) -> None:
        assert launcher.asked == [("start", "ants.toml", device, folder / "runs")]
        await look(app, pilot)
        assert app.main.chosen is not None
        assert app.main.chosen.parent.name == "begun"
        assert "it goes on without this dashboard" in told(app)

    start(app, test, *keys)


@pytest.mark.parametrize("size", [(80, 24), (40, 10)])
def test_what_stands_in_the_way_of_a_run_is_shown(folder: Path, size: tuple[int, int]) -> None:
    problem = Problem("unknown key", "loss.nmae", 'did you mean "name"?', Path("ants.toml"), 7)
    launcher = FakeLauncher(started=Outcome(problems=[problem]))
    app = board(folder, launcher=launcher)

    async def test(pilot: Pilot[None]) -> None:
        assert isinstance(app.screen, ProblemsDialog)
        assert '✗ line 7: loss.nmae: unknown key\n    did you mean "name"?' in shown(app)
        assert "ants.toml can't run" in shown(app)
        await pilot.press("escape")
        assert app.screen is app.main

    start(app, test, "enter", size=size)


@pytest.mark.parametrize("size", [(80, 24), (140, 40)])
def test_enter_at_a_problem_opens_the_editor_there(folder: Path, size: tuple[int, int]) -> None:
    problems = [
        Problem("first", "data.root", file=folder / "ants.toml", line=1),
        Problem("too many", "train.epochs", file=folder / "ants.toml", line=5),
    ]
    app = board(folder, launcher=FakeLauncher(started=Outcome(problems=problems)))

    async def test(pilot: Pilot[None]) -> None:
        await pilot.press("down", "enter")
        await pilot.pause(0.2)
        assert isinstance(app.screen, EditScreen)
        assert app.screen.query_one(ExperimentForm).focused_path == ("train", "epochs")

    start(app, test, "enter", size=size)


def test_a_problem_of_ones_own_code_is_to_be_mended_there(folder: Path) -> None:
    problem = Problem("no function Dice", "", file=folder / "losses.py", line=1)
    app = board(folder, launcher=FakeLauncher(started=Outcome(problems=[problem])))

    async def test(pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        await pilot.pause()
        assert app.screen is app.main
        assert f"it is in {folder / 'losses.py'}" in told(app)

    start(app, test, "enter")


def test_warnings_are_told_and_stop_nothing(folder: Path) -> None:
    warning = Problem("slow", severity="warning")
    launcher = FakeLauncher()
    launcher.begin = lambda: Outcome(run=new_run(folder).path, problems=[warning, warning])
    app = board(folder, launcher=launcher)

    async def test(pilot: Pilot[None]) -> None:
        assert "warning: slow (and 1 more)" in told(app)
        assert "it goes on without this dashboard" in told(app)

    start(app, test, "enter")


def test_an_engine_that_can_not_start_is_heard_in_its_own_words(folder: Path) -> None:
    launcher = FakeLauncher(started=Outcome(words="CUDA driver version is insufficient"))
    app = board(folder, launcher=launcher)

    async def test(pilot: Pilot[None]) -> None:
        assert "ants.toml did not start" in shown(app)
        assert "CUDA driver version is insufficient" in shown(app)

    start(app, test, "enter")


def test_leaving_the_choice_of_a_device_starts_nothing(folder: Path) -> None:
    launcher = FakeLauncher()
    app = board(folder, launcher=launcher)

    async def test(pilot: Pilot[None]) -> None:
        assert app.screen is app.main
        assert launcher.asked == []

    start(app, test, "escape")


def test_what_a_command_printed_is_read() -> None:
    problem = Problem("unknown key", "a", "b", Path("c.toml"), 3)
    printed = json.dumps({"problems": [problem.as_json()]})
    assert read_outcome(Answer(2, printed, "")) == Outcome(problems=[problem])
    begun = read_outcome(Answer(0, '{"run": "1", "path": "/runs/a/1", "pid": 5}', "some warning"))
    assert (begun.run, begun.ok) == (Path("/runs/a/1"), True)
    assert read_outcome(Answer(1, '{"error": "no memory"}', "")).words == "no memory"
    assert read_outcome(Answer(1, "", "Traceback …\n")).words == "Traceback …"
    assert "code -9" in read_outcome(Answer(-9, "", "")).words


def test_the_device_of_an_experiment_is_read(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text('[train]\ndevice = "cuda:1"\n')
    assert device_in(file) == "cuda:1"
    file.write_text("[train\n")
    assert device_in(file) == "auto"
    assert device_in(tmp_path / "gone.toml") == "auto"


def test_a_real_check_tells_a_files_problems(tmp_path: Path) -> None:
    """A mistake in the file is found before torch is imported, so this is quick."""
    file = tmp_path / "a.toml"
    file.write_text('[model]\nbackbone = "resnet19"\n[train]\nepochs = 1\n')
    outcome = read_outcome(asyncio.run(Engine().ask("check", str(file), "--json")))
    assert [(problem.key, problem.line) for problem in outcome.problems] == [("model.backbone", 2)]


def test_text_that_is_not_saved_is_asked_about_as_if_it_stood_in_the_file(
    tmp_path: Path,
) -> None:
    file = tmp_path / "ants.toml"
    file.write_text("name = 1")
    answer = asyncio.run(
        Engine().ask("check", str(file), "--stdin", "--json", text="seed = true\n")
    )
    problems = read_outcome(answer).problems
    assert answer.code == 2
    assert {problem.key for problem in problems} == {"model", "seed", "train"}
    assert {problem.file for problem in problems} == {file}

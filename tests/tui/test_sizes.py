"""Terminals from 20x5 to 300x100, changed at random during a run that is being written."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.screen import Screen

from engine.contract.events import Validated
from engine.contract.queue import Queue
from engine.contract.run_directory import RunDirectory
from tests.contract.good_files import CHAIN
from tests.tui.board import (
    EXPERIMENT,
    FakeLauncher,
    append,
    board,
    look,
    new_run,
    running,
    started,
    step,
    until,
    watch,
)
from tests.tui.module_trees import printed
from tests.tui.test_planned_lr import plan
from tui.app import Dashboard
from tui.launching import Answer
from tui.screens.choice import ChoiceDialog
from tui.screens.edit import EditScreen
from tui.screens.freezing import FreezingScreen
from tui.screens.help import HelpDialog
from tui.screens.main import MainScreen
from tui.screens.queue import QueueDialog

STEPS = 10  # changes of the size, a key after each
PLAN = Answer(0, plan([0.1, 0.2, 0.2, 0.1, 0.1, 0.01], per_epoch=2), "")


@dataclass(frozen=True)
class Place:
    """`opens`: the keys that lead to that screen; `keys`: what is pressed there at random."""

    screen: type[Screen[Any]]
    opens: tuple[str, ...]
    keys: tuple[str, ...]


MOVES = ("up", "down", "left", "right", "tab", "pagedown", "home")
PLACES = {
    "main": Place(MainScreen, (), (*MOVES, "1", "2", "3", "l", "f", "x", "plus", "0")),
    "compare": Place(
        MainScreen, ("1", "space", "down", "space"), ("1", "2", "space", "o", "slash", "x", "f")
    ),
    "editor": Place(EditScreen, ("e",), (*MOVES, "f3", "space", "f4")),
    "chain editor": Place(EditScreen, ("e", "f10"), (*MOVES, "f10", "x", "l", "f3", "f5", "f6")),
    "module tree": Place(FreezingScreen, ("e", "f9"), (*MOVES, "space", "slash", "f1")),
    "queue": Place(QueueDialog, ("Q",), (*MOVES, "u", "d", "x")),
    "help": Place(HelpDialog, ("question_mark",), MOVES),
    "ladder": Place(ChoiceDialog, ("s",), MOVES),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two experiments, one of them wrong; three runs, one of them under way; a queue of two."""
    (tmp_path / "ants.toml").write_text(f'{EXPERIMENT}[optimizer]\nname = "SGD"\n\n{CHAIN}')
    (tmp_path / "bad.toml").write_text("[data]\nbatch_size = -1\n[train]\n")
    for name in ("bees", "wasps"):
        older = new_run(tmp_path, name)
        append(older, started(), step(0), step(1))
        older.path.rename(older.path.with_name(f"20200101-000000-{name[0] * 4}"))
        Queue(tmp_path / "runs").add(tmp_path / f"{name}.toml", EXPERIMENT.encode(), [], "cuda:0")
    running(tmp_path)
    return tmp_path


def size(dice: random.Random) -> tuple[int, int]:
    """From 20x5 to 300x100, a small one as likely as one that is twice as large."""
    return round(20 * 15 ** dice.random()), round(5 * 20 ** dice.random())


def happens(run: RunDirectory, number: int, dice: random.Random) -> None:
    """The run tells what a chart may have to show."""
    append(run, step(number, loss=dice.choice([0.5, float("inf"), 1e30, -1.0])))
    if dice.random() < 0.3:
        metrics: dict[str, float | None] = {"val/loss": dice.choice([None, 0.1])}
        append(run, Validated(time=1, step=number, epoch=0, metrics=metrics, seconds=1))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", PLACES)
def test_no_change_of_size_harms_a_live_dashboard(folder: Path, name: str, seed: int) -> None:
    answers = {"layers": Answer(0, printed("resnet18"), ""), "lr": PLAN}
    app, place = board(folder, launcher=FakeLauncher(answers=answers)), PLACES[name]
    dice = random.Random(f"{name} {seed}")

    async def test(pilot: Pilot[None]) -> None:
        (run,) = (each.run for each in app.main.watched.values() if each.run.name == "ants")
        for key in place.opens:
            await pilot.press(key)
            await pilot.pause()
        await until(pilot, lambda: isinstance(app.screen, place.screen))
        for number in range(STEPS):
            await pilot.resize_terminal(*size(dice))
            happens(run, number + 2, dice)
            await pilot.press(dice.choice(place.keys))
            app.main.look()
        for last in ((20, 5), (300, 100)):
            await pilot.resize_terminal(*last)
            await pilot.pause()
        assert app.is_running
        assert app._exception is None

    watch(app, test)


def shown(app: Dashboard) -> list[str]:
    """The screen's rows as they are drawn."""
    return [
        "".join(segment.text for segment in strip)
        for strip in app.screen._compositor.render_strips()
    ]


@pytest.mark.parametrize(
    ("key", "words"), [("1", "● ants"), ("2", "train"), ("3", "epoch 1/3 ▇▇▇▁▁▁▁▁▁▁ 33%")]
)
def test_40_by_10_has_what_one_looks_for_and_the_keys(folder: Path, key: str, words: str) -> None:
    app = board(folder)

    async def test(pilot: Pilot[None]) -> None:
        await look(app, pilot)
        await pilot.press(key)
        await pilot.pause()
        picture = "\n".join(shown(app))
        assert words in picture
        assert "1 Runs  2 Charts  3 Run" in picture, "what to press"

    watch(app, test, (40, 10))


@pytest.mark.parametrize(("key", "words"), [("1", "● ants"), ("2", "Loss"), ("3", "running · cpu")])
def test_20_by_5_has_a_line_of_it(folder: Path, key: str, words: str) -> None:
    app = board(folder)

    async def test(pilot: Pilot[None]) -> None:
        await pilot.press(key)
        await pilot.pause()
        assert words in "\n".join(shown(app))

    watch(app, test, (20, 5))


def test_it_can_be_opened_that_small(folder: Path) -> None:
    for size in ((20, 5), (1, 1), (300, 100)):
        app = board(folder)

        async def run(app: Dashboard = app, size: tuple[int, int] = size) -> None:
            async with app.run_test(size=size) as pilot:
                await look(app, pilot)

        asyncio.run(run())
        assert app._exception is None

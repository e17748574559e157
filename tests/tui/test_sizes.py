"""Terminals from 20x5 to 300x100, changed at random during a run that is being written."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from textual.pilot import Pilot

from engine.contract.events import Validated
from tests.tui.board import EXPERIMENT, append, board, look, running, step, watch
from tui.app import Dashboard

KEYS = {
    "main": ["1", "2", "3", "l", "tab", "down", "up", "f", "x", "right", "left", "plus_", "0"],
    "editor": ["tab", "f3", "down", "up", "space", "pagedown", "f4"],
    "dialogs": ["down", "up", "tab"],
}
OPENS = {"main": [], "editor": ["e"], "dialogs": ["question_mark"], "ladder": ["s"]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ants.toml").write_text(EXPERIMENT)
    (tmp_path / "bad.toml").write_text("[data]\nbatch_size = -1\n[train]\n")
    running(tmp_path)
    return tmp_path


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("where", list(OPENS))
def test_no_change_of_size_harms_a_live_dashboard(folder: Path, where: str, seed: int) -> None:
    app, dice = board(folder), random.Random(seed)

    async def test(pilot: Pilot[None]) -> None:
        run = next(iter(app.main.watched.values())).run
        for key in OPENS[where]:
            await pilot.press(key)
        await pilot.pause()
        for number in range(12):
            await pilot.resize_terminal(dice.randint(20, 300), dice.randint(5, 100))
            append(run, step(number + 2, loss=dice.choice([0.5, float("inf"), 1e30, -1.0])))
            if dice.random() < 0.2:
                metrics: dict[str, float | None] = {"val/loss": dice.choice([None, 0.1])}
                at = number + 2
                append(run, Validated(time=1, step=at, epoch=0, metrics=metrics, seconds=1))
            await pilot.press(dice.choice(KEYS.get(where, KEYS["dialogs"])))
            app.main.look()
        for size in ((20, 5), (300, 100)):
            await pilot.resize_terminal(*size)
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

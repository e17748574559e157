"""The planned learning rate beside the form, asked for as one types; own code only when told."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from tests.tui.board import FakeLauncher
from tests.tui.test_freezing_screen import Editing
from tui.launching import Answer, Engine, Launcher
from tui.screens.edit import EditScreen
from tui.widgets.chart import Chart
from tui.widgets.experiment_form import ExperimentForm
from tui.widgets.planned_lr import PlannedLr

FILE = """[data]
dataset = "digits"

[model]
backbone = "alexnet"

[optimizer]
name = "SGD"
lr = 0.1

[[scheduler]]
name = "LinearLR"
end = 2

[[scheduler]]
name = "MultiStepLR"
milestones = [3]

[train]
epochs = 4
"""


def plan(rates: list[float], per_epoch: int = 1) -> str:
    """As the engine prints it, of one group, with a member that acts in steps 1 and 2."""
    points = [{"step": i, "epoch": i // per_epoch, "lr": [lr]} for i, lr in enumerate(rates)]
    member = {"key": "scheduler.0", "name": "LinearLR", "interval": "epoch",
              "first": 1, "last": 2, "changes": 2}  # fmt: skip
    idle = {"key": "scheduler.1", "name": "MultiStepLR", "interval": "epoch",
            "first": None, "last": None, "changes": 0}  # fmt: skip
    epochs = len(rates) // per_epoch
    return json.dumps({"groups": ["default"], "steps_per_epoch": per_epoch, "epochs": epochs,
                       "members": [member, idle], "points": points})  # fmt: skip


class Hands:
    def __init__(self, app: Editing, pilot: Pilot[None]) -> None:
        self.app, self.pilot = app, pilot

    @property
    def screen(self) -> EditScreen:
        return next(each for each in self.app.screen_stack if isinstance(each, EditScreen))

    @property
    def pane(self) -> PlannedLr:
        return self.screen.query_one(PlannedLr)

    @property
    def rates(self) -> list[float]:
        lines = self.pane.chart.content.lines
        return np.asarray(lines[0].y).tolist() if lines else []

    @property
    def members(self) -> str:
        return str(self.pane.query_one("#members", Static).content)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def until(self, true: Callable[[], object], seconds: float = 10) -> None:
        limit = time.monotonic() + seconds
        while not true() and time.monotonic() < limit:
            await self.pilot.pause(0.02)
        assert true(), f"{self.pane.told!r} {self.rates[:5]}"

    async def go(self, *path: str | int) -> None:
        self.screen.query_one(ExperimentForm).focus_path(path)
        await self.pilot.pause()

    async def retype(self, value: str, *path: str | int) -> None:
        await self.go(*path)
        await self.press("end", "ctrl+u", *value)


def edit(
    folder: Path,
    does: Callable[[Hands], Awaitable[None]],
    launcher: Launcher,
    text: str = FILE,
    size: tuple[int, int] = (120, 40),
) -> None:
    path = folder / "it.toml"
    path.write_text(text)

    async def run() -> None:
        app = Editing(path, launcher)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await does(Hands(app, pilot))

    asyncio.run(run())


class Telling(FakeLauncher):
    """Answers `lr` with what a function makes of the text; remembers what was asked of that."""

    def __init__(self, answer: Callable[[str, tuple[str, ...]], Answer]) -> None:
        super().__init__()
        self.answer = answer
        self.texts: list[str] = []
        self.lines: list[tuple[str, ...]] = []

    async def ask(self, *arguments: str, text: str | None = None) -> Answer:
        self.lines.append(arguments)
        self.texts.append(text or "")
        return self.answer(text or "", arguments)


def by_lr(text: str, _: tuple[str, ...]) -> Answer:
    """The first rate is the optimizer's."""
    lr = float(text.partition("lr = ")[2].split()[0])
    return Answer(0, plan([lr, lr / 2, lr / 4, lr / 8]), "")


def test_the_curve_is_there_in_a_roomy_terminal_and_follows_what_is_typed(tmp_path: Path) -> None:
    launcher = Telling(by_lr)

    async def does(hands: Hands) -> None:
        await hands.until(lambda: hands.rates == [0.1, 0.05, 0.025, 0.0125])
        assert "LinearLR" in hands.members
        assert "MultiStepLR (changes nothing)" in hands.members
        await hands.retype("0.4", "optimizer", "lr")
        await hands.until(lambda: hands.rates == [0.4, 0.2, 0.1, 0.05])
        assert not hands.pane.has_class("-old")

    edit(tmp_path, does, launcher)
    assert launcher.lines[0] == (
        "lr", str(tmp_path / "it.toml"), "--stdin", "--json", "--most-points", "4000"
    )  # fmt: skip
    assert launcher.texts[-1] == FILE.replace("lr = 0.1", "lr = 0.4")
    assert len(launcher.texts) < 5  # letters typed fast are one question


def test_what_has_no_bearing_on_it_asks_nothing(tmp_path: Path) -> None:
    launcher = Telling(by_lr)

    async def does(hands: Hands) -> None:
        await hands.until(lambda: hands.rates)
        await hands.press("f3", "ctrl+home", *"# a comment", "enter")
        await hands.pilot.pause(0.6)
        assert len(launcher.lines) == 1

    edit(tmp_path, does, launcher)


def test_at_80_columns_f10_shows_it_goes_into_it_and_hides_it(tmp_path: Path) -> None:
    launcher = Telling(by_lr)

    async def does(hands: Hands) -> None:
        assert not hands.pane.display
        await hands.pilot.pause(0.4)
        assert launcher.lines == []  # nothing is asked for what is not seen
        await hands.press("f10")
        await hands.until(lambda: hands.rates)
        assert hands.screen.query_one(ExperimentForm).focused_path is not None
        await hands.press("f10")
        assert isinstance(hands.app.focused, Chart)
        await hands.press("x")
        assert hands.pane.chart.content.x_axis == "epoch"
        await hands.press("f10")
        assert not hands.pane.display
        assert hands.screen.query_one(ExperimentForm).focused_path is not None

    edit(tmp_path, does, launcher, size=(80, 24))


def test_while_something_is_wrong_the_last_curve_stays_with_a_word(tmp_path: Path) -> None:
    async def does(hands: Hands) -> None:
        await hands.until(lambda: hands.rates)
        before = hands.rates
        await hands.retype("-1", "optimizer", "lr")
        await hands.until(lambda: "1 to mend first" in hands.pane.told)
        assert hands.pane.has_class("-old")
        assert hands.rates == before
        await hands.press("f3", "ctrl+home", "[")
        await hands.until(lambda: "no TOML" in hands.pane.told)
        assert "curve of before" in hands.pane.told
        await hands.press("backspace", "ctrl+z", "ctrl+z")
        await hands.retype("0.4", "optimizer", "lr")
        await hands.until(lambda: hands.rates[:1] == [0.4])
        assert hands.pane.told == ""

    edit(tmp_path, does, Telling(by_lr))


def test_an_older_question_is_given_up_for_a_newer_one(tmp_path: Path) -> None:
    given_up: list[str] = []

    class Slow(Telling):
        async def ask(self, *arguments: str, text: str | None = None) -> Answer:
            if "lr = 0.1" in (text or ""):
                try:
                    await asyncio.sleep(3600)
                except asyncio.CancelledError:
                    given_up.append("0.1")
                    raise
            return await super().ask(*arguments, text=text)

    launcher = Slow(by_lr)

    async def does(hands: Hands) -> None:
        await hands.pilot.pause(0.5)
        assert "the first time is slow" in hands.pane.told
        await hands.retype("0.4", "optimizer", "lr")
        await hands.until(lambda: hands.rates[:1] == [0.4])
        assert given_up

    edit(tmp_path, does, launcher)


def test_members_that_are_moved_removed_and_brought_back_are_asked_about(tmp_path: Path) -> None:
    launcher = Telling(by_lr)

    async def does(hands: Hands) -> None:
        await hands.until(lambda: len(launcher.texts) == 1)
        await hands.go("scheduler", 1, "milestones")
        await hands.press("f5")
        await hands.until(lambda: len(launcher.texts) == 2)
        assert launcher.texts[1].index("MultiStepLR") < launcher.texts[1].index("LinearLR")
        await hands.go("scheduler", 0)
        await hands.press("f8")
        await hands.until(lambda: len(launcher.texts) == 3)
        assert "MultiStepLR" not in launcher.texts[2]
        await hands.press("ctrl+z")
        await hands.until(lambda: len(launcher.texts) == 4)
        assert launcher.texts[3] == launcher.texts[1]

    edit(tmp_path, does, launcher)


def test_where_the_data_cannot_be_read_an_epoch_is_taken_to_have_100_steps(tmp_path: Path) -> None:
    problem = {"message": "../ants does not exist", "key": "data.root", "hint": "",
               "severity": "error", "file": None, "line": 2}  # fmt: skip

    def answer(text: str, arguments: tuple[str, ...]) -> Answer:
        if "--steps-per-epoch" in arguments:
            assert arguments[arguments.index("--steps-per-epoch") + 1] == "100"
            return by_lr(text, arguments)
        return Answer(2, json.dumps({"problems": [problem]}), "")

    async def does(hands: Hands) -> None:
        await hands.until(lambda: hands.rates)
        assert hands.pane.told == "as if an epoch had 100 steps: ../ants does not exist"

    edit(tmp_path, does, Telling(answer))


def test_a_plateau_sees_no_progress_unless_numbers_are_typed(tmp_path: Path) -> None:
    launcher = Telling(by_lr)
    text = FILE.replace('"MultiStepLR"\nmilestones = [3]', '"ReduceLROnPlateau"')

    async def does(hands: Hands) -> None:
        await hands.until(lambda: hands.rates)
        assert launcher.lines[-1][-2:] == ("--metric", "1,1,1,1")  # an epoch each
        entry = hands.pane.query_one("#metric", Input)
        assert entry.placeholder.startswith("as if val/loss never improved")
        entry.focus()
        await hands.press(*"1,.5")
        await hands.until(lambda: launcher.lines[-1][-2:] == ("--metric", "1,.5"))

    edit(tmp_path, does, launcher, text)


def test_what_ptrain_lr_warns_of_stands_beside_the_curve(tmp_path: Path) -> None:
    warned = "warning: it.toml:13: scheduler.1: never acts\n    write an earlier milestone\n"

    def answer(text: str, arguments: tuple[str, ...]) -> Answer:
        return Answer(0, by_lr(text, arguments).out, warned)

    async def does(hands: Hands) -> None:
        await hands.until(lambda: hands.rates)
        assert hands.pane.told == "line 13: scheduler 2: never acts"

    edit(tmp_path, does, Telling(answer))


def test_ones_own_code_is_run_only_when_a_person_says_so(tmp_path: Path) -> None:
    launcher = Telling(by_lr)
    text = FILE.replace('name = "LinearLR"\nend = 2', 'target = "mine.py:lr"')

    async def does(hands: Hands) -> None:
        await hands.until(lambda: "it would run mine.py:lr; r runs it" in hands.pane.told)
        await hands.pilot.pause(0.4)
        assert launcher.lines == []
        await hands.press("f10", "r")
        await hands.until(lambda: hands.rates)

    edit(tmp_path, does, launcher, text)


def test_ones_own_data_is_not_looked_at(tmp_path: Path) -> None:
    launcher = Telling(by_lr)
    text = FILE.replace('dataset = "digits"', 'target = "mydata.py:build"')

    async def does(hands: Hands) -> None:
        await hands.until(lambda: hands.rates)
        assert launcher.lines[0][-2:] == ("--steps-per-epoch", "100")
        assert "mydata.py:build is not run for this" in hands.pane.told

    edit(tmp_path, does, launcher, text)


@pytest.mark.parametrize("size", [(20, 5), (40, 10), (80, 24), (200, 60)])
def test_it_is_drawn_in_any_size(tmp_path: Path, size: tuple[int, int]) -> None:
    async def does(hands: Hands) -> None:
        if not hands.pane.display:
            await hands.press("f10")
        await hands.until(lambda: hands.rates)

    edit(tmp_path, does, Telling(by_lr), size=size)


@pytest.mark.parametrize("height", [18, 24])
def test_where_it_takes_the_forms_room_the_edited_row_stays_in_sight(
    tmp_path: Path, height: int
) -> None:
    async def does(hands: Hands) -> None:
        form = hands.screen.query_one(ExperimentForm)
        await hands.go("train", "epochs")
        (row,) = (row for row in form.rows if row.has_focus)
        await hands.press("f10")
        await hands.until(lambda: hands.rates)
        await hands.until(lambda: form.region.contains_region(row.region))
        await hands.press("f10")
        assert hands.pane.has_focus_within
        await hands.pilot.resize_terminal(80, height - 2)
        await hands.until(lambda: form.region.contains_region(row.region))

    edit(tmp_path, does, Telling(by_lr), size=(80, height))


@pytest.mark.slow
def test_with_the_real_engine_the_curve_is_that_of_the_real_schedulers(tmp_path: Path) -> None:
    async def does(hands: Hands) -> None:
        await hands.until(lambda: hands.rates, seconds=120)
        # 1,797 digits, a fifth for validation: 45 batches of 32. LinearLR's own start is a third.
        steps = hands.pane.chart.content.lines[0].x
        assert steps[-1] == 4 * 45 - 1
        assert hands.rates[0] == pytest.approx(0.1 / 3)
        assert hands.rates[-1] == pytest.approx(0.1 * (1 / 3 + 2 / 3 * 2 / 5) * 0.1)

    text = FILE.replace('"digits"', '"digits"\nval = 0.2\nbatch_size = 32')
    edit(tmp_path, does, Engine(), text)

"""Editing: a form and its text on one document; problems as one types; nothing is lost unasked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static

from engine.contract.problems import Problem
from tests.contract.good_files import FULL, GOOD
from tests.tui.board import FakeLauncher
from tui.screens.choose import ChooseScreen
from tui.screens.choose_backbone import BackboneDialog
from tui.screens.edit import EditScreen
from tui.screens.field_help import FieldHelpDialog
from tui.screens.file_name import FileNameScreen
from tui.screens.help import HelpDialog
from tui.widgets.experiment_form import ExperimentForm
from tui.widgets.field_row import FieldRow
from tui.widgets.key_line import KeyLine
from tui.widgets.problem_list import ProblemList
from tui.widgets.toml_text import TomlText

RESTED = 0.3  # seconds, after which what was typed has been read


class Editing(App[None]):
    """Pushes the screen as the dashboard does, and keeps what it says."""

    ENABLE_COMMAND_PALETTE = False

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.animation_level = "none"
        self.path = path
        self.answers: list[Path | None] = []

    def on_mount(self) -> None:
        self.push_screen(EditScreen(self.path, FakeLauncher()), self.answers.append)


class Hands:
    """What a person does and sees."""

    def __init__(self, app: Editing, pilot: Pilot[None]) -> None:
        self.app, self.pilot = app, pilot

    @property
    def screen(self) -> EditScreen:
        return next(each for each in self.app.screen_stack if isinstance(each, EditScreen))

    @property
    def text(self) -> str:
        return self.screen.query_one(TomlText).text

    @property
    def form(self) -> ExperimentForm:
        return self.screen.query_one(ExperimentForm)

    @property
    def problems(self) -> list[str]:
        return [problem.key for problem in self.screen.query_one(ProblemList).problems]

    def row(self, *path: str | int) -> FieldRow:
        return next(row for row in self.form.rows if row.row.path == path)

    def value(self, *path: str | int) -> str:
        return self.row(*path).value

    def titles(self) -> list[str]:
        return [table.title for table in self.form.form.tables]

    async def go(self, *path: str | int) -> None:
        self.form.focus_path(path)
        await self.pilot.pause()

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()
        await self.settled()

    async def settled(self) -> None:
        """What is shown is what is there: on a busy machine that takes a moment more."""
        limit = time.monotonic() + 10
        while time.monotonic() < limit:
            screens = [each for each in self.app.screen_stack if isinstance(each, EditScreen)]
            if not screens or not screens[0].query(ProblemList):
                return
            if self.problems == [problem.key for problem in screens[0].document.problems()]:
                return
            await self.pilot.pause(0.02)

    async def retype(self, value: str, *path: str | int) -> None:
        """Into the entry of a key, in place of what it holds."""
        await self.go(*path)
        await self.press("end", "ctrl+u", *value)
        await self.rest()

    async def rest(self) -> None:
        await self.pilot.pause(RESTED)

    async def answer(self, name: str) -> None:
        assert isinstance(self.app.screen, ChooseScreen)
        options = self.app.screen.query_one(OptionList)
        options.highlighted = [str(each.prompt).split("  ")[0] for each in options.options].index(
            name
        )
        await self.press("enter")
        await self.pilot.pause()


def edit(
    path: Path, does: Callable[[Hands], Awaitable[None]], size: tuple[int, int] = (140, 40)
) -> Editing:
    async def run() -> Editing:
        app = Editing(path)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await does(Hands(app, pilot))
        return app

    return asyncio.run(run())


@pytest.fixture
def full(tmp_path: Path) -> Path:
    path = tmp_path / "full.toml"
    path.write_text(FULL)
    return path


@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
def test_what_is_changed_in_the_form_shows_in_the_text(full: Path, size: tuple[int, int]) -> None:
    async def does(hands: Hands) -> None:
        await hands.retype("[15, 22]", "scheduler", 1, "milestones")
        assert hands.text == FULL.replace("[15, 20]", "[15, 22]")
        assert hands.problems == []
        await hands.press("ctrl+s")
        assert full.read_text() == FULL.replace("[15, 20]", "[15, 22]")

    edit(full, does, size)


@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
def test_what_is_typed_in_the_text_shows_in_the_form(full: Path, size: tuple[int, int]) -> None:
    async def does(hands: Hands) -> None:
        await hands.press("f3")
        text = hands.screen.query_one(TomlText)
        assert text.has_focus
        text.go_to(FULL[: FULL.index("gamma")].count("\n") + 1)
        await hands.press("end", "5")
        await hands.rest()
        assert hands.value("scheduler", 1, "gamma") == "0.15"
        await hands.press("enter", *"end = 9")
        await hands.rest()
        assert hands.value("scheduler", 1, "end") == "9"

    edit(full, does, size)


def test_a_choice_and_a_switch_are_written_as_toml_has_them(tmp_path: Path) -> None:
    path = tmp_path / "other.toml"
    path.write_text(GOOD["other ways"])

    async def does(hands: Hands) -> None:
        await hands.go("train", "precision")
        await hands.press("enter")
        await hands.answer("fp32")
        await hands.go("optimizer", "amsgrad")
        await hands.press("space")
        await hands.rest()
        expected = GOOD["other ways"].replace('"bf16"', '"fp32"')
        assert hands.text == expected.replace("amsgrad = true", "amsgrad = false")

    edit(path, does)


def test_a_word_typed_without_quotes_gets_them(full: Path) -> None:
    async def does(hands: Hands) -> None:
        await hands.retype("cpu", "train", "device")
        assert 'device = "cpu"' in hands.text

    edit(full, does)


def test_what_is_no_value_yet_is_told_and_not_written(full: Path) -> None:
    async def does(hands: Hands) -> None:
        await hands.go("scheduler", 1, "milestones")
        await hands.press("end", "backspace")
        assert hands.row("scheduler", 1, "milestones").wrong
        assert hands.text == FULL
        await hands.press("]")
        await hands.rest()
        assert not hands.row("scheduler", 1, "milestones").wrong

    edit(full, does)


def test_a_mistake_shows_beside_its_field_and_in_the_list_which_leads_to_the_field(
    full: Path,
) -> None:
    async def does(hands: Hands) -> None:
        await hands.retype("-3", "train", "epochs")
        assert hands.problems == ["train.epochs"]
        assert hands.row("train", "epochs").wrong
        await hands.go("data")
        await hands.press("f4", "enter")
        assert hands.form.focused_path == ("train", "epochs")
        await hands.press("ctrl+z")
        assert hands.problems == []
        assert not hands.row("train", "epochs").wrong

    edit(full, does)


def test_a_mistake_without_a_field_leads_to_its_line(full: Path) -> None:
    async def does(hands: Hands) -> None:
        text = hands.screen.query_one(TomlText)
        await hands.press("f3")
        text.go_to(3)
        await hands.press("[")
        await hands.rest()
        text.move_cursor((0, 0))
        await hands.press("f4", "enter")
        assert text.has_focus
        assert text.cursor_location == (2, 0)

    edit(full, does)


@pytest.mark.parametrize("size", [(80, 24), (140, 40)])
def test_one_comes_to_mend_a_problem_and_is_at_its_field(full: Path, size: tuple[int, int]) -> None:
    async def look() -> None:
        app = App[None]()
        app.animation_level = "none"
        async with app.run_test(size=size) as pilot:
            problem = Problem("wrong", "scheduler.1.gamma.0", line=40)
            screen = EditScreen(full, FakeLauncher(), at=problem)
            await app.push_screen(screen)
            await pilot.pause()
            assert screen.query_one(ExperimentForm).focused_path == ("scheduler", 1, "gamma")

    asyncio.run(look())


def test_while_the_text_is_no_toml_the_form_waits(full: Path) -> None:
    async def does(hands: Hands) -> None:
        await hands.press("f3", "[")
        await hands.rest()
        assert hands.form.disabled
        assert len(hands.problems) == 1
        await hands.press("backspace")
        await hands.rest()
        assert not hands.form.disabled
        assert hands.problems == []

    edit(full, does)


def test_going_to_the_text_and_back_ends_where_one_was(full: Path) -> None:
    async def does(hands: Hands) -> None:
        await hands.go("train", "epochs")
        await hands.press("f3", "f3")
        assert hands.form.focused_path == ("train", "epochs")

    edit(full, does)


def test_undo_and_redo_hold_for_both_sides(full: Path) -> None:
    async def does(hands: Hands) -> None:
        await hands.retype("7", "train", "epochs")
        await hands.press("ctrl+z")
        assert hands.text == FULL
        assert hands.value("train", "epochs") == "25"
        await hands.press("ctrl+y")
        assert "epochs = 7" in hands.text
        assert hands.value("train", "epochs") == "7"
        await hands.go("train")
        await hands.press("u")
        assert hands.text == FULL
        await hands.press("U")
        assert "epochs = 7" in hands.text

    edit(full, does)


def test_a_key_is_added_from_those_that_the_section_can_have(full: Path) -> None:
    async def does(hands: Hands) -> None:
        await hands.go("train")
        await hands.press("f7")
        await hands.answer("validate_every")
        assert "clip_norm = 1.0\nvalidate_every = 1\n" in hands.text
        assert hands.form.focused_path == ("train", "validate_every")
        help_ = str(hands.screen.query_one("#help", Static).render())
        assert "whole number" in help_
        await hands.press("f8")
        assert hands.text == FULL

    edit(full, does)


def test_members_of_the_chain_are_added_moved_and_removed(full: Path) -> None:
    async def does(hands: Hands) -> None:
        await hands.go("scheduler")
        await hands.press("f7", *"onpl")
        await hands.press("enter")
        await hands.pilot.pause()
        assert [title for title in hands.titles() if title.startswith("scheduler")] == [
            "scheduler 1: LinearLR",
            "scheduler 2: MultiStepLR",
            "scheduler 3: ReduceLROnPlateau",
        ]
        await hands.press("f5")
        await hands.press("f5")
        assert [title for title in hands.titles() if title.startswith("scheduler")] == [
            "scheduler 1: ReduceLROnPlateau",
            "scheduler 2: LinearLR",
            "scheduler 3: MultiStepLR",
        ]
        await hands.press("f6")
        await hands.go("scheduler", 0)
        await hands.press("f8")
        assert [title for title in hands.titles() if title.startswith("scheduler")] == [
            "scheduler 1: ReduceLROnPlateau",
            "scheduler 2: MultiStepLR",
        ]

    edit(full, does)


def test_a_second_loss_makes_a_sum_of_the_one(full: Path) -> None:
    async def does(hands: Hands) -> None:
        await hands.go("loss")
        await hands.press("up", "f7")
        await hands.answer("MultiMarginLoss")
        assert hands.text.count("[[loss]]") == 2
        assert "loss 2: MultiMarginLoss" in hands.titles()
        assert hands.problems == []

    edit(full, does)


def test_leaving_unsaved_asks_and_each_answer_does_what_it_says(full: Path) -> None:
    async def does(hands: Hands) -> None:
        await hands.retype("7", "train", "epochs")
        await hands.press("escape")
        await hands.answer("Stay")
        assert hands.app.answers == []
        await hands.press("escape")
        await hands.answer("Save")
        assert "epochs = 7" in full.read_text()

    assert edit(full, does).answers == [full]

    async def discards(hands: Hands) -> None:
        await hands.retype("9", "train", "epochs")
        await hands.go("train")
        await hands.press("q")
        await hands.answer("Discard")

    assert edit(full, discards).answers == [None]
    assert "epochs = 7" in full.read_text()


def test_leaving_what_was_not_changed_asks_nothing(full: Path) -> None:
    async def does(hands: Hands) -> None:
        await hands.press("escape")

    assert edit(full, does).answers == [None]


def test_a_file_that_changed_on_disk_is_noticed_and_not_overwritten_unasked(full: Path) -> None:
    async def does(hands: Hands) -> None:
        await hands.retype("7", "train", "epochs")
        full.write_text("# of someone else\n")
        hands.screen.look_at_disk()
        await hands.pilot.pause()
        (note,) = hands.app._notifications
        assert "changed on disk" in note.message
        await hands.press("ctrl+s")
        await hands.answer("Don't save")
        assert full.read_text() == "# of someone else\n"
        await hands.press("ctrl+s")
        await hands.answer("Overwrite")
        assert full.read_text() == FULL.replace("epochs = 25", "epochs = 7")

    edit(full, does)


def test_reverting_reads_what_the_file_holds_now(full: Path) -> None:
    async def does(hands: Hands) -> None:
        await hands.retype("7", "train", "epochs")
        full.write_text(FULL.replace("seed = 42", "seed = 43"))
        await hands.press("ctrl+r")
        await hands.answer("Revert")
        assert hands.text == FULL.replace("seed = 42", "seed = 43")
        assert hands.value("train", "epochs") == "25"
        assert not hands.screen.dirty
        await hands.press("ctrl+z")
        assert "epochs = 7" in hands.text

    edit(full, does)


def test_saving_as_leaves_the_first_file_and_asks_before_one_that_exists(full: Path) -> None:
    taken = full.with_name("taken.toml")
    taken.write_text("")

    async def does(hands: Hands) -> None:
        await hands.retype("7", "train", "epochs")
        await hands.press("f2")
        assert isinstance(hands.app.screen, FileNameScreen)
        hands.app.screen.query_one(Input).value = "taken"
        await hands.press("enter")
        await hands.answer("Overwrite")
        assert not hands.screen.dirty
        await hands.press("escape")

    assert edit(full, does).answers == [taken]
    assert full.read_text() == FULL
    assert "epochs = 7" in taken.read_text()


def test_a_file_that_can_not_be_read_is_told_and_the_screen_goes(tmp_path: Path) -> None:
    async def does(hands: Hands) -> None:
        (note,) = hands.app._notifications
        assert "no such file" in note.message

    assert edit(tmp_path / "none.toml", does).answers == [None]


@pytest.mark.parametrize("text", ["", "x = [", FULL], ids=["empty", "torn", "full"])
def test_opening_and_resizing_change_nothing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "it.toml"
    path.write_bytes(text.replace("\n", "\r\n").encode())

    async def does(hands: Hands) -> None:
        for size in ((160, 45), (80, 24), (20, 5), (100, 30)):
            await hands.pilot.resize_terminal(*size)
            await hands.press("f3")
        await hands.rest()
        assert not hands.screen.dirty

    edit(path, does)


def test_one_side_at_a_time_in_a_small_window_and_both_in_a_wide_one(full: Path) -> None:
    async def does(hands: Hands) -> None:
        text = hands.screen.query_one(TomlText)
        assert hands.form.region.width == 80
        assert not text.region
        await hands.press("f3")
        assert text.region.width == 80
        await hands.pilot.resize_terminal(160, 45)
        await hands.pilot.pause()
        assert (hands.form.region.width, text.region.width) == (80, 80)

    edit(full, does, (80, 24))


def test_a_value_that_is_typed_back_is_back_in_the_text(full: Path) -> None:
    async def does(hands: Hands) -> None:
        await hands.go("train", "epochs")
        await hands.press("end", "7")
        await hands.rest()
        assert "epochs = 257" in hands.text
        await hands.press("backspace")
        await hands.rest()
        assert hands.text == FULL

    edit(full, does)


def test_a_switch_shows_at_once_what_it_was_switched_to(tmp_path: Path) -> None:
    path = tmp_path / "other.toml"
    path.write_text(GOOD["other ways"])

    async def does(hands: Hands) -> None:
        await hands.go("optimizer", "amsgrad")
        await hands.press("enter")
        assert hands.value("optimizer", "amsgrad") == "false"
        await hands.press("enter")
        assert hands.value("optimizer", "amsgrad") == "true"
        assert hands.text == GOOD["other ways"]

    edit(path, does)


def read_in(hands: Hands) -> str:
    """What a dialog says between its title and its hint."""
    return "".join(str(each.render()) for each in hands.app.screen.query("VerticalScroll Words"))


def test_f1_shows_all_the_help_of_a_key_and_again_the_keys(full: Path) -> None:
    async def does(hands: Hands) -> None:
        await hands.go("model", "weights")
        await hands.press("f1")
        assert isinstance(hands.app.screen, FieldHelpDialog)
        assert str(hands.app.screen.query_one("#title", Static).render()) == "model.weights"
        body = read_in(hands)
        assert "or `none` for random weights (the default)." in body
        assert 'Default: "none"' in body
        await hands.press("f1")
        assert isinstance(hands.app.screen, HelpDialog)
        assert "Save the file" in read_in(hands)
        await hands.press("escape")
        assert hands.form.focused_path == ("model", "weights")

    edit(full, does)


def test_the_backbone_is_chosen_from_a_table_that_is_narrowed_and_sorted(full: Path) -> None:
    async def does(hands: Hands) -> None:
        await hands.go("model", "backbone")
        await hands.press("enter")
        dialog = hands.app.screen
        assert isinstance(dialog, BackboneDialog)
        await hands.press(*"squeezenet")
        assert dialog.names == ["squeezenet1_0", "squeezenet1_1"]
        await hands.press("tab", "tab", "shift+tab")
        assert dialog.names == ["squeezenet1_1", "squeezenet1_0"]  # 1.2 and 1.25 million
        await hands.press("up", "down", "enter")
        assert 'backbone = "squeezenet1_0"' in hands.text

    edit(full, does)


def test_weights_are_offered_and_can_be_typed(full: Path) -> None:
    (full.parent / "mine.pth").write_bytes(b"")

    async def does(hands: Hands) -> None:
        await hands.go("model", "weights")
        await hands.press("enter")
        await hands.answer("mine.pth")
        assert 'weights = "mine.pth"' in hands.text
        await hands.retype("none", "model", "weights")
        assert 'weights = "none"' in hands.text

    edit(full, does)


def test_class_weights_are_balanced_or_numbers(full: Path) -> None:
    async def does(hands: Hands) -> None:
        await hands.go("loss", "weight")
        await hands.press("enter")
        await hands.answer("balanced")
        assert 'weight = "balanced"' in hands.text
        await hands.press("enter")
        await hands.answer("[1.0, 1.0]")
        assert "weight = [1.0, 1.0]" in hands.text

    edit(full, does)


def test_ones_own_code_is_offered_where_it_is_named(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text('[data]\n[model]\nbackbone = "resnet18"\n[train]\nepochs = 1\n')

    async def does(hands: Hands) -> None:
        await hands.go("scheduler")
        await hands.press("f7", *"custom")
        await hands.press("enter")
        await hands.pilot.pause()
        await hands.go("scheduler", 0, "target")
        await hands.press("enter")
        (note,) = hands.app._notifications
        assert "no function or class" in note.message
        (tmp_path / "mine.py").write_text("def warm(optimizer, epoch): ...")
        await hands.press("enter")
        await hands.answer("mine.py:warm")
        assert 'target = "mine.py:warm"' in hands.text

    edit(path, does)


def test_arrows_go_from_row_to_row_and_enter_at_a_head_folds_its_section(full: Path) -> None:
    async def does(hands: Hands) -> None:
        await hands.go("train")
        await hands.press("down", "down", "up")
        assert hands.form.focused_path == ("train", "epochs")
        await hands.press("up", "enter")
        await hands.pilot.pause()
        assert not hands.row("train", "epochs").display or not hands.row("train", "epochs").region
        await hands.press("space")
        await hands.pilot.pause()
        assert hands.row("train", "epochs").region
        await hands.press("pageup")
        top = hands.form.scroll_y
        await hands.press("pagedown")
        assert hands.form.scroll_y >= top

    edit(full, does, (80, 24))


def test_moving_is_offered_in_the_members_of_a_list_alone(full: Path) -> None:
    async def does(hands: Hands) -> None:
        line = hands.screen.query_one(KeyLine)
        await hands.go("train")
        assert "f5 ↑" not in line.keys
        await hands.go("scheduler", 1)
        assert "f5 ↑" in line.keys

    edit(full, does)


@pytest.mark.parametrize("path", [("train",), ("model", "weights"), ("model", "backbone")])
def test_at_80_columns_the_keys_that_one_needs_are_there_whole(
    full: Path, path: tuple[str, ...]
) -> None:
    async def does(hands: Hands) -> None:
        await hands.go(*path)
        line = hands.screen.query_one(KeyLine)
        assert {"f1 Explain", "^s Save", "esc Leave", "f3 Form, text"} <= set(line.keys)
        assert len("  ".join(line.keys)) <= 80

    edit(full, does, (80, 24))

"""The module tree: what is toggled, what is told, and what is then in the file."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Input, Static

from tests.tui.board import FakeLauncher
from tests.tui.module_trees import printed
from tui.launching import Answer
from tui.screens.edit import EditScreen
from tui.screens.freezing import FreezingScreen
from tui.widgets.module_tree import ModuleTreeView
from tui.widgets.toml_text import TomlText

FILE = """[data]
[model]
backbone = "resnet18"  # a small one
freeze = ["*"]  # at first
freeze_norm = true

[[model.unfreeze]]
epoch = 5
layers = ["layer4"]

[train]
epochs = 9
"""


class Editing(App[None]):
    def __init__(self, path: Path, launcher: FakeLauncher) -> None:
        super().__init__()
        self.animation_level = "none"
        self.path, self.launcher = path, launcher

    def on_mount(self) -> None:
        self.push_screen(EditScreen(self.path, self.launcher))


class Hands:
    def __init__(self, app: Editing, pilot: Pilot[None]) -> None:
        self.app, self.pilot = app, pilot

    @property
    def screen(self) -> FreezingScreen:
        assert isinstance(self.app.screen, FreezingScreen)
        return self.app.screen

    @property
    def tree(self) -> ModuleTreeView:
        return self.screen.query_one(ModuleTreeView)

    @property
    def text(self) -> str:
        return self.app.screen_stack[1].query_one(TomlText).text

    def line(self, id: str) -> str:
        return str(self.screen.query_one(f"#{id}", Static).content)

    def words(self, name: str) -> str:
        shown = self.screen.shown
        assert shown is not None
        return shown.words(shown.tree.by_name[name])

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.settled()

    async def settled(self) -> None:
        """What was asked is answered, and what is frozen is written: on a busy machine too."""
        limit = time.monotonic() + 10
        while time.monotonic() < limit:
            await self.pilot.pause(0.02)
            screen = self.app.screen
            of_screen = [each for each in self.app.workers if each.node is screen]
            if not isinstance(screen, FreezingScreen) or not of_screen:
                break
        await self.pilot.pause()

    async def open(self) -> None:
        await self.press("f9")
        await self.pilot.pause()

    async def go(self, name: str) -> None:
        for _ in range(200):
            if self.tree.node is not None and self.tree.node.name == name:
                return
            await self.pilot.press("down")
        raise AssertionError(f"{name} is not to be seen")


def edit(
    folder: Path,
    does: Callable[[Hands], Awaitable[None]],
    text: str = FILE,
    answer: Answer | None = None,
    size: tuple[int, int] = (80, 24),
) -> FakeLauncher:
    path = folder / "it.toml"
    path.write_text(text)
    launcher = FakeLauncher()
    launcher.answers["layers"] = answer or Answer(0, printed("resnet18"), "")

    async def run() -> None:
        app = Editing(path, launcher)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await does(Hands(app, pilot))

    asyncio.run(run())
    return launcher


def test_a_module_that_is_let_train_is_written_as_one_would_and_undone_at_one_stroke(
    tmp_path: Path,
) -> None:
    async def does(hands: Hands) -> None:
        await hands.open()
        # ResNet-18's own head: 512 * 1000 + 1000 parameters.
        assert hands.line("share") == "resnet18 trains 513 k of 11.7 M parameters, 4.39 %"
        assert "as it was" in hands.line("patterns")
        await hands.go("layer3")
        await hands.pilot.press("space")
        await hands.pilot.pause()
        assert hands.line("share").startswith("resnet18 trains 2.61 M")  # at once
        await hands.press("enter")
        assert 'freeze = ["*", "!layer3"]  # at first\n' in hands.text
        assert hands.text.replace(', "!layer3"', "") == FILE
        await hands.press("ctrl+z")
        assert hands.text == FILE

    launcher = edit(tmp_path, does)
    asked = next(each for each in launcher.asked if each[0] == "layers")
    assert asked[1:4] == (str(tmp_path / "it.toml"), "--stdin", "--json")
    assert asked[-1] == FILE  # what is edited, and not what is saved


def test_the_tree_opens_closes_and_says_what_becomes_of_each_module(tmp_path: Path) -> None:
    async def does(hands: Hands) -> None:
        await hands.open()
        assert hands.words("layer4") == "from epoch 5"
        assert hands.words("layer1") == "frozen"
        assert hands.words("") == "partly"
        assert hands.words("relu") == "nothing to freeze"
        await hands.go("layer4")
        await hands.press("right", "right")
        assert hands.tree.node is not None
        assert hands.tree.node.name == "layer4.0"
        await hands.press("left")
        assert hands.tree.node.name == "layer4"
        await hands.press("left")
        assert "layer4.0" not in [node.name for node in hands.tree.rows]
        await hands.press("plus")
        assert "layer1.0.conv1" in [node.name for node in hands.tree.rows]
        await hands.press("minus")
        assert [node.name for node in hands.tree.rows][:3] == ["", "conv1", "bn1"]
        await hands.press("end")
        assert hands.tree.node.name == "fc"

    edit(tmp_path, does)


def test_all_but_the_head_nothing_and_leaving_without_a_change(tmp_path: Path) -> None:
    async def does(hands: Hands) -> None:
        await hands.open()
        await hands.press("n")
        assert hands.line("patterns") == "freeze = []"
        await hands.press("a")
        assert hands.line("patterns") == 'freeze = ["*"]  (as it was)'
        await hands.press("n", "escape")
        assert not isinstance(hands.app.screen, FreezingScreen)
        assert hands.text == FILE

    edit(tmp_path, does)


def test_what_a_filter_finds_is_frozen_together(tmp_path: Path) -> None:
    async def does(hands: Hands) -> None:
        await hands.open()
        await hands.press("n", "slash", *"bn")
        assert hands.screen.query_one("#word", Input).value == "bn"
        await hands.press("enter", "t")
        assert all("bn" in row.name or row.children for row in hands.tree.rows)
        await hands.press("escape")
        assert len(hands.tree.rows) == 11  # the model and its outermost modules: left the filter
        await hands.press("enter")
        assert 'freeze = ["*bn?"]  # at first' in hands.text

    edit(tmp_path, does)


def test_with_freeze_norm_false_the_norm_layers_are_counted_as_training(tmp_path: Path) -> None:
    async def does(hands: Hands) -> None:
        await hands.open()
        # ResNet-18's norm layers have 9,600 parameters.
        assert hands.line("share") == "resnet18 trains 523 k of 11.7 M parameters, 4.47 %"
        assert hands.words("bn1") == "norm: trains"
        assert hands.words("layer1") == "frozen, norms train"

    edit(tmp_path, does, FILE.replace("freeze_norm = true", "freeze_norm = false"))


def test_a_pattern_that_matches_nothing_is_told_and_goes(tmp_path: Path) -> None:
    async def does(hands: Hands) -> None:
        await hands.open()
        assert "matches nothing and goes when you apply: layr4" in hands.line("notes")
        await hands.press("enter")
        assert 'freeze = ["*"]  # at first' in hands.text

    edit(tmp_path, does, FILE.replace('["*"]', '["*", "layr4"]'))


def test_what_is_wrong_with_the_file_is_told_in_words(tmp_path: Path) -> None:
    problem = {
        "message": '"resnet81" is not a torchvision model',
        "key": "model.backbone",
        "hint": "did you mean resnet18?",
        "severity": "error",
        "file": None,
        "line": 3,
    }
    answer = Answer(2, json.dumps({"problems": [problem]}), "")

    async def does(hands: Hands) -> None:
        await hands.open()
        assert '"resnet81" is not a torchvision model' in hands.line("notes")
        assert "escape goes back" in hands.line("share")
        await hands.press("enter", "space", "a", "escape")
        assert hands.text == FILE.replace("resnet18", "resnet81")

    edit(tmp_path, does, FILE.replace("resnet18", "resnet81"), answer)


def test_it_can_be_left_while_the_engine_warms_up(tmp_path: Path) -> None:
    class Slow(FakeLauncher):
        async def ask(self, *arguments: str, text: str | None = None) -> Answer:
            await asyncio.sleep(3600)
            raise AssertionError

    path = tmp_path / "it.toml"
    path.write_text(FILE)

    async def run() -> None:
        app = Editing(path, Slow())
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.press("f9")
            await pilot.pause()
            assert isinstance(app.screen, FreezingScreen)
            assert "warming up" in str(app.screen.query_one("#share", Static).content)
            await pilot.press("space", "a", "enter", "escape")
            await pilot.pause()
            assert not isinstance(app.screen, FreezingScreen)

    asyncio.run(run())


def test_enter_in_the_forms_row_opens_it_and_a_click_on_a_box_toggles(tmp_path: Path) -> None:
    async def does(hands: Hands) -> None:
        screen = hands.app.screen
        assert isinstance(screen, EditScreen)
        screen.query_one("ExperimentForm").focus_path(("model", "freeze"))  # type: ignore[attr-defined]
        await hands.press("enter")
        row = [node.name for node in hands.tree.rows].index("layer4")
        await hands.pilot.click(ModuleTreeView, offset=(5, row))
        await hands.press("enter")
        assert 'freeze = ["*", "!layer4"]' in hands.text

    edit(tmp_path, does)


@pytest.mark.parametrize("size", [(20, 5), (40, 10), (200, 60)])
def test_it_is_drawn_in_any_size(tmp_path: Path, size: tuple[int, int]) -> None:
    async def does(hands: Hands) -> None:
        await hands.open()
        await hands.press("plus", "end", "home", "space")
        assert hands.tree.rows

    edit(tmp_path, does, size=size)

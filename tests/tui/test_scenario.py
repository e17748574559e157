"""A day with the dashboard, in a real terminal: edit, launch, watch, stop, resume, come back.

What is typed is what a person types, and what is waited for is what a person sees.
"""

from __future__ import annotations

import shutil
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pyte
import pytest

from engine.contract.events import Step, Validated
from engine.contract.run_directory import RunDirectory
from engine.contract.runs import status
from tests.test_processes import wait_for
from tests.training import TOP, effective_events, only_run
from tests.tui.test_terminal import Terminal

WIDTH, HEIGHT = 120, 40
TEXT = 61  # the column where the editor's text begins
ENTER, ESCAPE, DOWN, END, LEFT, BACKSPACE = b"\r", b"\x1b", b"\x1b[B", b"\x1b[F", b"\x1b[D", b"\x7f"
SAVE, F3, F9 = b"\x13", b"\x1bOR", b"\x1b[20~"
EPOCHS, PER_EPOCH, LR = 8, 45, 0.02
CHAIN = """[[scheduler]]
name = "LinearLR"                # a warm-up
start_factor = 0.1
total_iters = 2
end = 2

[[scheduler]]
name = "MultiStepLR"             # and down twice
milestones = [4, 6]              # epochs

"""
BEFORE = {"weight": '"balanced"', "milestones": "[4, 6]"}
AFTER = {"weight": "[2, 1, 1, 1, 1, 1, 1, 1, 1, 1]", "milestones": "[4, 7]"}


def experiment() -> str:
    """The real one, with a chain of two schedulers in place of its one."""
    text = (TOP / "experiments" / "digits.toml").read_text()
    begin, end = text.index("[[scheduler]]"), text.index("[train]")
    return text[:begin] + CHAIN + text[end:]


class Person:
    """Looks at a terminal and types."""

    def __init__(self, folder: Path) -> None:
        self.terminal = Terminal(folder / "experiments", folder / "runs", (WIDTH, HEIGHT))
        self.screen = pyte.Screen(WIDTH, HEIGHT)
        self._stream = pyte.ByteStream(self.screen)
        self._fed = 0

    def rows(self) -> list[str]:
        self.terminal.read(0.05)
        new, self._fed = self.terminal.output[self._fed :], len(self.terminal.output)
        self._stream.feed(new)
        return list(self.screen.display)

    def sees(self, found: Callable[[list[str]], object], what: str, seconds: float = 60.0) -> None:
        limit = time.monotonic() + seconds
        while not found(self.rows()):
            shown = "\n".join(self.rows())
            assert time.monotonic() < limit, f"never saw {what}:\n{shown}"

    def reads(self, *words: str, seconds: float = 60.0) -> None:
        self.sees(
            lambda rows: all(word in "\n".join(rows) for word in words), ", ".join(words), seconds
        )

    def types(self, *keys: bytes) -> None:
        """One after the other: a person doesn't paste."""
        for key in keys:
            self.terminal.type(key)
            self.rows()

    def charts(self) -> tuple[str, str]:
        """The cells of the loss and of the learning rate."""
        rows = self.rows()
        middle = [row[34:81] for row in rows]
        at = next(n for n, row in enumerate(middle) if "Learning rate" in row)
        return "".join(middle[1:at]), "".join(middle[at : at + 12])


@pytest.fixture
def people(tmp_path: Path) -> Iterator[Callable[[], Person]]:
    """Each opens `ptrain-tui experiments`, with the real ones in it."""
    shutil.copytree(TOP / "experiments", tmp_path / "experiments")
    (tmp_path / "experiments" / "digits.toml").write_text(experiment())
    came: list[Person] = []

    def comes() -> Person:
        came.append(Person(tmp_path))
        return came[-1]

    yield comes
    for person in came:
        person.terminal.close()


@pytest.mark.slow
def test_edit_launch_watch_stop_resume_leave_and_come_back(
    tmp_path: Path, people: Callable[[], Person]
) -> None:
    me = people()
    me.reads("ants_bees.toml", "  digits.toml", "no runs in")
    me.types(DOWN)
    me.reads("▸ digits.toml")
    edit(me, tmp_path / "experiments" / "digits.toml")
    launch_on_the_cpu(me)
    run = only_run(tmp_path / "runs")

    me.types(b"s")
    me.reads("with a checkpoint")
    me.types(DOWN, ENTER)
    me.reads("■ digits", "stopped")
    assert status(run).state == "stopped"

    me.types(b"R")
    me.reads("● digits", "running", seconds=120)
    me.types(b"q")
    assert me.terminal.left() == 0
    assert "1 run goes on: digits" in me.terminal.output.decode()
    assert status(run).state == "running", "else the run was too short for this test"

    wait_for(lambda: status(run).over, seconds=300)
    assert status(run).state == "finished"
    is_whole(run)
    all_is_there(people())


def edit(me: Person, file: Path) -> None:
    """Class weights and a milestone in the text, a frozen layer in the module tree."""
    me.types(b"e")
    me.reads("[loss]", "digits.toml")
    before = file.read_text()
    me.types(F3, *lines_down(before, "weight "), END)
    retype(me, "weight")
    me.types(*lines_down(before, "milestones", since="weight "), END)
    comment = next(line for line in before.splitlines() if line.startswith("milestones"))
    me.types(*[LEFT] * (len(comment) - comment.index("]") - 1))
    retype(me, "milestones")
    me.types(F9)
    me.reads("conv1", "trains", seconds=120)
    me.types(DOWN, b" ")
    me.reads('freeze = ["conv1"]')
    me.types(ENTER, SAVE)
    me.sees(lambda _: "conv1" in file.read_text(), "the file is saved")
    me.types(ESCAPE)
    me.reads("▸ digits.toml", "no runs in")

    lines = before.splitlines()
    for key, old in BEFORE.items():
        lines = [line.replace(old, AFTER[key]) if line.startswith(key) else line for line in lines]
    after = file.read_text().splitlines()
    assert 'freeze = ["conv1"]' in after
    after.remove('freeze = ["conv1"]')
    assert after == lines, "every other line, with its comment, is as it was"
    assert tomllib.loads(file.read_text())["model"]["freeze"] == ["conv1"]


def retype(me: Person, key: str) -> None:
    """The value that the cursor stands behind. One looks before one types on: Textual may do a
    letter before the backspace in front of it."""
    me.types(*[BACKSPACE] * len(BEFORE[key]))
    me.sees(lambda rows: any(f"{key} =  " in row[TEXT:] for row in rows), f"{key} is empty")
    me.types(*[letter.encode() for letter in AFTER[key]])
    me.reads(f"{key} = {AFTER[key]}")


def lines_down(text: str, word: str, since: str = "") -> list[bytes]:
    lines = text.splitlines()
    place = next(n for n, line in enumerate(lines) if line.startswith(word))
    begin = next(n for n, line in enumerate(lines) if line.startswith(since)) if since else 0
    return [DOWN] * (place - begin)


def launch_on_the_cpu(me: Person) -> None:
    """Until both curves move and the paths of checkpoints are there."""
    me.types(b"r")
    me.reads("Run digits.toml on", "as the experiment says", " cores")
    me.types(DOWN, ENTER)
    me.reads("● digits", "running · cpu", "Learning rate", seconds=120)
    before = me.charts()
    me.reads("checkpoints/best.pt", "checkpoints/last.pt", seconds=120)
    me.sees(lambda _: all(a != b for a, b in zip(before, me.charts(), strict=True)), "curves move")


def is_whole(run: RunDirectory) -> None:
    """Every planned step once, at its learning rate, and every epoch validated once."""
    events = effective_events(run)
    steps = [event for event in events if isinstance(event, Step)]
    assert [step.step for step in steps] == list(range(EPOCHS * PER_EPOCH))
    factors = [0.1, 0.55, 1, 1, 0.1, 0.1, 0.1, 0.01]  # by hand: warm at 2, a tenth at 4 and at 7
    for step in steps:
        assert step.lr == pytest.approx([LR * factors[step.epoch]])
    validated = [(event.epoch, event.step) for event in events if isinstance(event, Validated)]
    assert validated == [(epoch, (epoch + 1) * PER_EPOCH) for epoch in range(EPOCHS)]


def all_is_there(me: Person) -> None:
    me.reads("✓ digits", "finished", f"epoch {EPOCHS}/{EPOCHS}", "val/accuracy")
    me.reads("checkpoints/best.pt", "Learning rate", "planned")
    loss, rates = me.charts()
    assert len(set(loss)) > 10
    assert len(set(rates)) > 5
    me.types(b"q")
    assert me.terminal.left() == 0

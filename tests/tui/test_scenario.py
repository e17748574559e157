"""A day with the dashboard, in a real terminal: edit, launch, watch, stop, resume, come back.

What is typed is what a person types, and what is waited for is what a person sees.
"""

from __future__ import annotations

import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pyte
import pytest

from engine.contract.events import Step
from engine.contract.runs import status
from tests.test_processes import wait_for
from tests.training import effective_events, only_run
from tests.tui.test_terminal import Terminal

WIDTH, HEIGHT = 120, 40
ENTER, ESCAPE, DOWN, END, LEFT, BACKSPACE = b"\r", b"\x1b", b"\x1b[B", b"\x1b[F", b"\x1b[D", b"\x7f"
SAVE, F3, F9 = b"\x13", b"\x1bOR", b"\x1b[20~"
EPOCHS = 30
EXPERIMENT = f"""# mine
name = "digits"

[data]
dataset = "digits"   # bundled
image_size = 32

[model]
backbone = "shufflenet_v2_x0_5"
weights = "none"
freeze = []   # nothing yet

[loss]
name = "CrossEntropyLoss"

[optimizer]
name = "SGD"
lr = 0.02

[[scheduler]]
name = "MultiStepLR"
milestones = [4, 6]   # epochs

[train]
epochs = {EPOCHS}
device = "cpu"
"""


class Person:
    """Looks at a terminal and types."""

    def __init__(self, folder: Path) -> None:
        self.terminal = Terminal(folder, folder / "runs", (WIDTH, HEIGHT))
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
    (tmp_path / "digits.toml").write_text(EXPERIMENT)
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
    me.reads("▸ digits.toml", "no runs in")
    edit(me, tmp_path / "digits.toml")

    me.types(b"r")
    me.reads("Run digits.toml on")
    me.types(ENTER)
    me.reads("● digits", "checkpoints/best.pt", seconds=120)
    before = me.charts()
    me.sees(lambda _: all(a != b for a, b in zip(before, me.charts(), strict=True)), "curves move")
    me.reads("checkpoints/last.pt")

    me.types(b"s")
    me.reads("with a checkpoint")
    me.types(DOWN, ENTER)
    run = only_run(tmp_path / "runs")
    me.reads("■ digits", "stopped")
    assert status(run).state == "stopped"

    me.types(b"R")
    me.reads("● digits", "running", seconds=120)
    me.types(b"q")
    assert me.terminal.left() == 0
    assert "1 run goes on: digits" in me.terminal.output.decode()
    assert status(run).state == "running", "else the run was too short for this test"

    wait_for(lambda: status(run).over)
    assert status(run).state == "finished"
    steps = [event.step for event in effective_events(run) if isinstance(event, Step)]
    assert steps == list(range(len(steps)))
    assert len(steps) % EPOCHS == 0

    again = people()
    again.reads("✓ digits", "finished", f"epoch {EPOCHS}/{EPOCHS}", "val/accuracy")
    again.reads("checkpoints/best.pt", "Learning rate", "planned")
    loss, rates = again.charts()
    assert len(set(loss)) > 10
    assert len(set(rates)) > 5
    again.types(b"q")
    assert again.terminal.left() == 0


def edit(me: Person, file: Path) -> None:
    """A milestone and class weights in the text, a frozen layer in the module tree."""
    me.types(b"e")
    me.reads("[loss]", "[[scheduler]]")
    me.types(F3, *lines_down("[loss]"), DOWN, END, ENTER, b'weight = "balanced"')
    me.reads('weight = "balanced"')
    down = lines_down("milestones", since="[loss]")[:-1]  # a line more stands there now
    me.types(*down, END, *[LEFT] * len(" ]   # epochs"[1:]), BACKSPACE, b"8")
    me.reads("milestones = [4, 8]")
    me.types(F9)
    me.reads("conv1", "trains", seconds=120)
    me.types(DOWN, b" ")
    me.reads('freeze = ["conv1"]')
    me.types(ENTER, SAVE)
    me.sees(lambda _: "conv1" in file.read_text(), "the file is saved")
    me.types(ESCAPE)
    me.reads("▸ digits.toml", "no runs in")

    said = tomllib.loads(file.read_text())
    assert said["scheduler"][0]["milestones"] == [4, 8]
    assert (said["loss"]["weight"], said["model"]["freeze"]) == ("balanced", ["conv1"])
    for comment in ("# mine", "# bundled", "# nothing yet", "# epochs"):
        assert comment in file.read_text()


def lines_down(word: str, since: str = "") -> list[bytes]:
    lines = EXPERIMENT.splitlines()
    place = next(n for n, line in enumerate(lines) if line.startswith(word))
    begin = next(n for n, line in enumerate(lines) if line.startswith(since)) if since else 0
    return [DOWN] * (place - begin)

"""A real terminal: what the dashboard leaves behind when it is told to go, or killed."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from engine.contract.events import Step
from engine.contract.run_directory import RunDirectory
from engine.contract.runs import status
from tests.test_processes import arguments, environment, wait_for
from tests.test_resume import assert_same
from tests.training import Numbers, effective_events, only_run

DASHBOARD = [sys.executable, "-c", "from tui.app import main; main()"]
EPOCHS = 80  # of 4 steps; longer than three dashboards take to be opened and left
LEAVES = {b"\x1b[?1049l": b"\x1b[?1049h", b"\x1b[?1002l": b"\x1b[?1002h"}  # what undoes what


def _size_words(size: tuple[int, int]) -> dict[str, str]:
    """pytest's workers have others in their environment, which would count more than the size."""
    return {"COLUMNS": str(size[0]), "LINES": str(size[1])}


class Terminal:
    """A dashboard that has a pseudo-terminal for its own, as under SSH."""

    def __init__(self, folder: Path, runs: Path, size: tuple[int, int] = (100, 30)) -> None:
        self.reading, writing = os.openpty()
        name = os.ttyname(writing)
        # The leader of a new session gets the first terminal that it opens as its own: only then
        # does the kernel send it SIGHUP. `stty` before that: the size is the terminal's.
        command = f'exec <>"$0" >&0 2>&0; stty cols {size[0]} rows {size[1]}; exec "$@"'
        self.process = subprocess.Popen(
            ["sh", "-c", command, name, *DASHBOARD, str(folder), "--runs", str(runs)],
            env=environment() | {"TERM": "xterm-256color"} | _size_words(size),
            start_new_session=True,
        )
        os.close(writing)
        self.output = b""

    def read(self, seconds: float = 0.1) -> None:
        """What it has written since; at its end there is nothing more."""
        while self.reading >= 0 and select.select([self.reading], [], [], seconds)[0]:
            try:
                new = os.read(self.reading, 1 << 16)
            except OSError:  # Linux says so when no one has the other end open
                return
            if not new:
                return
            self.output += new

    def shows(self, text: bytes) -> bool:
        self.read()
        return text in self.output

    def type(self, keys: bytes) -> None:
        os.write(self.reading, keys)

    def workbench(self) -> psutil.Process | None:
        """The process that warms up for it."""
        for child in psutil.Process(self.process.pid).children():
            if "engine.workbench" in child.cmdline():
                return child
        return None

    def hang_up(self) -> None:
        """As a line that drops: the kernel sends SIGHUP, and the terminal is gone."""
        os.close(self.reading)
        self.reading = -1

    def left(self, seconds: float = 5.0) -> int:
        """Its exit code; it has a second, and more on a busy machine."""
        limit = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < limit, "it is still there"
            self.read(0.02)
            time.sleep(0.01)
        self.read()
        return self.process.returncode

    def close(self) -> None:
        with suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        if self.reading >= 0:
            os.close(self.reading)


@pytest.fixture
def terminals(tmp_path: Path) -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.close()


def test_a_run_does_not_notice_how_dashboards_end_and_the_terminal_is_left_clean(
    experiment: Path, undisturbed: RunDirectory, tmp_path: Path, terminals: list[Terminal]
) -> None:
    subprocess.run(
        arguments(experiment, tmp_path, "--detach", "--set", f"train.epochs={EPOCHS}"),
        env=environment(),
        capture_output=True,
        timeout=90,
        check=True,
    )
    run = only_run(tmp_path)

    def opened() -> Terminal:
        terminal = Terminal(experiment.parent, tmp_path)
        terminals.append(terminal)
        wait_for(lambda: terminal.shows(run.id.encode()))
        return terminal

    terminated = opened()
    terminated.process.send_signal(signal.SIGTERM)
    assert terminated.left() == 128 + signal.SIGTERM
    for off, on in LEAVES.items():
        assert terminated.output.rfind(off) > terminated.output.rfind(on) > -1
    assert "goes on" in terminated.output.decode()

    told = opened()
    told.process.send_signal(signal.SIGHUP)
    assert told.left() == 128 + signal.SIGHUP
    hung_up = opened()
    hung_up.hang_up()
    assert hung_up.left() == 128 + signal.SIGHUP

    killed = opened()
    killed.process.kill()
    assert killed.left() == -signal.SIGKILL

    assert status(run).state == "running", "else the run was too short for this test"
    wait_for(lambda: status(run).over)
    assert status(run).state == "finished"
    steps = [event.step for event in effective_events(run) if isinstance(event, Step)]
    assert steps == list(range(4 * EPOCHS)), "no event is lost"
    both = len(Numbers.of(undisturbed).steps)
    assert Numbers.of(run).steps[:both] == Numbers.of(undisturbed).steps


@pytest.mark.parametrize("end", ["SIGKILL", "hang up"])
def test_a_run_that_a_dashboard_started_goes_on_without_it_and_its_workbench_is_gone(
    experiment: Path,
    undisturbed: RunDirectory,
    tmp_path: Path,
    terminals: list[Terminal],
    end: str,
) -> None:
    terminal = Terminal(experiment.parent, tmp_path)
    terminals.append(terminal)
    wait_for(lambda: terminal.shows(b"torch is warming up"))
    workbench = terminal.workbench()
    assert workbench is not None
    if end == "hang up":
        wait_for(lambda: workbench.num_threads() == 1)  # torch is imported
    terminal.type(b"r")
    wait_for(lambda: terminal.shows(b"Run small.toml on"))
    terminal.type(b"\r")
    if end == "SIGKILL":  # it waits for torch
        wait_for(lambda: terminal.shows(b"starting small.toml"))
        terminal.process.kill()
    else:
        wait_for(lambda: list(tmp_path.glob("*/*/experiment.toml")))
        terminal.hang_up()
    terminal.left()
    wait_for(lambda: not workbench.is_running())
    wait_for(lambda: status(only_run(tmp_path)).state == "finished")
    assert_same(only_run(tmp_path), undisturbed)

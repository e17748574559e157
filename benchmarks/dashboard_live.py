"""The dashboard in a pseudo-terminal: its first frame, what it costs while nothing happens, how
soon an event is seen, and what a training pays for being watched. Called by dashboard.py.

Every program is timed from outside, by what it writes to its terminal (160x45).
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import psutil

from engine.contract.events import Parameters, RunFinished, RunStarted, Step, encode
from engine.contract.run_directory import Holder, RunDirectory, create

TOP = Path(__file__).parent.parent
LABEL = """
from textual.app import App
from textual.widgets import Label
class One(App):
    def compose(self):
        yield Label("one label")
One().run()
"""
DASHBOARD = "from tui.app import main; main()"
ESCAPES = re.compile(rb"\x1b(\[[0-?]*[ -/]*[@-~]|[@-Z\\-_])")
RATE = 1000  # events a second
SETTLE = 4.0  # seconds after the screen is there and all that was asked for is answered


class Terminal:
    """A Python program with a terminal of its own, and what it has written there."""

    def __init__(self, code: str, *arguments: str) -> None:
        self.reading, writing = os.openpty()
        fcntl.ioctl(writing, termios.TIOCSWINSZ, struct.pack("HHHH", 45, 160, 0, 0))
        state = tempfile.mkdtemp()  # what a person has left there is none of our business
        kept = {k: v for k, v in os.environ.items() if k not in ("SSH_CONNECTION", "NO_COLOR")}
        environment = kept | {"TERM": "xterm-256color", "XDG_STATE_HOME": state}
        self.begun = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            stdin=writing, stdout=writing, stderr=writing,
            env=environment | {"PYTHONPATH": str(TOP), "LANG": "C.UTF-8"},
            start_new_session=True,
        )  # fmt: skip
        os.close(writing)

    def read(self, seconds: float) -> bytes:
        """What it writes next, without its escapes; nothing after that many seconds."""
        if not select.select([self.reading], [], [], seconds)[0]:
            return b""
        return ESCAPES.sub(b"", os.read(self.reading, 1 << 20))

    def until(self, words: bytes, seconds: float = 60) -> float:
        """Seconds from its start until these words are there."""
        output, limit = b"", self.begun + seconds
        while words not in output:
            assert time.perf_counter() < limit, f"{words!r} did not come: {output[-500:]!r}"
            output += self.read(0.2)
        return time.perf_counter() - self.begun

    def used(self) -> float:
        """Seconds of processor time, its threads included."""
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.reading)


@contextmanager
def terminal(code: str, *arguments: str) -> Iterator[Terminal]:
    opened = Terminal(code, *arguments)
    try:
        yield opened
    finally:
        opened.close()


def first_paint(folder: Path, repeats: int) -> dict[str, float]:
    """Medians of seconds, the programs by turns."""
    label, paint, main = [], [], []
    for _ in range(repeats):
        with terminal(LABEL) as one:
            label.append(one.until(b"one label"))
        with terminal(DASHBOARD, str(folder), "--no-workbench") as dashboard:
            paint.append(dashboard.until(b"opening"))
            main.append(dashboard.until(b"Checkpoints"))
    return {
        name: statistics.median(times)
        for name, times in (("label", label), ("paint", paint), ("main", main))
    }


def idle(folder: Path, seconds: float) -> tuple[float, float]:
    """The share of a core, and the bytes a second to the terminal, while nothing happens and a
    finished run is looked at (the top line shows how busy the machine is). The process that imports
    torch behind the dashboard is left out: warm, it sleeps. What the chart asks the engine for is
    answered before: it is asked once a run."""
    run = new_run(folder / "runs")
    finished = RunFinished(time=time.time(), step=999, epochs=1.0, seconds=1.0, best=0.5)
    with run.events.open("ab") as file:
        file.writelines(encode(step(number)) for number in range(1000))
        file.write(encode(finished))
    with terminal(DASHBOARD, str(folder), "--no-workbench") as dashboard:
        dashboard.until(b"finished")
        _drain(dashboard, SETTLE)
        while psutil.Process(dashboard.process.pid).children():  # the planned learning rates
            _drain(dashboard, SETTLE)
        before, begun = dashboard.used(), time.perf_counter()
        written = _drain(dashboard, seconds)
        used, passed = dashboard.used() - before, time.perf_counter() - begun
    return used / passed, written / passed


def _drain(dashboard: Terminal, seconds: float) -> int:
    end, count = time.perf_counter() + seconds, 0
    while (left := end - time.perf_counter()) > 0:
        count += len(dashboard.read(left))
    return count


def delays(folder: Path, seconds: float) -> list[float]:
    """Of each event: from when it was written until a chart with it was in the terminal.

    The learning rate is the step's number, and the chart's legend has its last one.
    """
    run = new_run(folder / "runs")
    run.lock.write_text(json.dumps(vars(Holder.this_process())))
    seen = re.compile(rb"rate (\d\.\d+)")
    written: list[float] = []
    found: list[float] = []
    with (
        terminal(DASHBOARD, str(folder), "--no-workbench") as dashboard,
        run.events.open("ab", buffering=0) as file,
    ):
        dashboard.until(b"Checkpoints")
        begun = time.perf_counter() + 2
        while (now := time.perf_counter()) < begun + seconds + 2:
            while len(written) < min((now - begun), seconds) * RATE:
                file.write(encode(step(len(written))))
                written.append(time.perf_counter())
            output = dashboard.read(0.004)
            for shown in seen.findall(output)[-1:]:
                last = _number_of(float(shown), len(written))
                at = time.perf_counter()
                found += [at - then for then in written[len(found) : last + 1]]
    assert len(found) > 0.9 * len(written), "most of them were never seen"
    return found


def step(number: int) -> Step:
    rate = 1 + number % 8000 / 1000
    return Step(
        time=time.time(), step=number, epoch=number // 10000, loss=1 / (1 + number), lr=[rate],
        samples_per_second=1.0,
    )  # fmt: skip


def _number_of(rate: float, count: int) -> int:
    """The newest step that was written with that rate."""
    rest = round((rate - 1) * 1000)
    return rest + (count - 1 - rest) // 8000 * 8000


def new_run(root: Path) -> RunDirectory:
    run = create(root, "watched", '[data]\n[model]\nbackbone = "resnet18"\n', b"")
    started = RunStarted(
        time=time.time(), version="", pid=os.getpid(), host="", device="cpu", name="watched",
        steps_per_epoch=10000, epochs=100, planned_end=1_000_000, groups=["rate"],
        parameters=Parameters(1, 1), train_samples=1, val_samples=1, classes=[], workers=0,
        precision="fp32", frozen=[],
    )  # fmt: skip
    with run.events.open("ab") as file:
        file.write(encode(started))
    return run


def watching(folder: Path, repeats: int, epochs: int) -> tuple[float, float]:
    """Medians over the trainings of ms between two steps: alone, and with a dashboard on it."""
    alone, watched = [], []
    for _ in range(repeats):
        alone.append(_trained(folder, epochs, watch=False))
        watched.append(_trained(folder, epochs, watch=True))
    return statistics.median(alone), statistics.median(watched)


def _trained(folder: Path, epochs: int, *, watch: bool) -> float:
    runs = Path(tempfile.mkdtemp(dir=folder))
    command = [
        sys.executable, "-P", "-m", "engine.cli", "run", str(TOP / "experiments/digits.toml"),
        "--runs", str(runs), "--json", "--device", "cpu", "--set", f"train.epochs={epochs}",
    ]  # fmt: skip
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(TOP)}
    training = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    if watch:
        with terminal(DASHBOARD, str(folder), "--runs", str(runs), "--no-workbench") as dashboard:
            while training.poll() is None:
                dashboard.read(0.5)
    assert training.wait() == 0
    (events,) = runs.glob("*/*/events.jsonl")
    told = [json.loads(line) for line in events.read_bytes().splitlines()]
    times = [event["time"] for event in told if event["type"] == "step"]
    times = times[len(times) // 4 :]  # the dashboard is being opened before
    return 1000 * statistics.median(b - a for a, b in pairwise(times))


def report(repeats: int, seconds: float) -> None:
    """Print its rows."""
    print(f"machine: {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "mine.toml").write_text('[data]\n[model]\nbackbone = "resnet18"\n')
        found = first_paint(folder, repeats)
        label = found["label"]
        print(f"{'first paint: one-label Textual app':34}{1000 * label:10.0f} ms")
        for row, key in (("first paint", "paint"), ("main screen", "main")):
            print(f"{row:34}{1000 * found[key]:10.0f} ms {found[key] / label:6.2f}x")
    with tempfile.TemporaryDirectory() as name:
        share, written = idle(Path(name), seconds)
        print(
            f"{'idle on a finished run':34}{100 * share:10.2f} % of a core, {written:.0f} bytes/s"
        )
    with tempfile.TemporaryDirectory() as name:
        found_delays = sorted(delays(Path(name), seconds))
        for part in (0.5, 0.95):
            delay = 1000 * found_delays[int(part * len(found_delays))]
            print(f"{f'event to chart, {part:.0%} within':34}{delay:10.0f} ms")
    with tempfile.TemporaryDirectory() as name:
        alone, watched = watching(Path(name), max(3, repeats // 2), 8)
        print(f"{'a training step, alone':34}{alone:10.2f} ms")
        print(f"{'a training step, watched':34}{watched:10.2f} ms {watched / alone:6.3f}x")

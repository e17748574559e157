"""What tests of the dashboard share: a launcher that starts nothing, and runs made by hand."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from textual.pilot import Pilot
from textual.widget import Widget

from engine.contract.devices import Device
from engine.contract.events import Event, Parameters, RunStarted, Step, encode
from engine.contract.run_directory import Holder, RunDirectory, create
from tui.acting import Acting
from tui.app import Dashboard
from tui.launching import Answer, Outcome
from tui.options import Options

GPU = Device("cuda:0", "NVIDIA H200", 139 << 30, 127 << 30, 87, ["eve: python (7)"])
CPU = Device("cpu", "2 cores", 8 << 30, 4 << 30, 12)
EXPERIMENT = '[data]\n[model]\nbackbone = "resnet18"\n[train]\nepochs = 3\n'


@dataclass
class FakeLauncher:
    """Says what it is told to, and remembers what it was asked."""

    started: Outcome = field(default_factory=Outcome)
    asked: list[tuple[object, ...]] = field(default_factory=list)
    begin: Callable[[], Outcome] | None = None
    answers: dict[str, Answer] = field(default_factory=dict)  # by the command's first word
    doing: Callable[[str], None] | None = None
    gone: Callable[[str], None] | None = None
    closed: bool = False

    def warm_up(self, doing: Callable[[str], None], gone: Callable[[str], None]) -> None:
        self.doing, self.gone = doing, gone

    def close(self) -> None:
        self.closed = True

    async def ask(self, *arguments: str, text: str | None = None) -> Answer:
        if arguments[0] == "lr" and text is None and "lr" not in self.answers:
            # The charts ask for a plan of their own accord, when a run has been seen for a second.
            return Answer(1, "", "no plan in the test")
        self.asked.append((*arguments, text))
        return self.answers.get(arguments[0], Answer(1, "", "no answer to this in the test"))

    async def start(self, file: Path, device: str | None, runs: Path) -> Outcome:
        self.asked.append(("start", file.name, device, runs))
        return self.begin() if self.begin else self.started

    async def resume(
        self, run: RunDirectory, epochs: int | None, checkpoint: str | None = None
    ) -> Outcome:
        chosen = [checkpoint] if checkpoint else []
        self.asked.append(("resume", run.id, epochs, *chosen))
        return self.started


def board(
    folder: Path,
    *,
    launcher: FakeLauncher | None = None,
    read_only: bool = False,
    acting: Acting | None = None,
) -> Dashboard:
    """A dashboard on FOLDER and FOLDER/runs."""
    options = Options(folder=folder, runs=folder / "runs", read_only=read_only)
    return Dashboard(
        options,
        launcher=launcher or FakeLauncher(),
        acting=acting,
        devices=lambda: [CPU, GPU],
        opening=False,
    )


def append(run: RunDirectory, *events: Event) -> None:
    with run.events.open("ab") as file:
        for event in events:
            file.write(encode(event))


def started(epochs: int = 3, file: str = "") -> RunStarted:
    return RunStarted(
        time=time.time(),
        version="0",
        pid=1,
        host="here",
        device="cpu",
        name="ants",
        steps_per_epoch=2,
        epochs=epochs,
        planned_end=2 * epochs,
        groups=["default"],
        parameters=Parameters(1, 1),
        train_samples=4,
        val_samples=2,
        classes=["ant", "bee"],
        workers=0,
        precision="fp32",
        frozen=[],
        file=file,
        report=["all layers train"],
    )


def step(number: int, loss: float = 0.5, at: float | None = None) -> Step:
    now = time.time() if at is None else at
    return Step(
        time=now, step=number, epoch=number // 2, loss=loss, lr=[0.1], samples_per_second=412.0
    )


def new_run(folder: Path, name: str = "ants", source: bytes = b"") -> RunDirectory:
    return create(folder / "runs", name, EXPERIMENT, source)


def running(folder: Path, name: str = "ants", host: str | None = None) -> RunDirectory:
    """Held by this very process, or by one of another host."""
    run = new_run(folder, name)
    holder = vars(Holder.this_process()) | ({"host": host} if host else {})
    run.lock.write_text(json.dumps(holder))
    append(run, started(), step(0), step(1))
    return run


def watch(
    app: Dashboard,
    test: Callable[[Pilot[None]], Awaitable[None]],
    size: tuple[int, int] = (140, 40),
) -> None:
    """Run the test while the dashboard runs."""

    async def run() -> None:
        async with app.run_test(size=size) as pilot:
            await look(app, pilot)
            await test(pilot)

    asyncio.run(run())


def watch_at(
    place: type[Widget],
    app: Dashboard,
    test: Callable[[Dashboard, Pilot[None]], Awaitable[None]],
    size: tuple[int, int] = (80, 24),
) -> None:
    """The same with the focus there."""

    async def run(pilot: Pilot[None]) -> None:
        app.main.query_one(place).focus()
        await pilot.pause()
        await test(app, pilot)

    watch(app, run, size)


async def until(pilot: Pilot[None], true: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait for it; that it never comes is an error."""
    limit = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < limit, "it never came"
        await pilot.pause(0.02)


async def look(app: Dashboard, pilot: Pilot[None]) -> None:
    """What a quarter of a second later would be seen."""
    app.main.look(search=True)
    await pilot.pause()
    await pilot.pause()


def told(app: Dashboard) -> str:
    """The notifications so far."""
    return "\n".join(f"{n.title} {n.message}" for n in app._notifications)

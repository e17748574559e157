"""Six states of the dashboard, made by hand, and how they look.

    uv run python -m tests.tui.states

writes the pictures anew that tests/tui/test_pictures.py compares, and the three of the README.
Nothing in them depends on the machine, the day or the folder: times, ids and devices are given.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import random
import re
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from engine.contract.events import (
    CheckpointSaved,
    Parameters,
    RunFailed,
    RunFinished,
    RunStarted,
    Step,
    Validated,
)
from engine.contract.run_directory import Holder, RunDirectory, create
from tests.tui.board import CPU, GPU, FakeLauncher, append, look
from tui.app import Dashboard
from tui.launching import Answer
from tui.options import Options

SIZES = [(80, 24), (120, 40), (200, 60)]
PICTURES = Path(__file__).parent / "pictures"
DOCS = Path(__file__).parents[2] / "docs"
README = {"running": (120, 40), "chain editor": (120, 40), "overlay of three runs": (120, 40)}
BEGAN, STEP_SECONDS, PER_EPOCH, EPOCHS = 1.79e9, 0.5, 20, 25

CHAIN = """name = "ants"

[data]
dataset = "digits"

[model]
backbone = "resnet18"
freeze = ["*", "!layer4"]

[[scheduler]]
name = "LinearLR"        # a warm-up
start_factor = 0.1
total_iters = 5
end = 5

[[scheduler]]
name = "MultiStepLR"
milestones = [15, 20]

[train]
epochs = 25
"""


@dataclass(frozen=True)
class State:
    """`make` fills the folder that is worked in; `enter` goes to what is looked at."""

    make: Callable[[], None]
    enter: Callable[[Dashboard, Pilot[None]], Awaitable[None]]


def rate(step: int) -> float:
    epoch = step // PER_EPOCH
    warm = min(1.0, 0.1 + 0.18 * epoch)
    return float(0.01 * warm * 0.1 ** sum(epoch >= at for at in (15, 20)))


def experiment(text: str = CHAIN, name: str = "ants") -> None:
    Path("experiments").mkdir(exist_ok=True)
    Path("experiments", f"{name}.toml").write_text(text)


def run(name: str, number: int, epochs: int, *, final: float, lr: float = 1.0) -> RunDirectory:
    """`epochs` of it are trained; its loss falls to about `final`."""
    made = create(Path("runs"), name, CHAIN.replace("25", f"25 # {number}"), b"")
    settings = CHAIN + f"\n[optimizer]\nname = 'SGD'\nlr = {0.01 * lr}\n"
    made.experiment.write_text(settings)
    ours = made.path.with_name(f"2026112{number}-071400-a{number}b{number}")
    made.path.rename(ours)
    made = RunDirectory(ours)
    dice = random.Random(number)
    append(made, beginning(name))
    for step in range(epochs * PER_EPOCH):
        loss = (
            final + 2 * math.exp(-step / 60 * lr) + dice.uniform(-0.1, 0.1) * math.exp(-step / 200)
        )
        now = BEGAN + step * STEP_SECONDS
        epoch = step // PER_EPOCH
        rates = [lr * rate(step)]
        trained = Step(
            time=now, step=step, epoch=epoch, loss=loss, lr=rates, samples_per_second=412.0
        )
        append(made, trained)
        if step % PER_EPOCH == PER_EPOCH - 1:
            metrics: dict[str, float | None] = {
                "val/loss": loss + 0.1,
                "val/accuracy": 1 - 0.2 * (loss + 0.1),
            }
            done: dict[str, Any] = {"time": now, "step": step + 1, "epoch": epoch + 1}
            append(made, Validated(**{**done, "epoch": epoch}, metrics=metrics, seconds=0.5))
            for kind, path in (("best", "best.pt"), ("last", "last.pt")):
                (made.checkpoints / path).touch()
                saved: dict[str, Any] = {
                    "kind": kind,
                    "path": f"checkpoints/{path}",
                    "metric": loss + 0.1,
                }
                append(made, CheckpointSaved(**done, **saved, sha256="", bytes=45_000_000))
    return made


def beginning(name: str) -> RunStarted:
    return RunStarted(
        time=BEGAN, version="0", pid=1, host="box7", device="cuda:0 NVIDIA H200", name=name,
        steps_per_epoch=PER_EPOCH, epochs=EPOCHS, planned_end=PER_EPOCH * EPOCHS,
        groups=["default"], parameters=Parameters(11_177_538, 8_394_754), train_samples=640,
        val_samples=160, classes=["ant", "bee"], workers=8, precision="fp32",
        frozen=["conv1", "bn1", "layer1", "layer2", "layer3"], monitor="val/loss",
    )  # fmt: skip


def finish(made: RunDirectory, best: float) -> None:
    end: dict[str, Any] = {"time": BEGAN + 900, "step": PER_EPOCH * EPOCHS, "epochs": float(EPOCHS)}
    append(made, RunFinished(**end, seconds=250.0, best=best, metrics={"val/loss": best}))


def empty() -> None:
    Path("experiments").mkdir()


def with_problems() -> None:
    experiment(CHAIN.replace("start_factor", "start_facter").replace('["*", "!layer4"]', "7"))


def under_way() -> None:
    experiment()
    experiment(CHAIN.replace("[data]", "[dta]"), "bees")
    made = run("ants", 3, 9, final=0.3)
    made.lock.write_text(json.dumps(vars(Holder.this_process())))
    made.console.write_text("trains 8,394,754 of 11,177,538 parameters (75.1 %): layer4, fc\n")
    finish(run("ants", 1, EPOCHS, final=0.4), 0.41)


def three() -> None:
    experiment()
    for number, (final, lr) in enumerate([(0.2, 1.0), (0.5, 0.3), (0.35, 3.0)], 1):
        finish(run("ants", number, EPOCHS, final=final, lr=lr), final)


def failed() -> None:
    experiment()
    made = run("ants", 2, 4, final=0.3)
    end: dict[str, Any] = {"time": BEGAN + 41, "step": 80, "epochs": 4.0, "seconds": 40.0}
    error = "CUDA out of memory. Tried to allocate 392.00 MiB"
    remedy = "write batch_size = 16 under [data] and accumulate = 2 under [train]"
    append(made, RunFailed(**end, error=error, remedy=remedy))
    made.console.write_text(f"{error}\n")


async def stay(app: Dashboard, pilot: Pilot[None]) -> None:
    """On the main screen."""


async def edit(app: Dashboard, pilot: Pilot[None]) -> None:
    await pilot.press("e")
    await pilot.pause(0.5)


async def edit_chain(app: Dashboard, pilot: Pilot[None]) -> None:
    await edit(app, pilot)
    if app.size.height < 34:
        await pilot.press("f10", "f10")
    await pilot.pause(0.8)


async def overlay(app: Dashboard, pilot: Pilot[None]) -> None:
    await pilot.press("1", "home", "space", "down", "space", "down", "space")
    if app.size.width < 100:
        await pilot.press("2")
    await look(app, pilot)


async def see_run(app: Dashboard, pilot: Pilot[None]) -> None:
    if app.size.width < 100:
        await pilot.press("3")
        await pilot.pause()


STATES = {
    "empty": State(empty, stay),
    "editing with problems": State(with_problems, edit),
    "chain editor": State(experiment, edit_chain),
    "running": State(under_way, stay),
    "overlay of three runs": State(three, overlay),
    "failed run": State(failed, see_run),
}


def planned() -> Answer:
    """As `ptrain lr --json` prints it."""
    points = [
        {"step": step, "epoch": step // PER_EPOCH, "lr": [rate(step)]}
        for step in range(PER_EPOCH * EPOCHS)
    ]
    members = [
        {"key": f"scheduler.{place}", "name": name, "interval": "epoch", "first": first,
         "last": last, "changes": changes}
        for place, (name, first, last, changes) in enumerate(
            [("LinearLR", 0, 100, 5), ("MultiStepLR", 0, 499, 2)])
    ]  # fmt: skip
    said = {"groups": ["default"], "steps_per_epoch": PER_EPOCH, "epochs": EPOCHS,
            "members": members, "points": points}  # fmt: skip
    return Answer(0, json.dumps(said), "")


def taken(state: State, size: tuple[int, int], folder: Path) -> tuple[list[str], str]:
    """The rows of the screen, and the screen as SVG. Works in that folder for the while."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        state.make()
        options = Options(folder=Path("experiments"), runs=Path("runs"))
        launcher = FakeLauncher(answers={"lr": planned()})
        app = Dashboard(options, launcher=launcher, devices=lambda: [CPU, GPU], opening=False)
        return asyncio.run(_shown(app, state, size))
    finally:
        os.chdir(before)


async def _shown(app: Dashboard, state: State, size: tuple[int, int]) -> tuple[list[str], str]:
    async with app.run_test(size=size) as pilot:
        for _ in range(3):
            await look(app, pilot)
        await pilot.pause(1.2)  # until the charts have asked for the plan
        await state.enter(app, pilot)
        await pilot.pause(1.2)
        strips = app.screen._compositor.render_strips()
        rows = ["".join(part.text for part in strip).rstrip() for strip in strips]
        return rows, app.export_screenshot(title="ptrain")


def file_of(name: str, size: tuple[int, int]) -> Path:
    return PICTURES / f"{name.replace(' ', '-')}-{size[0]}x{size[1]}.txt"


def without_fonts(svg: str) -> str:
    """The reader's own monospace does: nothing is fetched when a README is looked at."""
    return re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)


def main() -> None:
    """Write all of them."""
    for name, state in STATES.items():
        for size in SIZES:
            with tempfile.TemporaryDirectory() as folder:
                rows, svg = taken(state, size, Path(folder))
            file_of(name, size).write_text("\n".join(rows) + "\n")
            if README.get(name) == size:
                (DOCS / f"{name.replace(' ', '-')}.svg").write_text(without_fonts(svg))


if __name__ == "__main__":
    main()

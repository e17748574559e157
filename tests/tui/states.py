"""Six states of the dashboard, made by hand, and how they look.

    uv run python -m tests.tui.states

writes the pictures anew that tests/tui/test_pictures.py compares, and the three of the README.
Nothing in them depends on the machine, the day or the folder: times, ids and devices are given.
"""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from textual.pilot import Pilot

from tests.tui.board import CPU, GPU, look, until
from tests.tui.made_run import EPOCHS, EXPERIMENT, MadeRun, Planner, experiment, rates
from tests.tui.pictured import Pictured
from tui.app import Dashboard
from tui.options import Options
from tui.screens.edit import EditScreen
from tui.widgets.experiment_form import ExperimentForm

SIZES = [(80, 24), (120, 40), (200, 60)]
PICTURES = Path(__file__).parent / "pictures"
DOCS = Path(__file__).parents[2] / "docs"
README = {"running": (120, 40), "chain editor": (120, 40), "overlay of three runs": (120, 40)}
SECONDS = 10.0  # until a picture is there
RESTS = 0.5  # seconds in which nothing changes, where it is not known what it will be


@dataclass(frozen=True)
class State:
    """`make` fills the folder that is worked in; `enter` goes to what is looked at. `last`: what
    comes last there, where all panes fit and where one does."""

    make: Callable[[], object]
    enter: Callable[[Dashboard, Pilot[None]], Awaitable[None]]
    last: tuple[str, str]


def empty() -> None:
    Path("experiments").mkdir()


def with_problems() -> None:
    text = EXPERIMENT.replace("start_factor", "start_facter")
    experiment(text.replace('["*", "!layer4"]', "7"))


def under_way() -> None:
    experiment()
    experiment(EXPERIMENT.replace("[data]", "[dta]"), "letters")
    MadeRun(1, final=0.2).train(EPOCHS).finish()
    MadeRun(3, final=0.15).train(9).goes_on()


def three() -> None:
    experiment()
    for number, (final, lr) in enumerate([(0.1, 0.01), (0.15, 0.003), (0.3, 0.03)], 1):
        MadeRun(number, final=final, lr=lr).train(EPOCHS).finish()


def failed() -> None:
    experiment()
    MadeRun(2, final=0.2).train(4).fail(
        "CUDA out of memory. Tried to allocate 392.00 MiB",
        "write batch_size = 16 under [data] and accumulate = 2 under [train]",
    )


async def stay(app: Dashboard, pilot: Pilot[None]) -> None:
    """On the main screen."""


async def edit(app: Dashboard, pilot: Pilot[None]) -> None:
    await pilot.press("e")
    await until(pilot, lambda: isinstance(app.screen, EditScreen))
    await until(pilot, lambda: app.screen.query_one(ExperimentForm).focused_path)


async def edit_chain(app: Dashboard, pilot: Pilot[None]) -> None:
    await edit(app, pilot)
    form = app.screen.query_one(ExperimentForm)
    form.focus_path(("scheduler", 1, "milestones"))
    await until(pilot, lambda: form.focused_path == ("scheduler", 1, "milestones"))
    if app.size.height < 34:
        await pilot.press("f10")


async def overlay(app: Dashboard, pilot: Pilot[None]) -> None:
    await pilot.press("1", "home", "space", "down", "space", "down", "space")
    if app.size.width < 100:
        await pilot.press("2")
    await look(app, pilot)


async def see_run(app: Dashboard, pilot: Pilot[None]) -> None:
    if app.size.width < 100:
        await pilot.press("3")


STATES = {
    "empty": State(empty, stay, ("no experiments here", "no experiments here")),
    "editing with problems": State(with_problems, edit, ("2 to mend", "2 to mend")),
    "chain editor": State(experiment, edit_chain, ("2 MultiStepLR", "default 0.0001")),
    "running": State(under_way, stay, ("planned", "9/25")),
    "overlay of three runs": State(three, overlay, ("best val/loss", "best val/loss")),
    "failed run": State(failed, see_run, ("Tried to allocate", "Tried to allocate")),
}


def taken(
    state: State, size: tuple[int, int], folder: Path, wanted: Pictured | None = None
) -> tuple[Pictured, str]:
    """The screen, as `wanted` if it comes to be that; and as SVG. Works in that folder for the
    while."""
    before = Path.cwd()
    os.chdir(folder)
    rates(EXPERIMENT)  # torch is imported now, and not while the screen waits for its answer
    try:
        state.make()
        options = Options(folder=Path("experiments"), runs=Path("runs"))
        app = Dashboard(options, launcher=Planner(), devices=lambda: [CPU, GPU], opening=False)
        return asyncio.run(_shown(app, state, size, wanted))
    finally:
        os.chdir(before)


async def _shown(
    app: Dashboard, state: State, size: tuple[int, int], wanted: Pictured | None
) -> tuple[Pictured, str]:
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: "cuda:0 H200" in _text(app))
        await look(app, pilot)
        await state.enter(app, pilot)
        last = state.last[size[0] < 100]
        await until(pilot, lambda: last in _text(app), SECONDS)
        return await _rested(app, pilot, wanted), app.export_screenshot(title="ptrain")


async def _rested(app: Dashboard, pilot: Pilot[None], wanted: Pictured | None) -> Pictured:
    """As `wanted`, or as it stays for a while."""
    seen, since, limit = _picture(app), time.monotonic(), time.monotonic() + SECONDS
    while time.monotonic() < limit and seen != wanted:
        await pilot.pause(0.05)
        before, seen = seen, _picture(app)
        if seen != before:
            since = time.monotonic()
        if wanted is None and time.monotonic() - since > RESTS:
            break
    return seen


def _picture(app: Dashboard) -> Pictured:
    return Pictured.of([list(strip) for strip in app.screen._compositor.render_strips()])


def _text(app: Dashboard) -> str:
    return "\n".join(_picture(app).rows)


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
                picture, svg = taken(state, size, Path(folder))
            file_of(name, size).write_text(str(picture))
            if README.get(name) == size:
                (DOCS / f"{name.replace(' ', '-')}.svg").write_text(without_fonts(svg))


if __name__ == "__main__":
    main()

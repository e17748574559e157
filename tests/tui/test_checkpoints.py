"""The checkpoints of a run: shown, and gone on from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from engine.contract.events import CheckpointSaved, RunFinished
from engine.contract.run_directory import RunDirectory
from tests.tui.board import (
    FakeLauncher,
    append,
    board,
    new_run,
    running,
    started,
    step,
    told,
    watch,
)
from tui.app import Dashboard
from tui.screens.checkpoint import CheckpointDialog
from tui.screens.checkpoint import told as words_of
from tui.screens.choice import ChoiceDialog
from tui.screens.epochs import EpochsDialog
from tui.widgets.checkpoint_list import CheckpointList


def saved(epochs: int, kind: str, name: str, metric: float | None = 0.25) -> CheckpointSaved:
    return CheckpointSaved(
        time=1.0,
        step=2 * epochs,
        epoch=epochs,
        path=f"checkpoints/{name}",
        kind=kind,
        metric=metric,
        sha256="ab" * 32,
        bytes=12_300_000,
    )


def finished(folder: Path) -> RunDirectory:
    """Three epochs, the second the best."""
    run = new_run(folder)
    append(run, started(3), *map(step, range(6)))
    for entry in (saved(2, "best", "best.pt"), saved(3, "last", "last.pt")):
        append(run, entry)
        (run.path / entry.path).touch()
    append(run, RunFinished(time=1.0, step=6, epochs=3.0, seconds=1.0))
    return run


def watch_checkpoints(
    folder: Path, launcher: FakeLauncher, test: Callable[[Dashboard, Pilot[None]], Awaitable[None]]
) -> None:
    app = board(folder, launcher=launcher)

    async def run(pilot: Pilot[None]) -> None:
        await pilot.press("3")
        await pilot.pause()
        await test(app, pilot)

    watch(app, run, (80, 24))


def test_enter_shows_what_is_known_of_it_and_how_it_is_loaded(tmp_path: Path) -> None:
    run = finished(tmp_path)

    async def test(app: Dashboard, pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, CheckpointDialog)
        await pilot.press("y")
        await pilot.pause()
        assert app.clipboard == str(run.checkpoints / "best.pt")

    watch_checkpoints(tmp_path, FakeLauncher(), test)


def test_the_words_of_a_checkpoint() -> None:
    words = words_of(Path("/runs/a/checkpoints/best.pt"), saved(2, "best", "best.pt"), "val/loss")
    assert words.splitlines() == [
        "/runs/a/checkpoints/best.pt",
        "",
        "kind      best: the best so far",
        "trained   2 epochs, 4 steps",
        "val/loss  0.25",
        "size      12.3 MB",
        f"sha256    {'ab' * 32}",
        "",
        "import torch",
        "checkpoint = torch.load('/runs/a/checkpoints/best.pt', weights_only=True)",
        'model.load_state_dict(checkpoint["model"])  # classes: checkpoint["classes"]',
    ]
    last = words_of(Path("last.pt"), saved(1, "last", "last.pt", None), "")
    assert "metric   not measured" in last


@pytest.mark.parametrize("keys", [["R"], ["enter", "R"]])
def test_going_on_from_an_earlier_one_asks_first(tmp_path: Path, keys: list[str]) -> None:
    run, launcher = finished(tmp_path), FakeLauncher()

    async def test(app: Dashboard, pilot: Pilot[None]) -> None:
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
        assert isinstance(app.screen, ChoiceDialog)
        assert "2 steps beyond best.pt" in app.screen._title
        await pilot.press("enter")
        await pilot.pause()
        assert launcher.asked == [("resume", run.id, None, "best.pt")]

    watch_checkpoints(tmp_path, launcher, test)


def test_leaving_it_resumes_nothing(tmp_path: Path) -> None:
    finished(tmp_path)
    launcher = FakeLauncher()

    async def test(app: Dashboard, pilot: Pilot[None]) -> None:
        await pilot.press("R", "down", "enter")
        await pilot.pause()
        assert app.screen is app.main
        assert launcher.asked == []

    watch_checkpoints(tmp_path, launcher, test)


def test_one_with_all_epochs_is_asked_for_more(tmp_path: Path) -> None:
    run, launcher = finished(tmp_path), FakeLauncher()

    async def test(app: Dashboard, pilot: Pilot[None]) -> None:
        await pilot.press("down", "R")
        await pilot.pause()
        assert isinstance(app.screen, EpochsDialog)
        app.screen.query_one(Input).value = "5"
        await pilot.press("enter")
        await pilot.pause()
        assert launcher.asked == [("resume", run.id, 5, "last.pt")]

    watch_checkpoints(tmp_path, launcher, test)


def test_a_running_run_is_not_resumed_from_anywhere(tmp_path: Path) -> None:
    run, launcher = running(tmp_path), FakeLauncher()
    append(run, saved(1, "last", "last.pt"))
    (run.checkpoints / "last.pt").touch()

    async def test(app: Dashboard, pilot: Pilot[None]) -> None:
        assert app.focused is app.main.query_one(CheckpointList)
        await pilot.press("R")
        await pilot.pause()
        assert "it is running already" in told(app)
        assert launcher.asked == []

    watch_checkpoints(tmp_path, launcher, test)

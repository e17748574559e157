"""The queue in the dashboard: queueing where a device is busy, and the list of what waits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import OptionList

from engine.contract.queue import Queue
from engine.contract.run_directory import Holder, create
from tests.tui.board import (
    EXPERIMENT,
    FakeLauncher,
    append,
    board,
    started,
    step,
    told,
    watch_at,
)
from tui.app import Dashboard
from tui.launching import Answer
from tui.queue_watch import QueueWatch
from tui.screens.choice import ChoiceDialog
from tui.screens.queue import QueueDialog
from tui.widgets.experiment_list import ExperimentList
from tui.widgets.words import Words


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ants.toml").write_text(EXPERIMENT)
    return tmp_path


def queued(folder: Path, *names: str) -> Queue:
    queue = Queue(folder / "runs")
    for name in names:
        queue.add(folder / f"{name}.toml", EXPERIMENT.encode(), [], "cuda:0")
    return queue


def on_device(folder: Path, device: str) -> None:
    run = create(folder / "runs", "busy", f'[train]\ndevice = "{device}"\n', b"")
    run.lock.write_text(json.dumps(vars(Holder.this_process())))
    append(run, started(), step(0))


def fail(queue: Queue, place: int, error: str) -> None:
    with queue.changing() as entries:
        entries[place].state, entries[place].error = "failed", error


@pytest.mark.parametrize(("keys", "asked"), [((), "queue"), (("down",), "start")])
def test_where_a_device_is_busy_one_can_queue_or_start_beside_it(
    folder: Path, keys: tuple[str, ...], asked: str
) -> None:
    on_device(folder, "cuda:0")
    launcher = FakeLauncher(answers={"queue": Answer(0, "", "")})

    async def test(app: Dashboard, pilot: Pilot[None]) -> None:
        await pilot.press("r", "end", "enter")  # the GPU
        await pilot.pause()
        assert isinstance(app.screen, ChoiceDialog)
        assert app.screen._title.startswith("cuda:0 is busy with busy 20")
        await pilot.press(*keys, "enter")
        await pilot.pause()
        await pilot.pause()
        assert [ask[0] for ask in launcher.asked] == [asked]
        queue = [(entry.name, entry.devices) for entry in Queue(folder / "runs").entries()]
        assert queue == ([("ants.toml", ["cuda:0"])] if asked == "queue" else [])
        assert ("with or without this dashboard" in told(app)) == (asked == "queue")

    watch_at(ExperimentList, board(folder, launcher=launcher), test)


def test_a_device_that_others_wait_for_is_not_taken_from_them_unasked(folder: Path) -> None:
    queued(folder, "bees")

    async def test(app: Dashboard, pilot: Pilot[None]) -> None:
        await pilot.press("r", "end", "enter")
        await pilot.pause()
        assert isinstance(app.screen, ChoiceDialog)
        assert app.screen._title == "cuda:0 has bees.toml waiting for it"
        await pilot.press("escape")
        await pilot.pause()

    launcher = FakeLauncher()
    watch_at(ExperimentList, board(folder, launcher=launcher), test)
    assert launcher.asked == []


def test_the_queue_is_shown_reordered_and_shortened(folder: Path) -> None:
    queue = queued(folder, "ants", "bees", "wasps")

    def order() -> list[str]:
        return [Path(entry.file).stem for entry in queue.entries()]

    async def test(app: Dashboard, pilot: Pilot[None]) -> None:
        await pilot.press("Q")
        assert isinstance(app.screen, QueueDialog)
        assert app.screen.query_one("#mover", Words).text.startswith("Nobody starts them: m")
        await pilot.press("d")
        assert order() == ["bees", "ants", "wasps"]
        await pilot.press("d", "d")
        assert order() == ["bees", "wasps", "ants"], "the cursor stays on it; the end is the end"
        await pilot.press("u")
        assert order() == ["bees", "ants", "wasps"]
        await pilot.press("x")
        assert order() == ["bees", "wasps"]
        await pilot.press("x", "x", "x")
        assert order() == []
        assert app.screen.query_one("#mover", Words).text.startswith("Nothing waits.")
        await pilot.press("escape")
        assert app.screen is app.main

    watch_at(ExperimentList, board(folder), test)


def test_what_could_not_start_says_why_and_someone_is_asked_to_move_on(folder: Path) -> None:
    queue, launcher = queued(folder, "ants"), FakeLauncher()
    fail(queue, 0, "no [memory]\nbuy some")

    async def test(app: Dashboard, pilot: Pilot[None]) -> None:
        await pilot.press("Q", "m")
        await pilot.pause()
        row = str(app.screen.query_one(OptionList).get_option_at_index(0).prompt)
        assert "ants.toml  cuda:0" in row
        assert "failed: it could not start\n   no [memory]\n   buy some" in row
        assert launcher.asked == [
            ("queue", "run", "--detach", "--runs", str(folder / "runs"), None)
        ]
        with queue.moving_on():
            app.screen._look()  # type: ignore[attr-defined]
            assert app.screen.query_one("#mover", Words).text.startswith("A process of its own")

    watch_at(ExperimentList, board(folder, launcher=launcher), test)


def test_read_only_shows_the_queue_and_changes_nothing(folder: Path) -> None:
    queue, launcher = queued(folder, "ants", "bees"), FakeLauncher()

    async def test(app: Dashboard, pilot: Pilot[None]) -> None:
        await pilot.press("Q", "d", "x", "m")
        assert "--read-only" in told(app)

    watch_at(ExperimentList, board(folder, launcher=launcher, read_only=True), test)
    assert len(queue.entries()) == 2
    assert launcher.asked == []


def test_a_damaged_queue_is_told_where_it_is_looked_at(folder: Path) -> None:
    (folder / "runs").mkdir(exist_ok=True)
    (folder / "runs" / "queue.json").write_text("{")

    async def test(app: Dashboard, pilot: Pilot[None]) -> None:
        await pilot.press("Q")
        assert "can't be read" in app.screen.query_one("#mover", Words).text
        await pilot.press("x", "d", "escape", "r", "enter")
        assert told(app) == ""

    watch_at(ExperimentList, board(folder), test)


def test_each_failure_since_the_first_look_is_told_once(folder: Path) -> None:
    queue = queued(folder, "ants", "bees")
    fail(queue, 0, "known before")
    seen = QueueWatch(queue)
    assert seen.look() == []
    fail(queue, 1, "no memory\nbuy some")
    assert seen.look() == ["bees.toml could not start, the queue goes on: no memory; Q shows it"]
    assert seen.look() == []

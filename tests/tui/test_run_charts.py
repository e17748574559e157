"""The charts of a run, by their keys and the mouse, and that they are drawn only when needed."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.app import App, ComposeResult
from textual.events import MouseScrollUp
from textual.pilot import Pilot

from engine.contract.events import (
    CheckpointSaved,
    Event,
    Parameters,
    RunResumed,
    RunStarted,
    Step,
    Validated,
    encode,
)
from engine.contract.follower import Follower
from engine.contract.run_directory import RunDirectory, create
from tui.run_list import WatchedRun
from tui.widgets.chart import Chart
from tui.widgets.run_charts import RunCharts

STEPS_PER_EPOCH, EPOCHS = 50, 4


def started() -> RunStarted:
    return RunStarted(
        time=1000.0, version="1", pid=7, host="h", device="cpu", name="ants",
        steps_per_epoch=STEPS_PER_EPOCH, epochs=EPOCHS, planned_end=200,
        groups=["head", "backbone"], parameters=Parameters(1, 1), train_samples=9,
        val_samples=3, classes=[], workers=0, precision="fp32", frozen=[],
    )  # fmt: skip


def step(number: int, loss: float | None = None) -> Step:
    rate = 0.1 * (1 - number / 400)
    own = 2 / (1 + number) if loss is None else loss
    return Step(
        time=1000.0 + 2 * number, step=number, epoch=number // STEPS_PER_EPOCH,
        loss=own if math.isfinite(own) else None, lr=[rate, rate / 10], samples_per_second=1.0,
    )  # fmt: skip


def epoch_end(epoch: int) -> list[Event]:
    done = (epoch + 1) * STEPS_PER_EPOCH
    return [
        Validated(time=1.0, step=done, epoch=epoch, metrics={"val/loss": 1.0 / done}, seconds=1.0),
        CheckpointSaved(
            time=1.0, step=done, epoch=epoch + 1, path="checkpoints/best.pt", kind="best",
            metric=0.1, sha256="", bytes=1,
        ),
    ]  # fmt: skip


def append(run: RunDirectory, *events: Event) -> None:
    with run.events.open("ab") as file:
        file.writelines(map(encode, events))


@pytest.fixture
def watched(tmp_path: Path) -> WatchedRun:
    run = create(tmp_path, "ants", "", b"")
    append(run, started())
    for epoch in range(EPOCHS):
        first = epoch * STEPS_PER_EPOCH
        append(run, *map(step, range(first, first + STEPS_PER_EPOCH)), *epoch_end(epoch))
    watched = WatchedRun(run, Follower(run.events))
    watched.look()
    return watched


class Alone(App[None]):
    def __init__(self, watched: WatchedRun | None, *, ascii: bool = False) -> None:
        super().__init__()
        self.watched, self.charts = watched, RunCharts(ascii=ascii)

    def compose(self) -> ComposeResult:
        yield self.charts

    def on_mount(self) -> None:
        self.charts.show(self.watched)
        self.charts.loss.focus()


Look = Callable[[Alone, "Pilot[None]"], Awaitable[None]]


def look_at(
    watched: WatchedRun | None,
    look: Look,
    *,
    size: tuple[int, int] = (100, 30),
    ascii: bool = False,
) -> None:
    async def run() -> None:
        app = Alone(watched, ascii=ascii)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await look(app, pilot)

    asyncio.run(run())


def _wheel_up(chart: Chart, x: int, y: int) -> MouseScrollUp:
    place = chart.region.offset
    return MouseScrollUp(
        chart, x, y, 0, 0, 0, False, False, False, screen_x=place.x + x, screen_y=place.y + y
    )


def rows(chart: Chart) -> list[str]:
    return [chart.render_line(y).text for y in range(chart.size.height)]


def test_loss_validation_checkpoints_and_the_rate_of_each_group_are_seen(
    watched: WatchedRun,
) -> None:
    async def look(app: Alone, pilot: Pilot[None]) -> None:
        loss, lr = rows(app.charts.loss), rows(app.charts.lr)
        assert "Loss" in loss[0]
        assert "train ~0.9" in loss[0]
        assert "val 0.005" in loss[0]  # 1 / 200
        assert any("◆" in row for row in loss[1:])
        assert "head 0.05025" in lr[0]  # 0.1 * (1 - 199 / 400)
        assert "backbone 0.005025" in lr[0]

    look_at(watched, look)


def test_one_window_and_one_cursor_are_both_charts(watched: WatchedRun) -> None:
    async def look(app: Alone, pilot: Pilot[None]) -> None:
        loss, lr = app.charts.loss, app.charts.lr
        await pilot.press("left")
        assert loss.view.cursor == 199.0
        await pilot.press("home", "up")
        assert (loss.view.cursor, loss.view.window) == (0.0, (0.0, 100.0))
        assert lr.view == loss.view
        assert "step 0" in rows(lr)[0]
        assert "head 0.1 " in rows(lr)[0]
        await pilot.press("full_stop")
        assert lr.view.window == (25.0, 125.0)
        await pilot.press("comma", "down")
        assert loss.view.window is None
        await pilot.press("up", "0", "escape")
        assert (loss.view.window, loss.view.cursor) == (None, None)

    look_at(watched, look)


def test_smoothing_is_of_the_loss_and_never_of_a_rate(watched: WatchedRun) -> None:
    async def look(app: Alone, pilot: Pilot[None]) -> None:
        charts, before = app.charts, app.charts.lr.content
        await pilot.press("right_square_bracket")
        assert "train ~0.95" in rows(charts.loss)[0]
        await pilot.press(*["left_square_bracket"] * 9)
        assert "train 0.01 " in rows(charts.loss)[0]  # 2 / 200, as it is
        assert charts.lr.content is before

    look_at(watched, look)


def test_the_x_axis_is_step_epoch_or_time_and_the_cursor_stays_on_its_step(
    watched: WatchedRun,
) -> None:
    async def look(app: Alone, pilot: Pilot[None]) -> None:
        charts = app.charts
        await pilot.press("left", "home", *["right"] * 10)
        at = charts.loss.view.cursor
        assert at is not None
        await pilot.press("x")
        assert charts.loss.view.cursor == at / STEPS_PER_EPOCH
        assert rows(charts.loss)[-1].rstrip().endswith("epoch")
        await pilot.press("x")
        assert charts.lr.view.cursor == 2 * at  # a step takes two seconds
        assert rows(charts.lr)[-1].rstrip().endswith("6m    time")
        await pilot.press("x")
        assert charts.loss.view.cursor == at

    look_at(watched, look)


def test_l_is_a_logarithmic_axis_of_the_focused_chart(watched: WatchedRun) -> None:
    async def look(app: Alone, pilot: Pilot[None]) -> None:
        await pilot.press("l")
        assert "log" in rows(app.charts.loss)[0]
        assert "log" not in rows(app.charts.lr)[0]
        await pilot.press("l")
        assert "log" not in rows(app.charts.loss)[0]

    look_at(watched, look)


def test_f_gives_a_chart_the_whole_screen_and_takes_it_back(watched: WatchedRun) -> None:
    async def look(app: Alone, pilot: Pilot[None]) -> None:
        before = app.charts.loss.size.height
        await pilot.press("f")
        await pilot.pause()
        assert app.screen.maximized is app.charts.loss
        assert app.charts.loss.size.height > before
        await pilot.press("f")
        await pilot.pause()
        assert app.charts.loss.size.height == before

    look_at(watched, look)


def test_escape_ends_the_full_size_and_then_takes_the_cursor_away(watched: WatchedRun) -> None:
    async def look(app: Alone, pilot: Pilot[None]) -> None:
        await pilot.press("f", "left", "escape")
        assert (app.charts.loss.view.cursor, app.screen.maximized) == (199.0, None)
        await pilot.press("escape")
        assert app.charts.loss.view.cursor is None

    look_at(watched, look)


def test_a_click_sets_the_cursor_and_the_wheel_zooms_there(watched: WatchedRun) -> None:
    async def look(app: Alone, pilot: Pilot[None]) -> None:
        loss = app.charts.loss
        await pilot.click(loss, offset=(54, 5))
        assert loss.view.cursor == pytest.approx(100, abs=2)  # the middle of 8 to 99
        loss.post_message(_wheel_up(loss, 54, 5))
        await pilot.pause()
        assert loss.view.window == pytest.approx((50, 150), abs=2)

    look_at(watched, look)


def test_ascii_is_ascii(watched: WatchedRun) -> None:
    async def look(app: Alone, pilot: Pilot[None]) -> None:
        await pilot.press("left", "l")
        assert all(row.isascii() for row in rows(app.charts.loss) + rows(app.charts.lr))

    look_at(watched, look, ascii=True)


def test_nothing_is_drawn_where_nothing_is_new(watched: WatchedRun) -> None:
    async def look(app: Alone, pilot: Pilot[None]) -> None:
        charts = app.charts
        before = charts.loss.content, charts.loss.render_line(0)
        watched.look()
        charts.show(watched)
        await pilot.pause()
        assert charts.loss.content is before[0]
        assert charts.loss.render_line(0) is before[1]
        append(watched.run, step(200))
        watched.look()
        charts.show(watched)
        assert charts.loss.content is not before[0]
        assert charts.loss.content.lines[0].x[-1] == 200

    look_at(watched, look)


def test_what_a_resume_does_again_is_taken_back(watched: WatchedRun) -> None:
    async def look(app: Alone, pilot: Pilot[None]) -> None:
        resumed = RunResumed(
            time=1.0, step=100, epoch=2, checkpoint="", version="1", pid=8, host="h",
            device="cpu", epochs=4, planned_end=200,
        )  # fmt: skip
        append(watched.run, resumed)
        watched.look()
        app.charts.show(watched)
        assert app.charts.lr.content.lines[0].x[-1] == 99

    look_at(watched, look)


def test_steps_that_go_back_without_a_resume_do_not_break_it(watched: WatchedRun) -> None:
    async def look(app: Alone, pilot: Pilot[None]) -> None:
        append(watched.run, step(7), step(300), step(3), *epoch_end(0))
        watched.look()
        app.charts.show(watched)
        await pilot.press("left", "up", "x")
        x = app.charts.lr.content.lines[0].x
        assert (x[-4:] * STEPS_PER_EPOCH).tolist() == [199, 199, 300, 300]

    look_at(watched, look)


def test_what_is_added_while_one_looks_is_the_same_as_what_was_there(watched: WatchedRun) -> None:
    async def look(app: Alone, pilot: Pilot[None]) -> None:
        for number in range(200, 260):
            append(watched.run, step(number, 0.5 if number % 7 else math.nan))
            watched.look()
            app.charts.show(watched)
        anew = RunCharts()
        anew.show(watched)
        for grown, whole in ((app.charts.loss, anew.loss), (app.charts.lr, anew.lr)):
            for one, other in zip(grown.content.lines, whole.content.lines, strict=True):
                assert one.x.tolist() == other.x.tolist()
                assert one.y.tolist() == pytest.approx(other.y.tolist(), nan_ok=True)

    look_at(watched, look)


def test_a_loss_that_is_no_number_is_marked(watched: WatchedRun) -> None:
    append(watched.run, step(200, math.nan), step(201, 1.0))
    watched.look()

    async def look(app: Alone, pilot: Pilot[None]) -> None:
        assert "× not finite" in rows(app.charts.loss)[0]

    look_at(watched, look)


@pytest.mark.parametrize("size", [(20, 5), (40, 10), (80, 24), (300, 100)])
def test_every_size_and_no_run_at_all_can_be_shown(
    watched: WatchedRun, size: tuple[int, int]
) -> None:
    async def look(app: Alone, pilot: Pilot[None]) -> None:
        await pilot.press("left", "up", "l", "f")
        await pilot.resize_terminal(30, 8)
        app.charts.show(None)
        await pilot.pause()
        assert "Loss" in rows(app.charts.loss)[0]

    look_at(watched, look, size=size)


def test_a_run_without_a_step_yet_says_so(tmp_path: Path) -> None:
    run = create(tmp_path, "ants", "", b"")

    async def look(app: Alone, pilot: Pilot[None]) -> None:
        await pilot.press("left", "up", "x", "l")
        assert any("nothing yet" in row for row in rows(app.charts.loss))

    look_at(WatchedRun(run, Follower(run.events)), look)

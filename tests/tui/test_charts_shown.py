"""Which charts a run has, how they are chosen and laid out, and what the mouse does in them."""

from __future__ import annotations

import asyncio
import csv
import json
import math
from pathlib import Path

import msgspec
import pytest
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from engine.contract.events import Event, System, Validated
from engine.contract.run_directory import RunDirectory
from engine.contract.run_state import RunState, fold_all
from tests.tui.board import append, board, look, new_run
from tests.tui.test_run_charts import Alone, look_at, rows, started, step, watched
from tui.app import Dashboard
from tui.chart_contents import charts_of, content_of
from tui.run_curves import CurveReader
from tui.run_list import WatchedRun
from tui.screens.charts_shown import ChartsDialog
from tui.screens.choice import ChoiceDialog
from tui.screens.exporting import ExportName
from tui.widgets.chart import Chart
from tui.widgets.chart_grid import LOWEST
from tui.widgets.run_charts import RunCharts
from tui.widgets.run_table import RunTable

__all__ = ["watched"]  # the fixture


def validated(epoch: int, **metrics: float | None) -> Validated:
    named = {name.replace("__", "/"): value for name, value in metrics.items()}
    return Validated(time=1.0, step=50 * epoch + 50, epoch=epoch, metrics=named, seconds=1.0)


def reader_of(*events: Event) -> CurveReader:
    return CurveReader(fold_all(RunState(), [started(), step(0), step(1), *events]))  # type: ignore[list-item]


def keys_of(reader: CurveReader) -> list[str]:
    return [named.key for named in charts_of(reader.read())]


def test_a_run_has_a_chart_of_each_metric_and_of_what_the_system_measured() -> None:
    both = {"train__loss": 0.5, "val__loss": 0.6}
    reader = reader_of(
        validated(0, **both, val__accuracy=0.9, val__miou=0.5), System(time=1.0, memory=1, cpu=50.0)
    )
    metrics = ["metric/accuracy", "metric/miou"]
    assert keys_of(reader) == ["loss", "lr", *metrics, "epochs", "speed", "memory", "use"]
    assert keys_of(CurveReader(RunState())) == ["loss", "lr"]


def test_training_and_validation_of_a_metric_are_one_chart_and_so_are_its_few_parts() -> None:
    reader = reader_of(validated(0, val__mae=1.0, train__mae=0.5, val__mae__width=2.0))
    curves = reader.read()
    content = content_of("metric/mae", reader, curves, "step", 0.9, None)
    found = {line.name: line.y.tolist() for line in content.lines}
    assert found == {"val": [1.0], "train": [0.5], "val/width": [2.0]}
    assert len({line.style for line in content.lines}) == 3


def test_of_many_parts_each_is_a_chart() -> None:
    parts = {f"val__iou__class_{number}": number / 9 for number in range(9)}
    reader = reader_of(validated(0, val__iou=0.5, **parts))
    keys = keys_of(reader)
    assert keys[2:5] == ["metric/iou", "metric/iou/class_0", "metric/iou/class_1"]
    content = content_of("metric/iou/class_3", reader, reader.read(), "step", 0.9, None)
    assert [(line.name, line.y.tolist()) for line in content.lines] == [("val", [3 / 9])]


def test_a_term_of_the_loss_has_its_steps_and_its_validations() -> None:
    events = [
        msgspec.structs.replace(step(number), terms={"dice": 0.5, "ce": float(number)})
        for number in (2, 3)
    ]
    reader = reader_of(*events, validated(0, val__loss__dice=0.25))
    assert keys_of(reader)[2:5] == ["term/dice", "term/ce", "speed"]
    content = content_of("term/dice", reader, reader.read(), "step", 0.0, None)
    train, val = content.lines
    assert train.y.tolist()[2:] == [0.5, 0.5]
    assert math.isnan(train.y[0])
    assert val.y.tolist() == [0.25]


def test_memory_is_in_gib_and_lies_between_the_steps_on_the_axis_of_time() -> None:
    # Step 1 is at 1002 seconds; the second measurement comes one second later.
    reader = reader_of(
        System(time=1002.5, memory=3 << 30, device_memory=1 << 29),
        System(time=1003.0, memory=4 << 30, device_memory=1 << 29),
    )
    content = content_of("memory", reader, reader.read(), "time", 0.9, None)
    assert {line.name: line.y.tolist() for line in content.lines} == {
        "process": [3.0, 4.0], "device": [0.5, 0.5]
    }  # fmt: skip
    assert content.lines[0].x.tolist() == [2.5, 3.0]
    assert content.range(0.5, 4.0, log=False) == (0.0, 4.0)  # half full looks half full


def test_the_monitors_chart_is_the_first_of_the_metrics_and_has_the_checkpoints() -> None:
    state = fold_all(RunState(), [msgspec.structs.replace(started(), monitor="val/miou"), step(0),
                                  validated(0, val__accuracy=0.9, val__miou=0.5)])  # fmt: skip
    assert keys_of(CurveReader(state))[2:4] == ["metric/miou", "metric/accuracy"]


def test_a_metric_that_is_no_number_is_a_gap_and_a_mark(watched: WatchedRun) -> None:
    append(watched.run, validated(4, val__f1=0.5), validated(5, val__f1=None),
           validated(6, val__f1=0.7))  # fmt: skip
    watched.look()

    async def look_(app: Alone, pilot: Pilot[None]) -> None:
        app.charts.choose(["metric/f1"])
        await pilot.pause()
        assert "× not finite" in rows(app.charts.charts["metric/f1"])[0]

    look_at(watched, look_)


def test_a_rate_that_is_no_number_is_a_gap_and_a_mark(watched: WatchedRun) -> None:
    append(watched.run, msgspec.structs.replace(step(200), lr=[math.nan, 0.1]), step(201))
    watched.look()

    async def look_(app: Alone, pilot: Pilot[None]) -> None:
        assert "× not finite" in rows(app.charts.lr)[0]

    look_at(watched, look_)


@pytest.mark.parametrize(
    ("size", "shown"), [((80, 22), 2), ((80, 40), 3), ((128, 58), 10), ((40, 8), 2)]
)
def test_as_many_charts_are_shown_as_fit(
    watched: WatchedRun, size: tuple[int, int], shown: int
) -> None:
    append(watched.run, *(validated(4, **{f"val__m{number}": 0.5}) for number in range(9)))
    watched.look()

    async def look_(app: Alone, pilot: Pilot[None]) -> None:
        assert len(app.charts.charts) == shown
        await pilot.resize_terminal(80, 22)
        await pilot.pause()
        assert len(app.charts.charts) == 2

    look_at(watched, look_, size=size)


def test_charts_are_never_lower_than_can_be_read_and_the_rest_scrolls(watched: WatchedRun) -> None:
    append(watched.run, *(validated(4, **{f"val__m{number}": 0.5}) for number in range(9)))
    watched.look()

    async def look_(app: Alone, pilot: Pilot[None]) -> None:
        charts = app.charts
        charts.choose([named.key for named in charts.named])
        await pilot.pause()
        heights = [chart.size.height for chart in charts.charts.values()]
        assert len(heights) == 12
        assert min(heights) == LOWEST
        assert charts.virtual_size.height > charts.size.height
        last = list(charts.charts.values())[-1]
        app.animation_level = "none"
        last.focus()
        for _ in range(100):
            await pilot.pause()
            if charts.region.contains_region(last.region):
                break
        assert charts.region.contains_region(last.region)

    look_at(watched, look_, size=(80, 24))


def test_wide_and_low_has_columns(watched: WatchedRun) -> None:
    async def look_(app: Alone, pilot: Pilot[None]) -> None:
        loss, lr = app.charts.loss, app.charts.lr
        assert (loss.region.y, loss.region.height) == (lr.region.y, lr.region.height)
        assert lr.region.x == loss.region.width

    look_at(watched, look_, size=(160, 16))


def test_the_cursor_reads_every_chart_at_its_step(watched: WatchedRun) -> None:
    append(watched.run, validated(4, val__f1=0.5), validated(5, val__f1=0.7))
    watched.look()

    async def look_(app: Alone, pilot: Pilot[None]) -> None:
        app.charts.choose(["loss", "lr", "metric/f1", "speed"])
        await pilot.pause()
        await pilot.press("left")
        shown = app.charts.charts
        # The last step is 199; f1 was measured at the first time when 250 were done.
        assert [rows(shown[key])[0].count("step 199") for key in shown] == [1] * 4
        assert "speed ~0.9 1" in rows(shown["speed"])[0]
        assert "val 0.5" not in rows(shown["metric/f1"])[0]

    look_at(watched, look_, size=(100, 40))


def test_each_chart_is_smoothed_on_its_own(watched: WatchedRun) -> None:
    async def look_(app: Alone, pilot: Pilot[None]) -> None:
        app.charts.choose(["loss", "lr", "speed"])
        await pilot.pause()
        app.charts.charts["speed"].focus()
        await pilot.press("right_square_bracket", "l")
        assert "speed ~0.95" in rows(app.charts.charts["speed"])[0]
        assert "train ~0.9 " in rows(app.charts.loss)[0]
        app.charts.choose(["loss", "lr"])
        app.charts.choose(["loss", "lr", "speed"])
        await pilot.pause()
        assert "speed ~0.95" in rows(app.charts.charts["speed"])[0]
        assert "(log)" in rows(app.charts.charts["speed"])[0]

    look_at(watched, look_, size=(100, 40))


def test_how_the_charts_were_set_can_be_given_to_others(watched: WatchedRun) -> None:
    async def look_(app: Alone, pilot: Pilot[None]) -> None:
        app.charts.choose(["loss", "speed"])
        await pilot.pause()
        await pilot.press("l", "x", "right_square_bracket")
        kept = json.loads(json.dumps(app.charts.remembered))
        assert kept == {
            "shown": ["loss", "speed"], "x_axis": "epoch", "smoothing": {"loss": 0.95},
            "logarithmic": ["loss"],
        }  # fmt: skip
        other = RunCharts()
        other.remembered = kept
        other.show(watched)
        assert other.remembered == kept
        assert other.loss.logarithmic
        assert other.loss.content.lines[1].name == "train ~0.95"
        for damaged in ({}, {"shown": 3, "x_axis": "z", "smoothing": 1, "logarithmic": [1]},
                        {"shown": [], "smoothing": {"loss": 2}}):  # fmt: skip
            other.remembered = damaged
        assert (other.wanted, other.x_axis, other.logarithmic) == (None, "epoch", [])

    look_at(watched, look_, size=(100, 40))


def test_dragging_moves_the_window_and_is_no_click(watched: WatchedRun) -> None:
    async def look_(app: Alone, pilot: Pilot[None]) -> None:
        loss = app.charts.loss
        await pilot.press("up")
        before = loss.view.window
        assert before is not None
        await pilot.mouse_down(loss, offset=(60, 5))
        await pilot.hover(loss, offset=(40, 5))
        await pilot.mouse_up(loss, offset=(40, 5))
        await pilot.pause()
        after = loss.view.window
        assert after is not None
        assert after[0] == pytest.approx(before[0] + 0.2 * (before[1] - before[0]), abs=1)
        assert after[1] - after[0] == pytest.approx(before[1] - before[0])
        assert loss.view.cursor is None
        await pilot.hover(loss, offset=(10, 5))
        assert loss.view.window == after  # the button is up again

    look_at(watched, look_)


def test_dragging_with_shift_chooses_a_window_and_so_does_w(watched: WatchedRun) -> None:
    async def look_(app: Alone, pilot: Pilot[None]) -> None:
        loss = app.charts.loss
        await pilot.mouse_down(loss, offset=(31, 5), shift=True)
        await pilot.hover(loss, offset=(54, 5))
        await pilot.mouse_up(loss, offset=(54, 5), shift=True)
        await pilot.pause()
        assert loss.view.window == pytest.approx((50, 100), abs=2)
        assert loss.view.anchor is None
        await pilot.press("0", "home", "w")
        assert (loss.view.anchor, loss.view.window) == (0.0, None)
        await pilot.press(*["right"] * 10, "w")
        window = loss.view.window
        assert window is not None
        assert (window[0], loss.view.anchor) == (0.0, None)
        assert window[1] == loss.view.cursor
        assert app.charts.lr.view == loss.view

    look_at(watched, look_)


def test_a_double_click_sees_the_whole_run(watched: WatchedRun) -> None:
    async def look_(app: Alone, pilot: Pilot[None]) -> None:
        await pilot.press("up", "up")
        assert app.charts.loss.view.window is not None
        await pilot.double_click(app.charts.loss, offset=(54, 5))
        await pilot.pause()
        assert app.charts.loss.view.window is None

    look_at(watched, look_)


# In the dashboard: the dialogs


def on_the_board(tmp_path: Path, then: object, size: tuple[int, int] = (120, 40)) -> None:
    run = new_run(tmp_path)
    append(run, started(), step(0), step(1), validated(0, val__loss=0.5, val__f1=0.25))

    async def run_() -> None:
        app = board(tmp_path)
        async with app.run_test(size=size) as pilot:
            await look(app, pilot)
            await pilot.press("2")
            await then(app, pilot, run)  # type: ignore[operator]

    asyncio.run(run_())


async def screen(app: Dashboard, pilot: Pilot[None], kind: type) -> None:
    for _ in range(100):
        await pilot.pause()
        if isinstance(app.screen, kind):
            return
    raise AssertionError(f"{app.screen} is no {kind.__name__}")


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
def test_m_chooses_which_charts_are_shown(tmp_path: Path, size: tuple[int, int]) -> None:
    async def then(app: Dashboard, pilot: Pilot[None], run: RunDirectory) -> None:
        charts = app.main.query_one(RunCharts)
        await pilot.press("m")
        await screen(app, pilot, ChartsDialog)
        await pilot.press("down", "space")  # not the learning rate
        options = app.screen.query_one(OptionList)
        names = [str(options.get_option_at_index(n).prompt) for n in range(options.option_count)]
        assert names[:2] == ["[x] Loss", "[ ] Learning rate"]
        options.highlighted = next(n for n, name in enumerate(names) if "Samples" in name)
        await pilot.press("space", "enter")
        await screen(app, pilot, type(app.main))
        await pilot.pause()
        assert "lr" not in charts.charts
        assert {"loss", "speed"} <= charts.charts.keys()
        await pilot.press("m")
        await screen(app, pilot, ChartsDialog)
        await pilot.press("a")
        await screen(app, pilot, type(app.main))
        assert (charts.wanted, list(charts.charts)[:2]) == (None, ["loss", "lr"])

    on_the_board(tmp_path, then, size)


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
@pytest.mark.parametrize(("key", "dialog"), [("m", ChartsDialog), ("E", ChoiceDialog)])
def test_the_charts_keys_work_wherever_one_is(
    tmp_path: Path, size: tuple[int, int], key: str, dialog: type
) -> None:
    async def then(app: Dashboard, pilot: Pilot[None], run: RunDirectory) -> None:
        await pilot.press("1")
        assert isinstance(app.focused, RunTable)
        await pilot.press(key)
        await screen(app, pilot, dialog)

    on_the_board(tmp_path, then, size)


def test_what_is_seen_is_exported_and_nothing_overwritten_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    async def then(app: Dashboard, pilot: Pilot[None], run: RunDirectory) -> None:
        path = tmp_path / "exports" / f"ants-{run.id}-charts.csv"
        await pilot.press("E")
        await screen(app, pilot, ChoiceDialog)
        await pilot.press("enter")
        await screen(app, pilot, ExportName)
        assert app.screen.query_one(Input).value == str(path)
        await pilot.press("enter")
        await screen(app, pilot, type(app.main))
        await app.workers.wait_for_complete()
        await pilot.pause()
        table = list(csv.DictReader(path.read_text().splitlines()))
        assert [row["step"] for row in table] == ["0", "1", "50"]
        assert table[2]["f1: val"] == "0.25"
        assert app.clipboard == str(path)
        path.write_text("mine")
        await pilot.press("E")
        await screen(app, pilot, ChoiceDialog)
        await pilot.press("enter")
        await screen(app, pilot, ExportName)
        await pilot.press("enter")
        await screen(app, pilot, ChoiceDialog)
        assert "is there already" in str(app.screen.query_one("#title").render())
        await pilot.press("escape")
        await screen(app, pilot, type(app.main))
        assert path.read_text() == "mine"

    on_the_board(tmp_path, then)


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    async def then(app: Dashboard, pilot: Pilot[None], run: RunDirectory) -> None:
        (tmp_path / "file").write_text("")
        await pilot.press("E")
        await screen(app, pilot, ChoiceDialog)
        await pilot.press("down", "enter")
        await screen(app, pilot, ExportName)
        app.screen.query_one(Input).value = str(tmp_path / "file" / "x.svg")
        await pilot.press("enter")
        await screen(app, pilot, type(app.main))
        await app.workers.wait_for_complete()
        await pilot.pause()
        told = [note.title for note in app._notifications]
        assert "not exported" in told

    on_the_board(tmp_path, then)


def test_without_a_run_there_is_nothing_to_export(tmp_path: Path) -> None:
    async def run() -> None:
        app = board(tmp_path)
        async with app.run_test(size=(120, 40)) as pilot:
            await look(app, pilot)
            app.main.query_one(Chart).focus()
            await pilot.press("E", "m", "escape")
            await pilot.pause()
            assert any("nothing to export" in note.message for note in app._notifications)

    asyncio.run(run())

"""Looking for a word in a log of any size."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from engine.contract.events import Warned
from tests.tui.board import append, board, look, running, told, watch
from tui.app import Dashboard
from tui.console import TAIL
from tui.log_search import BLOCK, places, window
from tui.widgets.log_pane import LogPane
from tui.widgets.run_log import RunLog


def found(path: Path, word: str, begin: int, *, upwards: bool) -> list[int]:
    return [place for place in places(path, word, begin, upwards=upwards) if place is not None]


def test_every_place_is_found_once_in_both_directions_also_across_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.log_search.BLOCK", 7)
    log, chance = tmp_path / "console.log", random.Random(0)
    text = "".join(chance.choice("abAB\n") for _ in range(500))
    log.write_text(text)
    expected = [i for i in range(len(text)) if text[i : i + 2].lower() == "ab"]
    assert found(log, "ab", 0, upwards=False) == expected
    assert found(log, "AB", len(text), upwards=True) == expected[::-1]
    middle = expected[len(expected) // 2]
    assert found(log, "ab", middle, upwards=True) == expected[: len(expected) // 2][::-1]


def test_a_window_has_whole_lines_around_its_place(tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    lines = [f"line {number:06}" for number in range(50_000)]
    log.write_text("\n".join(lines) + "\n")
    seen = window(log, 12 * 25_000 + 3)  # 12 bytes a line
    assert seen.lines[seen.at] == "line 025000"
    assert seen.lines[0] == lines[25_000 - seen.at]
    assert not seen.last
    assert len(seen.lines) <= 2 * TAIL // 12 + 1
    end = window(log)
    assert (end.lines[-1], end.last, end.at) == ("line 049999", True, len(end.lines))
    begin = window(log, 0)
    assert (begin.begin, begin.at, begin.lines[0]) == (0, 0, "line 000000")


def test_a_log_of_a_hundred_megabytes_is_not_read_into_memory(tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    with log.open("wb") as file:
        file.write(b"the needle\n")
        for _ in range(100):
            file.write(b"hay hay hay hay\n" * (1 << 16))
    tracemalloc.start()
    assert found(log, "needle", log.stat().st_size, upwards=True) == [4]
    assert tracemalloc.get_traced_memory()[1] < 4 * BLOCK
    tracemalloc.stop()


def watch_log(folder: Path, test: Callable[[Dashboard, Pilot[None]], Awaitable[None]]) -> None:
    app = board(folder)

    async def run(pilot: Pilot[None]) -> None:
        await pilot.press("l")
        await pilot.pause()
        await test(app, pilot)

    watch(app, run, (80, 24))


async def settled(app: Dashboard, pilot: Pilot[None]) -> RunLog:
    await app.workers.wait_for_complete()
    await pilot.pause()
    return app.main.query_one(RunLog)


def test_slash_finds_the_last_match_and_n_and_shift_n_the_others(tmp_path: Path) -> None:
    run = running(tmp_path)
    text = [f"Error {number}" if number % 3000 == 7 else "all is well" for number in range(20_000)]
    run.console.write_text("\n".join(text) + "\n")

    async def test(app: Dashboard, pilot: Pilot[None]) -> None:
        def here() -> str:
            log = app.main.query_one(RunLog)
            return log.lines[log._at]

        await pilot.press("slash", *"error", "enter")
        log = await settled(app, pilot)
        assert here() == "Error 18007"
        for number in (15007, 12007, 9007):
            await pilot.press("n")
            await settled(app, pilot)
            assert here() == f"Error {number}"
        await pilot.press("N")
        await settled(app, pilot)
        assert here() == "Error 12007"
        top, height = log.scroll_offset.y, log.size.height
        assert top <= log._at < top + height, "it can be seen"
        await pilot.press("enter", "n", "n", "n", "n")
        await settled(app, pilot)
        for _ in range(5):
            await pilot.press("n")
            await settled(app, pilot)
        assert here() == "Error 7", "the first one"
        assert "no 'error' above" in told(app)

    watch_log(tmp_path, test)


def test_escape_ends_it_and_the_log_follows_its_end_again(tmp_path: Path) -> None:
    run = running(tmp_path)
    run.console.write_text("one needle\n" + "hay\n" * 100)

    async def test(app: Dashboard, pilot: Pilot[None]) -> None:
        await pilot.press("slash", *"needle", "enter")
        log = await settled(app, pilot)
        assert app.main.query_one(LogPane).word.display
        with run.console.open("a") as file:
            file.write("what came meanwhile\n")
        await look(app, pilot)
        assert "what came meanwhile" not in log.lines, "it stands still while one searches"
        await pilot.press("escape")
        await look(app, pilot)
        assert log.lines[-1] == "what came meanwhile"
        assert log.is_vertical_scroll_end
        assert app.focused is log
        assert not app.main.query_one(LogPane).word.display
        await pilot.press("slash", "escape")
        await pilot.pause()
        assert app.focused is log

    watch_log(tmp_path, test)


def test_what_a_run_began_with_and_its_warnings_are_searched_too(tmp_path: Path) -> None:
    run = running(tmp_path)
    append(run, Warned(time=1.0, what="layers look odd", where="", remedy=""))

    async def test(app: Dashboard, pilot: Pilot[None]) -> None:
        await pilot.press("slash", *"layers", "enter")
        log = await settled(app, pilot)
        assert log.lines[log._at] == "warning: layers look odd"
        await pilot.press("n")
        await settled(app, pilot)
        assert log.lines[log._at] == "all layers train"

    watch_log(tmp_path, test)


def test_another_run_ends_the_search(tmp_path: Path) -> None:
    run, other = running(tmp_path), running(tmp_path, "bees")
    run.console.write_text("needle\n")
    other.console.write_text("needle\n")

    async def test(app: Dashboard, pilot: Pilot[None]) -> None:
        await pilot.press("slash", *"needle", "enter")
        await settled(app, pilot)
        app.main.chosen = run.path if app.main.chosen == other.path else other.path
        await look(app, pilot)
        assert not app.main.query_one(LogPane).word.display
        assert app.main.query_one(RunLog)._word == ""

    watch_log(tmp_path, test)

"""The dashboard shows the runs of a folder, follows them, and disturbs none."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest

from engine.contract.events import CheckpointSaved, RunFinished, Step, Validated, encode
from engine.contract.run_directory import Holder, RunDirectory, create
from tui.app import Dashboard, main
from tui.widgets.run_detail import RunDetail
from tui.widgets.run_table import RunTable

SIZES = [(80, 24), (120, 40), (40, 10)]


def append(run: RunDirectory, *events: object) -> None:
    with run.events.open("ab") as file:
        for event in events:
            file.write(encode(event))  # type: ignore[arg-type]


def step(number: int, loss: float) -> Step:
    return Step(time=time.time(), step=number, epoch=0, loss=loss, lr=[0.1], samples_per_second=1.0)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """One run that has finished, one that is running."""
    finished = create(tmp_path, "ants", "", b"")
    saved = CheckpointSaved(
        time=1.0,
        step=1,
        epoch=1,
        path="checkpoints/best.pt",
        kind="best",
        metric=0.25,
        sha256="ab",
        bytes=1,
    )
    metrics = {"val/loss": 0.25, "val/accuracy": 0.9}
    validated = Validated(time=1.0, step=1, epoch=0, metrics=metrics, seconds=0.1)
    append(finished, step(0, 0.5), validated, saved)
    append(finished, RunFinished(time=1.0, step=1, epochs=1.0, seconds=1.0))
    running = create(tmp_path, "bees", "", b"")
    running.lock.write_text(json.dumps(vars(Holder.this_process())))
    append(running, step(0, 0.75))
    return tmp_path


def row(app: Dashboard, name: str) -> list[str]:
    table = app.query_one(RunTable)
    rows = [table.get_row_at(index) for index in range(table.row_count)]
    return next(cells for cells in rows if cells[0].startswith(name))


@pytest.mark.parametrize("size", SIZES)
def test_it_shows_every_run_with_its_state_and_numbers(runs: Path, size: tuple[int, int]) -> None:
    async def look() -> None:
        app = Dashboard(runs)
        async with app.run_test(size=size):
            assert row(app, "ants")[1:] == ["✓ finished", "1/0", "0.5000", "0.2500"]
            assert row(app, "bees")[1:] == ["● running", "1/0", "0.7500", ""]

    asyncio.run(look())


def test_it_follows_a_run_and_finds_new_ones(runs: Path) -> None:
    async def look() -> None:
        app = Dashboard(runs)
        async with app.run_test() as pilot:
            (running,) = (RunDirectory(path) for path in (runs / "bees").iterdir())
            append(running, step(1, 0.125))
            create(runs, "wasps", "", b"")
            app.look()
            await pilot.pause()
            assert row(app, "bees")[3] == "0.1250"
            assert row(app, "wasps")[1] == "? lost"

    asyncio.run(look())


def test_the_run_under_the_cursor_is_told_with_its_checkpoints_path(runs: Path) -> None:
    async def look() -> None:
        app = Dashboard(runs)
        async with app.run_test() as pilot:
            table = app.query_one(RunTable)
            names = [table.get_row_at(index)[0] for index in range(table.row_count)]
            table.move_cursor(row=next(i for i, n in enumerate(names) if n.startswith("ants")))
            await pilot.pause()
            text = app.query_one(RunDetail).text
            assert "val/accuracy 0.9000" in text
            assert str(runs / "ants") in text
            assert "checkpoints/best.pt" in text

    asyncio.run(look())


def test_an_empty_folder_says_how_to_make_a_run(tmp_path: Path) -> None:
    async def look() -> None:
        app = Dashboard(tmp_path)
        async with app.run_test():
            assert "ptrain run FILE" in app.query_one(RunDetail).text

    asyncio.run(look())


def test_q_quits(runs: Path) -> None:
    async def look() -> None:
        app = Dashboard(runs)
        async with app.run_test() as pilot:
            await pilot.press("q")
        assert app.return_code == 0

    asyncio.run(look())


def test_what_is_no_folder_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["ptrain-tui", "nowhere"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    assert "nowhere is not a folder" in capsys.readouterr().err

"""Reading runs in slices, so that a screen can answer its keys."""

from __future__ import annotations

import shutil
from pathlib import Path

from engine.contract.events import RunFinished
from engine.contract.follower import CHUNK
from tests.tui.board import append, new_run, running, started, step
from tui.run_list import RunList

SEVERAL = 4 * CHUNK // 60  # steps, whose lines are longer than that: more than is read at one go


def test_a_long_run_is_read_in_slices_and_each_event_once(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    append(run, *(step(number) for number in range(SEVERAL)))
    runs = RunList(tmp_path / "runs")
    runs.search()
    slices = 0
    while slices == 0 or runs.behind:
        runs.look(seconds=0.0)  # time is up at once
        slices += 1
    (watched,) = runs.look()
    assert slices > 2
    assert list(watched.state.curve.step) == list(range(SEVERAL))


def test_the_run_that_one_looks_at_is_read_first(tmp_path: Path) -> None:
    first, second = new_run(tmp_path, "a"), new_run(tmp_path, "b")
    for run in (first, second):
        append(run, *(step(number) for number in range(SEVERAL)))
    for looked_at, other in ((first, second), (second, first)):
        runs = RunList(tmp_path / "runs")
        runs.search()
        looked = {watched.run.path: watched.looked for watched in runs.look(looked_at.path, 0.0)}
        assert looked == {looked_at.path: True, other.path: False}


def test_where_no_run_has_come_or_gone_it_is_not_searched_for(tmp_path: Path) -> None:
    new_run(tmp_path)
    runs = RunList(tmp_path / "runs")
    runs.search_if_due()
    assert len(runs.look()) == 1
    before = runs.version
    runs.search_if_due()
    runs.look()
    assert runs.version == before
    other = new_run(tmp_path, "other")
    runs.search_if_due()
    assert [watched.run.name for watched in runs.look()].count("other") == 1
    shutil.rmtree(other.path)
    runs.search_if_due()
    assert len(runs.look()) == 1
    shutil.rmtree(tmp_path / "runs")
    runs.search_if_due()
    assert runs.look() == []


def test_a_run_that_is_over_is_read_again_when_it_goes_on(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    append(run, started(), step(0), RunFinished(time=1.0, step=1, epochs=1.0, seconds=1.0))
    runs = RunList(tmp_path / "runs")
    runs.search()
    (watched,) = runs.look()
    assert watched.status.state == "finished"
    other = running(tmp_path, "other")
    run.lock.write_bytes(other.lock.read_bytes())
    runs.look(run.path)
    assert watched.status.state == "running"

"""Several runs in one chart: looks, names, lines, and that nothing is read twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.contract.events import CheckpointSaved, Validated
from engine.contract.follower import Follower
from engine.contract.run_directory import RunDirectory
from tests.tui.board import append, started, step
from tui.overlay import MOST, Look, Marks, Overlay, short_names
from tui.run_list import WatchedRun


def watched(root: Path, name: str, id: str, steps: int = 4) -> WatchedRun:
    run = RunDirectory(root / name / id)
    run.path.mkdir(parents=True)
    append(run, started(), *(step(number, 1.0 / (1 + number)) for number in range(steps)))
    made = WatchedRun(run, Follower(run.events))
    made.look()
    return made


def validated(epoch: int, loss: float | None) -> Validated:
    done = 2 * (epoch + 1)
    return Validated(time=1.0, step=done, epoch=epoch, metrics={"val/loss": loss}, seconds=1.0)


@pytest.fixture
def runs(tmp_path: Path) -> list[WatchedRun]:
    return [
        watched(tmp_path, "ants", "20260103-000000-aaaa"),
        watched(tmp_path, "bees", "20260102-000000-bbbb", steps=6),
        watched(tmp_path, "ants", "20260101-000000-cccc"),
    ]


def marks_of(*runs: WatchedRun) -> Marks:
    marks = Marks()
    for run in runs:
        assert marks.toggle(run.run.path)
    return marks


@given(st.lists(st.integers(0, 11), max_size=40))
def test_a_run_keeps_its_look_and_no_two_have_the_same(toggled: list[int]) -> None:
    marks, marked = Marks(), set[Path]()
    for number in toggled:
        run = Path(str(number))
        before = dict(marks.looks)
        could = marks.toggle(run)
        assert could == (run in marked or len(marked) < MOST)
        marked ^= {run} if could else set()
        assert marks.looks.keys() == marked
        assert all(marks.looks[other] == before[other] for other in before.keys() & marked)
        seen = [(look.colour, look.style) for look in [Look(0), *marks.looks.values()]]
        assert len(set(seen)) == len(seen)


def test_the_chosen_run_is_among_them_and_one_run_alone_is_no_overlay(
    runs: list[WatchedRun],
) -> None:
    ants, bees, _ = runs
    marks = marks_of(ants)
    assert marks.overlaid(runs, None) == []
    assert marks.overlaid(runs, ants.run.path) == []
    both = marks.overlaid(runs, bees.run.path)
    assert [(run.watched, run.look) for run in both] == [(bees, Look(0)), (ants, Look(1))]
    marks.keep({bees.run.path})
    assert marks.looks == {}


def test_names_are_as_short_as_tells_them_apart(tmp_path: Path, runs: list[WatchedRun]) -> None:
    assert short_names(runs) == ["ants aaaa", "bees", "ants cccc"]
    twin = watched(tmp_path, "ants", "20250101-000000-aaaa")
    assert short_names([runs[0], twin]) == [
        "ants 20260103-000000-aaaa",
        "ants 20250101-000000-aaaa",
    ]


def test_the_validation_is_drawn_over_the_training_and_the_training_alone_before(
    runs: list[WatchedRun],
) -> None:
    ants, bees, _ = runs
    best = CheckpointSaved(
        time=1.0, step=4, epoch=2, path="checkpoints/best.pt", kind="best", metric=0.3, sha256="",
        bytes=1,
    )  # fmt: skip
    append(ants.run, validated(0, 0.5), validated(1, 0.3), best)
    ants.look()
    overlay = Overlay()
    overlay.read(marks_of(ants).overlaid(runs, bees.run.path))
    loss, lr = (overlay.content(key, "step", 0.0) for key in ("loss", "lr"))
    assert loss is not None
    assert lr is not None
    behind, first, second = loss.lines
    assert (behind.behind, behind.y.tolist()) == (True, [1.0, 1 / 2, 1 / 3, 1 / 4])
    assert (first.name, first.x.tolist()) == ("bees train", [0, 1, 2, 3, 4, 5])
    assert (second.name, second.x.tolist(), second.y.tolist()) == ("ants", [2, 4], [0.5, 0.3])
    assert (second.colour, second.style) == (Look(1).colour, Look(1).style)
    assert [(mark.x, mark.y, mark.colour) for mark in loss.marks] == [(4, 0.3, Look(1).colour)]
    assert [(line.name, line.style) for line in lr.lines] == [("bees", 0), ("ants", 1)]
    assert loss.span == lr.span == (0, 5)
    assert overlay.content("val/accuracy", "step", 0.0) is None


def test_of_many_runs_only_the_validation_is_drawn(tmp_path: Path) -> None:
    many = [watched(tmp_path, f"run{number}", f"2026010{number}-0-a") for number in range(5)]
    for one in many:
        append(one.run, validated(0, 0.5))
        one.look()
    overlay = Overlay()
    for count, lines in ((4, 8), (5, 5)):
        overlay.read(marks_of(*many[:count]).overlaid(many, None))
        content = overlay.content("loss", "step", 0.9)
        assert content is not None
        assert len(content.lines) == lines


def test_only_a_run_with_news_is_read_again(runs: list[WatchedRun]) -> None:
    ants, bees, _ = runs
    marks, overlay = marks_of(ants, bees), Overlay()
    assert overlay.read(marks.overlaid(runs, None))
    before = overlay.content("lr", "step", 0.0)
    for one in runs:
        one.look()
    assert not overlay.read(marks.overlaid(runs, None))
    append(bees.run, step(6))
    bees.look()
    assert overlay.read(marks.overlaid(runs, None))
    after = overlay.content("lr", "step", 0.0)
    assert before is not None
    assert after is not None
    assert before.lines[0].y is after.lines[0].y
    assert [len(line.x) for line in after.lines] == [4, 7]
    assert overlay.read([])
    assert overlay.content("lr", "step", 0.0) is None

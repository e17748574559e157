"""The members' windows under the planned curve, and what is asked for it."""

from __future__ import annotations

import numpy as np

from tui.plan_picture import member_rows, plan_content
from tui.plan_question import question, windows
from tui.planned import Acting, Plan

WARM = Acting("scheduler.0", "LinearLR", "epoch", 10, 20, 2)
LATE = Acting("scheduler.1", "StepLR", "epoch", 50, 89, 5)
IDLE = Acting("scheduler.2", "StepLR", "epoch", None, None, 0)
PLAN = Plan(["a", "b"], 10, 10, [WARM, LATE, IDLE], np.arange(100.0), [np.ones(100)] * 2)
INFINITE = float("inf")


def rows(seen: tuple[float, float]) -> list[str]:
    of = {"scheduler.0": (0, 30), "scheduler.1": (40, INFINITE), "scheduler.2": (0, INFINITE)}
    return [row.plain for row in member_rows(PLAN, of, seen, 4, 54)]


def test_a_bar_is_thin_in_the_window_and_thick_where_the_member_acts() -> None:
    warm, late, idle = rows((0, 100))  # two steps a column, after a margin of four
    assert warm == "    " + "─────━━━━━─────" + " 1 LinearLR ".ljust(35)
    assert late == "    " + " 2 StepLR ".rjust(20) + "─────" + "━" * 20 + "─" * 5
    assert "3 StepLR (changes nothing)" in idle
    assert all(len(row) == 54 for row in (warm, late, idle))


def test_the_bars_follow_the_window_of_the_chart() -> None:
    warm, late, _ = rows((10, 20))
    assert warm.startswith("    ━━━━━")
    assert "─" not in late
    assert "2 StepLR" in late


def test_x_is_in_steps_or_epochs_and_each_group_has_a_line() -> None:
    content = plan_content(PLAN, "epoch")
    assert [line.name for line in content.lines] == ["a", "b"]
    assert content.whole == (0.0, 9.9)
    assert plan_content(PLAN, "step").whole == (0.0, 99.0)


def test_begin_and_end_are_in_the_members_own_interval() -> None:
    members = [
        {"name": "LinearLR", "end": 3},
        {"name": "StepLR", "begin": 3, "interval": "step"},
        {"name": "CyclicLR", "begin": 7, "end": 9},
    ]
    found = windows({"scheduler": members}, 10)
    assert list(found.values()) == [(0, 30), (3, INFINITE), (7, 9)]


def test_a_download_is_not_begun_by_typing() -> None:
    values = {"data": {"dataset": "CIFAR10", "args": {"download": True}}}
    assert question("", values, "").steps_per_epoch == 100
    assert question("", {"data": {"dataset": "digits"}}, "").steps_per_epoch is None


def test_what_is_not_as_it_must_be_is_asked_about_all_the_same() -> None:
    odd = {"scheduler": [7, {"name": "ReduceLROnPlateau"}], "data": 3, "train": {"epochs": "x"}}
    assert question("", odd, "").metric == "1"
    assert question("", {"scheduler": "x"}, "").plateaus == ()
    assert windows({"scheduler": [7]}, 10) == {"scheduler.0": (0, INFINITE)}

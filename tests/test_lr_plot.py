"""The picture of a plan: no learning rate is lost in it, and its lines can be told apart."""

from __future__ import annotations

import pytest
from rich.table import Table
from rich.text import Text

from engine.contract.axis import Axis
from engine.contract.canvas import Canvas
from engine.lr_plot import picture, spans
from engine.parts.planned_lr import Acting, Plan


def test_a_spike_of_one_step_in_a_hundred_thousand_is_seen() -> None:
    lrs = [0.1] * 100_000
    lrs[54_321] = 0.9
    canvas = Canvas(60, 14)
    found = spans(lrs, canvas, Axis(0.0, 0.9, log=False))
    assert [column for column, (_, high) in enumerate(found) if high == canvas.rows - 1] == [
        54_321 * 120 // 100_000
    ]


def test_fewer_steps_than_columns_are_stairs_without_gaps() -> None:
    canvas = Canvas(4, 2)
    found = spans([0.0, 1.0], canvas, Axis(0.0, 1.0, log=False))
    assert found == [(0, 0)] * 4 + [(1, 7)] + [(7, 7)] * 3


@pytest.mark.parametrize(
    ("lrs", "log"),
    [
        ([0.1, 0.1, 0.01, 0.01, 0.001, 0.001], True),  # two decades
        ([0.1, 0.09, 0.08, 0.05, 0.03], False),
        ([0.1 * (1 - step / 100) for step in range(101)], False),  # down to 0: no reason
        ([0.0, 0.0], False),
    ],
)
def test_the_axis_is_logarithmic_where_the_rates_span_decades(lrs: list[float], log: bool) -> None:
    assert Axis.of([lrs]).log == log


def test_two_groups_two_decades_apart_have_a_logarithmic_axis() -> None:
    axis = Axis.of([[1e-5] * 10, [1e-3] * 10])
    assert axis.log
    assert (axis.height(1e-5), axis.height(1e-4), axis.height(1e-3)) == (
        0.0,
        pytest.approx(0.5),
        1.0,
    )
    assert axis.ticks(5) == pytest.approx([1e-5, 1e-4, 1e-3])


def test_ticks_are_round_numbers() -> None:
    assert Axis(0.0, 0.0234, log=False).ticks(5) == pytest.approx([0, 0.005, 0.01, 0.015, 0.02])
    assert Axis(0.0, 7.0, log=False).ticks(5) == pytest.approx([0, 2, 4, 6])


@pytest.mark.parametrize("lr", [0.0, 0.1, float("inf"), float("nan")])
@pytest.mark.parametrize("epochs", [1, 3, 1000])
@pytest.mark.parametrize("width", [30, 79, 160])
def test_any_plan_has_a_picture_of_its_width(lr: float, epochs: int, width: int) -> None:
    plan = Plan(["default"], [[lr]] * epochs, [Acting("scheduler.0", "StepLR", "epoch")], 1, epochs)
    for ascii in (False, True):
        lines = [part for part in picture(plan, width, ascii=ascii) if isinstance(part, Text)]
        plot = [line.plain for line in lines[1:16]]
        assert {len(line) for line in plot} == {max(width, 32)}
        assert all(line.isascii() for line in plot) == ascii


def test_a_member_is_marked_below_the_steps_that_it_changes() -> None:
    acting = Acting("scheduler.0", "StepLR", "epoch", [(0, 9), (50, 50), (99, 99)])
    plan = Plan(["default"], [[0.1]] * 100, [acting], 10, 10)
    parts = picture(plan, 112, ascii=False)
    (row,) = [p.plain for p in parts if isinstance(p, Text) and "scheduler.0" in p.plain]
    bar = row[12:]
    assert [column for column, mark in enumerate(bar) if mark != " "] == [*range(10), 50, 99]
    assert sum(isinstance(part, Table) for part in parts) == 2

"""What a chart looks like, and that no size and no series can break it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from tui.chart_view import View, chosen, cursor_at, cursor_moved, panned, zoomed
from tui.content import Content, Line, Mark
from tui.numbers import clock, value_words, x_ticks
from tui.picture import draw
from tui.series import floats
from tui.smoothing import smoothed

NAN = math.nan
X_AXES = ("step", "epoch", "time")


def line(y: list[float], style: int = 0, name: str = "train", x: list[float] | None = None) -> Line:
    return Line(name, floats(range(len(y)) if x is None else x), floats(y), style)


ALL = View()


def plain(
    content: Content, view: View = ALL, width: int = 60, height: int = 12, **how: bool
) -> list[str]:
    return [row.plain for row in draw(content, view, width, height, **how)]


ODD = st.sampled_from(
    [0.0, -0.0, 1.0, -1.0, NAN, math.inf, -math.inf, 1e308, -1e308, 5e-324, 1e-300]
)
NUMBERS = st.one_of(ODD, st.floats(-10, 10), st.floats())
SERIES = st.one_of(
    st.just([]), st.lists(NUMBERS, max_size=1), st.lists(NUMBERS, max_size=40),
    st.builds(lambda value, count: [value] * count, NUMBERS, st.integers(1, 600)),
    st.integers(0, 9).map(lambda seed: np.random.default_rng(seed).normal(size=700).tolist()),
)  # fmt: skip


@st.composite
def contents(draw_: st.DrawFn) -> Content:
    lines = []
    for number, y in enumerate(draw_(st.lists(SERIES, max_size=4))):
        steps = st.lists(st.integers(0, 30), min_size=len(y), max_size=len(y)).map(sorted)
        repeated = draw_(st.booleans()) and len(y) <= 40
        x = [float(step) for step in draw_(steps)] if repeated else None
        y = smoothed(floats(y), draw_(st.sampled_from([0.0, 0.9, 0.9999]))).tolist()
        lines.append(line(y, number, f"line {number}", x))
    places = st.one_of(st.none(), st.floats(-10, 1000))
    marks = [Mark(x, y, "◆", "@") for x, y in draw_(st.lists(st.tuples(st.floats(0, 50), places)))]
    axis = draw_(st.sampled_from(X_AXES))
    planned = draw_(st.integers(0, len(lines)))
    lines = [replace(each, planned=number < planned) for number, each in enumerate(lines)]
    measured = draw_(st.none() | st.floats(0, 40))
    return Content("Loss", lines, marks, "checkpoint", axis, from_zero=draw_(st.booleans()),
                   measured=measured)  # fmt: skip


@settings(max_examples=150)
@given(
    content=contents(),
    width=st.integers(20, 300),
    height=st.integers(5, 100),
    log=st.booleans(),
    ascii=st.booleans(),
    keys=st.lists(
        st.sampled_from(["in", "out", "left", "right", "back", "on", "far", "anchor", "choose"]),
        max_size=12,
    ),
)
def test_no_series_size_or_key_breaks_it(
    content: Content, width: int, height: int, log: bool, ascii: bool, keys: list[str]
) -> None:
    view, whole = View(), content.whole
    for key in keys:
        match key:
            case "in" | "out":
                view = zoomed(view, whole, 0.1 if key == "in" else 3.0)
            case "left" | "right":
                view = panned(view, whole, -0.25 if key == "left" else 0.25)
            case "anchor":
                view = replace(view, anchor=view.cursor)
            case "choose":
                view = chosen(view)
            case _:
                cells = {"back": -1, "on": 1, "far": -(10**6)}[key]
                view = cursor_moved(view, whole, content.points, cells, width)
    rows = draw(content, view, width, height, log=log, ascii=ascii)
    assert [cell_len(row.plain) for row in rows] == [width] * height
    assert not ascii or all(row.plain.isascii() for row in rows)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 2), (20, 5), (29, 6), (30, 6), (300, 100)])
@pytest.mark.parametrize("y", [[], [1.0], [2.0] * 9, [NAN] * 9, [-1.0, -2.0], [1e308, -1e308]])
def test_every_size_is_filled_exactly(size: tuple[int, int], y: list[float]) -> None:
    for log in (False, True):
        rows = plain(Content("Loss", [line(y)]), View(), *size, log=log)
        assert [len(row) for row in rows] == [size[0]] * size[1]


def test_a_falling_line_falls_and_its_axis_is_numbered() -> None:
    rows = plain(
        Content("Loss", [line([1.0, 0.75, 0.5, 0.25, 0.0])]), width=17, height=8, ascii=True
    )
    assert rows == [
        "Loss  *** train 0",
        "***              ",
        "   ***           ",
        "      *****      ",
        "           ***   ",
        "              ***",
        "+-------+-------+",
        "0       2    step",
    ]


def test_lines_differ_without_their_colours() -> None:
    content = Content("lr", [line([1.0] * 50, style, f"g{style}") for style in range(5)])
    heads = plain(content, width=100)[0].split("  ")
    assert len({part[:3] for part in heads}) >= 3


def test_the_legend_has_the_last_values_and_the_cursors_where_there_is_one() -> None:
    content = Content("Loss", [line([3.0, 2.0, 1.5]), line([9.0, 8.0], 1, "val", [0.0, 2.0])])
    assert "train 1.5" in plain(content)[0]
    at_one = plain(content, View(cursor=1.0), width=80)[0]
    assert "step 1" in at_one
    assert "train 2 " in at_one
    assert "val 9" in at_one


def test_what_was_planned_is_named_once_and_goes_on_where_nothing_is_measured() -> None:
    ghost = Line("planned", floats([0, 9]), floats([1.0, 1.0]), 2, planned=True)
    measured = line([1.0, 2.0, 4.0], name="head")
    content = Content("lr", [measured, ghost, ghost], span=(0.0, 9.0), measured=2.0)
    assert plain(content, width=80)[0].rstrip().endswith("planned")
    assert content.points.tolist() == [0, 1, 2, 9]
    later = plain(content, View(cursor=9.0), width=80)[0]
    assert "planned 1" in later
    assert later.split("head")[1][:2].strip() == ""  # no value: it isn't measured yet


def test_the_cursors_line_does_not_hide_the_curve() -> None:
    content = Content("Loss", [line([1.0] * 40)])
    with_, without = (plain(content, View(cursor=at), ascii=True) for at in (20.0, None))
    row = next(number for number, text in enumerate(without) if "***" in text[8:])
    assert with_[row] == without[row]
    assert sum("|" in text[8:] for text in with_) == 12 - 3 - 1


def test_a_long_legend_has_two_rows_where_there_is_room() -> None:
    lines = [line([1.0, 2.0], number, f"a long name {number}") for number in range(3)]
    high, low = (plain(Content("lr", lines), height=height) for height in (12, 8))
    assert "a long name 2" in high[1]
    assert "a long name 2" not in low[0] + low[1]
    assert low[0].rstrip().endswith("…")


def test_a_gap_is_marked_and_told() -> None:
    rows = plain(Content("Loss", [line([1.0, 1.0, NAN, 2.0, 2.0])]), ascii=True)
    assert "! not finite" in rows[0]
    assert rows[1].index("!") == 7 + 53 // 2  # the margin, and the middle of the plot


def test_what_a_logarithmic_axis_leaves_out_is_counted() -> None:
    rows = plain(Content("Loss", [line([1.0, 0.0, -1.0, 100.0])]), log=True)
    assert "log, 2 not above 0 left out" in rows[0]


def test_nothing_to_draw_is_said() -> None:
    assert any("nothing yet" in row for row in plain(Content("Loss", [line([])])))
    assert any("nothing here" in row for row in plain(Content("Loss", [line([NAN])])))


def test_a_checkpoint_is_a_mark_on_its_line() -> None:
    mark = Mark(50.0, 100.0, "◆", "@")
    rows = plain(Content("Loss", [line([float(y) for y in range(101)])], [mark], "checkpoint"))
    assert "◆ checkpoint" in rows[0]
    assert "◆" in rows[1]  # at the top: 100 is the highest


def test_numbers_of_the_x_axis_are_short_and_round() -> None:
    assert x_ticks((0.0, 1e6), "step", 2) == ("step", [(0, "0"), (5e5, "500k"), (1e6, "1M")])
    assert x_ticks((0.0, 7200.0), "time", 2) == ("time", [(0, "0s"), (3600, "1h"), (7200, "2h")])
    assert x_ticks((0.0, 90.0), "time", 2)[1] == [(0, "0s"), (60, "1m")]
    assert x_ticks((0.0, 0.5), "time", 2)[1] == [(0, "0s"), (0.5, "0.5s")]
    assert [words for _, words in x_ticks((0.0, 30 * 86400.0), "time", 4)[1]] == [
        "0s", "8d", "16d", "24d"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0s"), (0.25, "0.25s"), (45, "45s"), (61, "1m 1s"), (4800, "1h 20m"), (4805, "1h 20m 5s"),
     (86400 * 2 + 3600, "2d 1h"), (-4800, "-1h 20m"), (59.99, "60s")],
)  # fmt: skip
def test_a_time_is_read_as_on_a_clock(seconds: float, words: str) -> None:
    assert clock(seconds) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.0, "0"), (0.5, "0.5"), (1234.5, "1234"), (9999, "9999"), (12345.6, "12.35k"), (2e6, "2M"),
     (-3.5e9, "-3.5G"), (1e-5, "1e-5"), (0.00012345, "0.0001234"), (3.4e38, "3.4e38"),
     (math.nan, "nan"), (-math.inf, "-inf")],
)  # fmt: skip
def test_a_value_is_told_with_four_digits(value: float, words: str) -> None:
    assert value_words(value) == words


def test_zooming_keeps_the_cursor_where_it_is_and_ends_at_the_whole() -> None:
    whole = (0.0, 100.0)
    near = zoomed(View(cursor=25.0), whole, 0.5)
    assert near.window == (12.5, 62.5)  # 25 is a quarter from the left, before and after
    assert zoomed(near, whole, 2.0).window is None


def test_panning_stops_at_the_ends() -> None:
    view = View((10.0, 30.0))
    assert panned(view, (0.0, 100.0), 0.5).window == (20.0, 40.0)
    assert panned(view, (0.0, 100.0), -9.0).window == (0.0, 20.0)
    assert panned(view, (0.0, 100.0), 9.0).window == (80.0, 100.0)


def test_the_cursor_goes_from_point_to_point_and_takes_the_window_along() -> None:
    x, whole = floats([0, 10, 20, 30]), (0.0, 30.0)
    assert cursor_moved(View(), whole, x, -1, 300).cursor == 30.0
    assert cursor_moved(View(cursor=10.0), whole, x, 1, 300).cursor == 20.0
    assert cursor_moved(View(cursor=10.0), whole, x, -1, 300).cursor == 0.0
    assert cursor_moved(View(cursor=0.0), whole, x, -1, 300).cursor == 0.0
    assert cursor_moved(View((0.0, 15.0), 10.0), whole, x, 1, 300) == View((5.0, 20.0), 20.0)
    assert cursor_at(View(), x, 14.0).cursor == 10.0
    assert cursor_moved(View(), whole, floats([]), 1, 300) == View()

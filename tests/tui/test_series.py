"""Smoothing is TensorBoard's, and no spike of a million points is lost on a few columns."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine.contract.axis import Axis
from tui.series import Reduced, elapsed, extent, floats, reduced, spans, value_at
from tui.smoothing import Growing, Smoother, smoothed

NAN = math.nan
UNIT = Axis(0.0, 1.0, log=False)


def by_hand(values: list[float], weight: float) -> list[float]:
    """TensorBoard's loop (`resmoothDataset`, tensorboard/components/vz_line_chart2)."""
    last, count, out = 0.0, 0, []
    for value in values:
        if not math.isfinite(value):
            out.append(value)
            continue
        last = last * weight + (1 - weight) * value
        count += 1
        out.append(last / (1 - weight**count))
    return out


def seen(y: list[float], width: int, *, log: bool = False) -> Reduced:
    x = np.arange(len(y), dtype=np.float64)
    return reduced(x, floats(y), (0.0, len(y) - 1.0), width, log=log)


def test_the_first_averages_are_as_reckoned_by_hand() -> None:
    # 1; (0.5 * 0.5 + 0.5 * 2) / 0.75; (0.5 * 1.25 + 0.5 * 4) / 0.875
    assert smoothed(floats([1.0, 2.0, 4.0]), 0.5).tolist() == pytest.approx([1.0, 5 / 3, 3.0])


@pytest.mark.parametrize("weight", [0.5, 0.9, 0.999, 0.9999])
@pytest.mark.parametrize("count", [0, 1, 31, 32, 33, 5000])
def test_smoothing_is_tensorboards(weight: float, count: int) -> None:
    values = np.random.default_rng(count).random(count).tolist()
    for odd in (7, 8, 40):
        if odd < count:
            values[odd] = (NAN, math.inf, -math.inf)[odd % 3]
    found = smoothed(floats(values), weight).tolist()
    assert found == pytest.approx(by_hand(values, weight), rel=1e-9, nan_ok=True)


def test_a_constant_stays_what_it_is() -> None:
    assert smoothed(np.full(10_000, 0.3), 0.99).tolist() == pytest.approx([0.3] * 10_000)


def test_no_smoothing_is_the_series_itself() -> None:
    assert smoothed(floats([1.0, 2.0, 3.0]), 0.0).tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("weight", [0.5, 0.9, 0.9999])
def test_what_is_added_piece_by_piece_is_averaged_as_the_whole(weight: float) -> None:
    values = np.random.default_rng(0).random(2000)
    values[[3, 500, 501]] = NAN
    smoother = Smoother(weight)
    for begin, end in ((0, 1), (1, 4), (4, 4), (4, 500), (500, 502), (502, 2000)):
        smoother.extend(values[begin:end])
    whole = by_hand(values.tolist(), weight)
    assert smoother.averages.values.tolist() == pytest.approx(whole, rel=1e-9, nan_ok=True)


def test_what_was_read_of_a_growing_series_stays_as_it_was() -> None:
    growing, read = Growing(), []
    for number in range(100):
        growing.extend(floats([number, -number]))
        read.append(growing.values)
    assert len(growing) == 200
    for count, values in enumerate(read):
        assert values.tolist() == [end for n in range(count + 1) for end in (n, -n)]


def test_a_spike_of_one_step_in_a_million_is_in_its_column() -> None:
    y = np.full(1_000_000, 0.5)
    y[543_210], y[765_432] = 0.9, 0.1
    series = reduced(np.arange(1e6), y, (0.0, 1e6 - 1), 200)
    assert len(series.columns) == 200
    assert [c.place for c in series.columns if c.high == 0.9] == [543_210 // 5_000]
    assert [c.place for c in series.columns if c.low == 0.1] == [765_432 // 5_000]


def test_each_column_knows_its_ends() -> None:
    series = seen([1.0, 4.0, 2.0, 7.0, 5.0, 6.0], 2)
    assert [column[:5] for column in series.columns] == [(0, 1, 4, 1, 2), (1, 5, 7, 7, 6)]


def test_a_line_is_drawn_to_the_points_beside_the_window() -> None:
    x, y = floats([0, 10, 20]), floats([0.0, 1.0, 0.0])
    series = reduced(x, y, (5.0, 9.0), 4)
    assert [column.place for column in series.columns] == [-5.0, 5.0]
    assert spans(series, UNIT, 101) == [(50, 50), (51, 60), (61, 70), (71, 80)]


def test_what_is_not_finite_splits_the_line_and_is_told() -> None:
    series = seen([0.0, 0.0, NAN, 1.0, 1.0, math.inf], 6)
    assert series.odd == [2, 5]
    assert spans(series, UNIT, 2) == [(0, 0), (0, 0), None, (1, 1), (1, 1), None]


def test_without_a_gap_far_points_are_joined() -> None:
    series = reduced(floats([0, 4]), floats([0.0, 1.0]), (0.0, 4.0), 5)
    assert spans(series, UNIT, 5) == [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4)]


def test_a_logarithmic_axis_leaves_out_what_it_cannot_show_and_counts_it() -> None:
    series = seen([1.0, 0.0, -2.0, 10.0, NAN], 5, log=True)
    assert (series.left_out, series.odd) == (2, [4])
    assert [column.place for column in series.columns] == [0, 3]
    assert series.columns[1].broken


def test_several_values_of_one_step_share_its_column() -> None:
    series = reduced(floats([0, 1, 1, 2]), floats([0.0, 0.2, 0.8, 0.0]), (0.0, 2.0), 3)
    assert [(c.low, c.high) for c in series.columns] == [(0, 0), (0.2, 0.8), (0, 0)]


def test_nothing_in_the_window_is_no_column() -> None:
    assert reduced(floats([]), floats([]), (0.0, 1.0), 10).columns == []
    assert seen([NAN, NAN], 4).columns == []
    assert reduced(floats([0, 1]), floats([1.0, 2.0]), (5.0, 6.0), 10).inside == []


def test_the_extent_is_never_empty_of_room() -> None:
    assert extent([]) is None
    assert extent([1.0, 3.0, 2.0]) == (1.0, 3.0)
    assert extent([2.0]) == pytest.approx((1.9, 2.1))
    assert extent([0.0, 0.0]) == (-1.0, 1.0)


def test_a_clock_that_is_set_back_stands_still() -> None:
    assert elapsed(floats([100, 110, 50, 55])).tolist() == [0, 10, 10, 15]
    assert elapsed(floats([])).tolist() == []


def test_the_value_at_a_step_is_the_newest_that_is_not_after_it() -> None:
    x, y = floats([0, 10, 10, 20]), floats([1.0, 2.0, 3.0, 4.0])
    assert [value_at(x, y, at) for at in (-1, 0, 9.9, 10, 99)] == [None, 1.0, 1.0, 3.0, 4.0]


def test_the_largest_numbers_are_averaged_as_what_can_still_be_drawn() -> None:
    largest = float(np.finfo(np.float64).max)
    assert smoothed(np.full(5000, -largest), 0.9)[-1] == pytest.approx(-1e300)

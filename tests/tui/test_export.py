"""Every format of what is seen is read back by somebody else's reader."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.tui.test_picture import contents as any_content
from tui.chart_view import View
from tui.content import PALETTE, Content, Line, Mark
from tui.export import Exported, as_csv, as_markdown, contents, file_name, proposed
from tui.figure import HEIGHT, WIDTH, Diamond, Figure, Seen, Words, figure
from tui.figure import Path as Drawn
from tui.figure_png import SCALE, as_png
from tui.figure_svg import as_svg
from tui.run_curves import Curves
from tui.series import floats

SVG = "{http://www.w3.org/2000/svg}"


def curves(steps: int = 6, per_epoch: int = 2) -> Curves:
    return Curves(
        step=floats(range(steps)), loss=floats(range(steps)),
        time=floats([100 + 10 * step for step in range(steps)]), lr=[], groups=[], metrics={},
        gauges={}, terms=[], checkpoints=[], monitor="", steps_per_epoch=per_epoch,
    )  # fmt: skip


def loss(x: Sequence[float] = range(6), y: Sequence[float] | None = None) -> Line:
    return Line("train", floats(list(x)), floats(list(x) if y is None else list(y)))


def exported(*charts: Seen, title: str = "ants 1") -> Exported:
    by_step = [list(chart.content.lines) for chart in charts]
    return Exported(title, [("state", "finished")], list(charts), by_step, curves())


def test_a_row_is_a_step_and_a_column_a_line() -> None:
    val = Line("val", floats([2.0, 4.0]), floats([0.5, math.nan]), 1)
    lr = Line("head", floats([0.0, 5.0]), floats([0.1, 1e-9]))
    text = as_csv(exported(Seen(Content("Loss", [loss(), val])), Seen(Content("lr", [lr]))))
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0] == ["step", "epoch", "seconds", "Loss: train", "Loss: val", "lr: head"]
    assert rows[1] == ["0", "0", "0.000", "0.0", "", "0.1"]
    assert rows[3] == ["2", "1", "20.000", "2.0", "0.5", ""]
    assert rows[5] == ["4", "2", "40.000", "4.0", "nan", ""]
    assert len(rows) == 7
    assert float(rows[6][5]) == 1e-9


def test_only_what_is_seen_is_in_the_csv_and_nothing_that_is_only_planned() -> None:
    ghost = Line("planned", floats([0.0, 99.0]), floats([1.0, 2.0]), planned=True)
    seen = Seen(Content("Loss", [loss(), ghost]), View((1.5, 4.0)))
    rows = list(csv.reader(io.StringIO(as_csv(exported(seen)))))
    assert rows[0] == ["step", "epoch", "seconds", "Loss: train"]
    assert [row[0] for row in rows[1:]] == ["2", "3", "4"]


def test_the_window_of_another_axis_is_of_the_same_points() -> None:
    shown = Content("Loss", [loss([0.0, 0.5, 1.0, 1.5, 2.0, 2.5], range(6))], x_axis="epoch")
    taken = Exported("t", [], [Seen(shown, View((1.0, 2.0)))], [[loss()]], curves())
    rows = list(csv.reader(io.StringIO(as_csv(taken))))
    assert [row[0] for row in rows[1:]] == ["2", "3", "4"]


def test_lines_of_one_name_keep_their_columns() -> None:
    seen = Seen(Content("Loss", [loss(), loss(), loss()]))
    head = as_csv(exported(seen)).splitlines()[0]
    assert head == "step,epoch,seconds,Loss: train,Loss: train (2),Loss: train (3)"


def test_numbers_keep_all_their_digits_in_the_csv() -> None:
    values = np.random.default_rng(0).random(6).tolist()
    text = as_csv(exported(Seen(Content("Loss", [loss(range(6), values)]))))
    assert [float(row["Loss: train"]) for row in csv.DictReader(io.StringIO(text))] == values


def test_markdown_has_the_facts_the_values_and_the_chart() -> None:
    seen = Seen(Content("Loss", [loss(range(6), [3.0, 1.0, 2.0, 9.0, math.nan, 4.0])]))
    text = as_markdown(exported(seen, title="a|b"))
    lines = text.splitlines()
    assert lines[0] == "# a\\|b"
    assert "| state | finished |" in lines
    assert "| Loss | train | 4 | 1 at step 1 | 9 at step 3 |" in lines
    block = text.split("```")[1].splitlines()
    assert block[0] == "text"
    assert block[1].startswith("Loss (× not finite)")
    assert block[-1].endswith("step")


def test_svg_has_title_lines_and_a_legend_that_xml_can_read() -> None:
    val = Line("val <&>", floats([2.0, 4.0]), floats([0.5, 1.0]), 1, PALETTE[1])
    seen = Seen(
        Content("Loss", [loss(), val], [Mark(4.0, 1.0, "◆", "@", PALETTE[2])], "checkpoint")
    )
    root = ElementTree.fromstring(contents(exported(seen), "svg"))
    assert root.get("viewBox") == f"0 0 {WIDTH} {HEIGHT + 28}"
    assert root.findtext(f"{SVG}title") == "ants 1"
    words = [text.text for text in root.iter(f"{SVG}text")]
    assert {"ants 1", "Loss", "train", "val <&>", "checkpoint", "step"} <= set(words)
    dashed = [line for line in root.iter(f"{SVG}polyline") if line.get("stroke-dasharray")]
    assert len(dashed) == 2  # the line and its sample
    assert len(list(root.iter(f"{SVG}polygon"))) == 2
    assert "prefers-color-scheme: dark" in (root.findtext(f"{SVG}style") or "")


def lines_of(drawn: Figure, colour: str) -> list[Drawn]:
    return [shape for shape in drawn.shapes if isinstance(shape, Drawn) and shape.colour == colour]


def test_a_line_goes_from_corner_to_corner_and_is_split_by_what_is_not_finite() -> None:
    whole = lines_of(figure([Seen(Content("Loss", [loss([0, 1], [0.0, 1.0])]))]), PALETTE[0])
    (left, bottom), (right, top) = whole[1].points[0], whole[1].points[-1]
    assert (left, bottom) == (62, pytest.approx(4 + HEIGHT - 34))
    assert (right, top) == (pytest.approx(WIDTH - 16, abs=1), pytest.approx(4 + 30))
    y = [0.0, 0.0, math.nan, 1.0, 1.0, 1.0]
    split = figure([Seen(Content("Loss", [loss(range(6), y)]))])
    assert len(lines_of(split, PALETTE[0])) == 3  # the sample and two pieces
    assert [shape.text for shape in split.shapes if isinstance(shape, Words)].count("×") == 1


def test_a_window_between_two_points_shows_the_line_between() -> None:
    seen = Seen(Content("Loss", [loss([0, 10], [0.0, 10.0])]), View((4.0, 5.0)))
    drawn = lines_of(figure([seen]), PALETTE[0])
    assert len(drawn) == 2
    assert [x for x, _ in drawn[1].points] == [62, WIDTH - 16]


def test_a_spike_among_a_million_steps_is_in_the_picture() -> None:
    y = np.zeros(1_000_000)
    y[543_210] = 1.0
    drawn = lines_of(figure([Seen(Content("Loss", [loss(np.arange(1e6).tolist(), y.tolist())]))]),
        PALETTE[0])  # fmt: skip
    assert min(y for _, y in drawn[1].points) == 34  # the plot's top
    assert len(drawn[1].points) < 4 * WIDTH


def test_the_value_at_the_cursor_is_in_the_legend_of_the_picture() -> None:
    seen = Seen(Content("Loss", [loss()], measured=5.0), View(cursor=3.0))
    words = [shape.text for shape in figure([seen]).shapes if isinstance(shape, Words)]
    assert {"step 3", "train 3"} <= set(words)


def test_png_is_a_picture_with_the_lines_colour_on_a_light_ground() -> None:
    data = as_png(figure([Seen(Content("Loss", [loss()]))], "ants"), "ants ünü")
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        assert (image.format, image.size) == ("PNG", (SCALE * WIDTH, SCALE * (HEIGHT + 28)))
        assert image.info["Title"] == "ants ünü"
        colours = {colour for _, colour in image.getcolors(1 << 20)}
    assert (255, 255, 255) in colours
    assert (0x00, 0x72, 0xB2) in colours  # the train line, as it is on white


def test_a_dashed_line_is_dashed_in_png() -> None:
    line = Line("val", floats([0.0, 1.0]), floats([1.0, 1.0]), 1, PALETTE[1])
    data = as_png(figure([Seen(Content("", [line]))]), "")
    with Image.open(io.BytesIO(data)) as image:
        row = image.crop((SCALE * 62, 0, SCALE * (WIDTH - 16), image.height)).convert("L")
        pixels = np.asarray(row)
    middle = pixels[pixels.sum(1).argsort()]
    ink = [int(((r[1:] < 200) & (r[:-1] >= 200)).sum()) for r in middle]
    assert max(ink) > 40  # so often the row begins to be dark again


def test_diamonds_of_the_best_are_filled() -> None:
    marks = [Mark(1.0, 1.0, "◇", "+", PALETTE[2]), Mark(2.0, 2.0, "◆", "@", PALETTE[2])]
    shapes = figure([Seen(Content("Loss", [loss()], marks, "checkpoint"))]).shapes
    found = [shape.filled for shape in shapes if isinstance(shape, Diamond)]
    assert found == [True, False, True]  # the legend's first


@settings(max_examples=60)
@given(content=any_content(), log=st.booleans(), cursor=st.none() | st.floats(-5, 40),
       part=st.none() | st.tuples(st.floats(0, 0.4), st.floats(0.5, 1)))  # fmt: skip
def test_no_series_breaks_a_picture(
    content: Content, log: bool, cursor: float | None, part: tuple[float, float] | None
) -> None:
    low, high = content.whole
    window = None if part is None else tuple(low + (high - low) * end for end in part)
    seen = Seen(content, View(window, cursor), log)  # type: ignore[arg-type]
    drawn = figure([seen, seen], "two")
    root = ElementTree.fromstring(as_svg(drawn, "two\x00"))
    for line in root.iter(f"{SVG}polyline"):
        for point in (line.get("points") or "").split():
            x, y = map(float, point.split(","))
            assert -1 <= x <= WIDTH + 1
            assert -1 <= y <= drawn.height + 1
    as_markdown(Exported("t", [], [seen], [content.lines], curves()))
    as_csv(Exported("t", [], [seen], [content.lines], curves()))


def test_a_files_name_is_one_that_every_file_system_takes() -> None:
    assert file_name("ants 2026-a1", "val/IoU: Ü", "csv") == "ants-2026-a1-val-iou-ü.csv"
    assert file_name("../..", "", "svg") == "charts.svg"
    path = proposed(Path("/home/me"), "ants-1", "Loss", "png")
    assert path == Path("/home/me/exports/ants-1-loss.png")

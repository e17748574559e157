"""What is seen of a run, as a file: CSV, Markdown, SVG or PNG. Pure: bytes, written by others."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np

from tui.content import Line
from tui.figure import Seen, figure
from tui.figure_svg import as_svg
from tui.numbers import value_words, x_words
from tui.picture import draw
from tui.run_curves import Curves
from tui.series import Floats

WIDTH, HEIGHT = 100, 18  # of a chart in Markdown, in characters


@dataclass(frozen=True, eq=False)
class Exported:
    """`by_step`: for each chart its lines with steps for x, and the same points."""

    title: str
    facts: Sequence[tuple[str, str]]
    charts: Sequence[Seen]
    by_step: Sequence[Sequence[Line]]
    curves: Curves


def file_name(title: str, what: str, ending: str) -> str:
    """Of what any file system takes."""
    name = re.sub(r"[^\w.-]+", "-", f"{title}-{what}".lower()).strip("-.")
    return f"{name[:120] or 'charts'}.{ending}"


def contents(exported: Exported, ending: str) -> bytes:
    """The file's bytes; a million steps as CSV take some seconds."""
    if ending == "csv":
        return as_csv(exported).encode()
    if ending == "md":
        return as_markdown(exported).encode()
    drawn = figure(exported.charts, exported.title)
    if ending == "svg":
        return as_svg(drawn, exported.title).encode()
    from tui.figure_png import as_png

    return as_png(drawn, exported.title)


def as_csv(exported: Exported) -> str:
    """A row a step that is seen, a column a line of the charts; empty where a line has no value in
    that step, `nan` and `inf` where it has one that is no number. Of a step that is there twice
    the last counts. What is only planned is left out: it has not been measured."""
    columns: list[tuple[str, Floats, Floats]] = []
    for chart, lines in zip(exported.charts, exported.by_step, strict=True):
        low, high = chart.window
        for shown, line in zip(chart.content.lines, lines, strict=True):
            if not line.planned:
                inside = (shown.x >= low) & (shown.x <= high)
                name = _unique(f"{chart.content.title}: {line.name}", [each[0] for each in columns])
                columns.append((name, line.x[inside], line.y[inside]))
    steps = np.unique(np.concatenate([np.zeros(0), *(x for _, x, _ in columns)]))
    curves = exported.curves
    table: dict[str, list[object]] = {"step": [int(step) for step in steps.tolist()]}
    if curves.steps_per_epoch:
        table["epoch"] = [f"{x:.6g}" for x in curves.x(steps, "epoch").tolist()]
    table["seconds"] = [f"{x:.3f}" for x in curves.x(steps, "time").tolist()]
    table |= {name: _spread(steps, x, y) for name, x, y in columns}
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table)
    writer.writerows(zip(*table.values(), strict=True))
    return out.getvalue()


def _unique(name: str, taken: Sequence[str]) -> str:
    """Lines of several runs may be called the same."""
    others = (f"{name} ({number})" for number in count(2))
    return name if name not in taken else next(each for each in others if each not in taken)


def _spread(steps: Floats, x: Floats, y: Floats) -> list[object]:
    """These values beside their steps."""
    cells: list[object] = [""] * len(steps)
    places = np.searchsorted(steps, x).tolist()
    for place, value in zip(places, y.tolist(), strict=True):
        cells[place] = value
    return cells


def as_markdown(exported: Exported) -> str:
    """Title, facts, the values of each line in the window, and the charts in characters."""
    parts = [f"# {_cell(exported.title)}", _table(("", ""), exported.facts)]
    rows = [
        (chart.content.title, line.name, *_values(chart, line))
        for chart in exported.charts
        for line in chart.content.named()
        if not line.planned
    ]
    if rows:
        parts.append(_table(("chart", "line", "last", "lowest", "highest"), rows))
    for chart in exported.charts:
        drawn = draw(chart.content, chart.view, WIDTH, HEIGHT, log=chart.log)
        text = "\n".join(row.plain.rstrip() for row in drawn)
        parts.append(f"```text\n{text}\n```")
    return "\n\n".join(parts) + "\n"


def _values(chart: Seen, line: Line) -> tuple[str, str, str]:
    """The last, and the lowest and highest with where they are."""
    low, high = chart.window
    inside = (line.x >= low) & (line.x <= high) & np.isfinite(line.y)
    x, y = line.x[inside], line.y[inside]
    if not len(y):
        return "", "", ""
    axis = chart.content.x_axis
    lowest, highest = (
        f"{value_words(float(y[at]))} at {axis} {x_words(float(x[at]), axis)}"
        for at in (int(y.argmin()), int(y.argmax()))
    )
    return value_words(float(y[-1])), lowest, highest


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")


def proposed(folder: Path, title: str, what: str, ending: str) -> Path:
    """Where it goes unless a person says something else: beside their work, not in the run, which
    may be of another host or be deleted."""
    return folder / "exports" / file_name(title, what, ending)

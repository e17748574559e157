"""The plan of the learning rates as a picture of characters.

above   every group's learning rate, a dot column for a number of steps
below   for each member of the chain, where it changes a learning rate
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from engine.contract.axis import Axis, round_up
from engine.contract.canvas import Canvas, Span, sample
from engine.terminal import console

if TYPE_CHECKING:
    from engine.parts.planned_lr import Acting, Plan

MARGIN = 12  # for the numbers of the lr axis, and for "scheduler.0"
HEIGHT, WIDEST = 14, 160
HIGH, MID, LOW, CORNER, TICK = "┤", "│", "─", "└", "┴"
BAR, ASCII_BAR = "▀", "="
ASCII = str.maketrans({HIGH: "+", MID: "|", LOW: "-", CORNER: "+", TICK: "+", BAR: ASCII_BAR})


def print_plan(plan: Plan) -> None:
    """To standard output: with colour on a terminal, and in ASCII where it knows no braille."""
    width = min(Console().width, WIDEST) - 1  # the last column makes some terminals wrap
    out = console(soft_wrap=True)
    for part in picture(plan, width, ascii=not _shows_braille()):
        if isinstance(part, Text):
            part.rstrip()
        out.print(part)


def _shows_braille() -> bool:
    try:
        "⠿┤▀".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def picture(plan: Plan, width: int, *, ascii: bool) -> list[Text | Table]:
    """The lines, `width` characters wide where that leaves room for a plot."""
    canvas = Canvas(max(20, width - MARGIN), HEIGHT, ascii=ascii)
    axis = Axis.of(plan.series)
    for style, lrs in enumerate(plan.series):
        canvas.line(spans(lrs, canvas, axis), style)
    labels = _labels(axis, canvas.height)
    lines = [Text("learning rate" + (", logarithmic" if axis.log else ""), "dim")]
    for row, text in enumerate(canvas.text()):
        label = labels.get(canvas.height - 1 - row, "")
        lines.append(Text(f"{label:>{MARGIN - 1}}{HIGH if label else MID}") + text)
    lines += [*_epoch_axis(plan, canvas.width), Text()]
    lines += [_member_row(member, plan, canvas.width) for member in plan.members]
    if ascii:
        lines = [_translated(line) for line in lines]
    tables = [_groups(plan, ascii=ascii), *([_members(plan)] if plan.members else [])]
    return [*lines, Text(), tables[0], *(part for table in tables[1:] for part in (Text(), table))]


def _translated(line: Text) -> Text:
    line.plain = line.plain.translate(ASCII)
    return line


def spans(lrs: Sequence[float], canvas: Canvas, axis: Axis) -> list[Span]:
    """The lowest and highest dot of each column, from where the one before has ended: no spike is
    lost, however many steps a column has."""
    columns, top = canvas.columns, canvas.rows - 1
    found: list[Span] = []
    before: int | None = None
    for column in range(columns):
        begin = column * len(lrs) // columns
        part = lrs[begin : max(begin + 1, (column + 1) * len(lrs) // columns)]
        ends = [round(axis.height(lr) * top) for lr in (min(part), max(part), part[0], part[-1])]
        low, high = min(ends), max(ends)
        if before is not None and not low <= before <= high:
            low, high = (before + 1, high) if before < low else (low, before - 1)
        found.append((low, high))
        before = ends[-1]
    return found


def _labels(axis: Axis, height: int) -> dict[int, str]:
    """The row of each number of the lr axis; of two in one row, the higher."""
    return {round(axis.height(lr) * (height - 1)): f"{lr:.3g} " for lr in axis.ticks(5)}


def _epoch_axis(plan: Plan, width: int) -> list[Text]:
    """A mark where an epoch begins, as many as there is room for, with its number."""
    room = len(str(plan.epochs)) + 3
    every = max(1, math.ceil(_nice(plan.epochs * room / width)))
    line, numbers = [LOW] * width, [" "] * (width + room)
    for epoch in range(0, plan.epochs, every):
        column = epoch * width // plan.epochs
        line[column] = TICK
        numbers[column : column + len(str(epoch))] = str(epoch)
    per_epoch, total = plan.steps_per_epoch, len(plan.lrs)
    said = f"{_many(plan.epochs, 'epoch')} of {_many(per_epoch, 'step')}, {total:,} in all"
    return [
        Text(" " * (MARGIN - 1) + CORNER + "".join(line)),
        Text(f"{'epoch ':>{MARGIN}}" + "".join(numbers).rstrip()),
        Text(" " * MARGIN + said, "dim"),
    ]


def _nice(value: float) -> float:
    return value if value <= 1 else round_up(value)


def _many(number: int, unit: str) -> str:
    return f"{number:,} {unit}{'' if number == 1 else 's'}"


def _member_row(member: Acting, plan: Plan, width: int) -> Text:
    bar = [" "] * width
    total = len(plan.lrs)
    for first, last in member.spans:
        begin, end = first * width // total, last * width // total
        bar[begin : end + 1] = BAR * (end + 1 - begin)
    row = "".join(bar).rstrip() if member.spans else "(nothing)"
    return Text(f"{member.key:>{MARGIN - 1}} ") + Text(row)


def _groups(plan: Plan, *, ascii: bool) -> Table:
    table = _table("", "group", "first lr", "last lr", "lowest", "highest")
    for style, (name, lrs) in enumerate(zip(plan.groups, plan.series, strict=True)):
        numbers = (f"{value:.4g}" for value in (lrs[0], lrs[-1], min(lrs), max(lrs)))
        table.add_row(sample(style, ascii=ascii), name, *numbers)
    return table


def _members(plan: Plan) -> Table:
    table = _table("scheduler", "name", "acts", "changes the lr of steps", "changes")
    for member in plan.members:
        where = f"{member.first:,} to {member.last:,}" if member.spans else "none"
        every = f"by {member.interval}"
        table.add_row(member.key, member.name, every, where, f"{member.changes:,}")
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table

"""A plan as a chart, and its members' windows as bars under it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from rich.text import Text

from tui.content import PALETTE, Content, Line
from tui.planned import Acting, Plan
from tui.series import Window

PlanAxis = Literal["step", "epoch"]
WINDOW, ACTS = "─", "━"


def plan_content(plan: Plan, axis: PlanAxis) -> Content:
    """A line a group."""
    per_x = plan.steps_per_epoch if axis == "epoch" else 1
    lines = [
        Line(name, plan.step / per_x, rates, number, PALETTE[number % len(PALETTE)])
        for number, (name, rates) in enumerate(zip(plan.groups, plan.lr, strict=True))
    ]
    return Content(title="Planned learning rate", lines=lines, x_axis=axis)


def member_rows(
    plan: Plan,
    windows: Mapping[str, tuple[float, float]],
    seen: Window,
    margin: int,
    width: int,
) -> list[Text]:
    """For each member of the chain a bar: thin in its window, thick where it changes a rate.
    `seen`: the steps that the chart shows in its columns from `margin` on."""
    low, high = seen
    room = max(1, width - margin)

    def column(step: float) -> int:
        return max(0, min(room, round((step - low) / (high - low) * room)))

    rows = []
    for number, member in enumerate(plan.members, 1):
        begin, end = windows.get(member.key, (0, float("inf")))
        cells = [" "] * room
        left, right = column(begin), column(min(end, plan.steps))
        cells[left:right] = WINDOW * (right - left)
        if member.first is not None and member.last is not None:
            first, last = column(member.first), column(member.last + 1)
            cells[first : max(first + 1, last)] = ACTS * (max(first + 1, last) - first)
        bar = "".join(cells)[:room]
        words = f" {number} {member.name}{_note(member)} "
        row = Text(" " * margin).append(bar, "dim")
        place = _place_of(words, bar)
        rows.append(
            row[: margin + place] + Text(words[: room - place]) + row[margin + place + len(words) :]
        )
    return rows


def _note(member: Acting) -> str:
    if member.changes:
        return ""
    return " (changes nothing)"


def _place_of(words: str, bar: str) -> int:
    """Behind the bar, else in front of it, else over its thin part, else over its end."""
    end = len(bar.rstrip())
    begin = len(bar) - len(bar.lstrip())
    if end + len(words) <= len(bar):
        return end
    if begin >= len(words):
        return begin - len(words)
    thin = bar.find(WINDOW * len(words))
    return thin if thin >= 0 else max(0, len(bar) - len(words))

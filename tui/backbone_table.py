"""The backbones as a table that is searched and sorted."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from engine.contract.backbones import BACKBONES, Backbone

COLUMNS = ("name", "parameters", "px", "task", "weights")
_KEYS: dict[str, Callable[[Backbone], Any]] = {
    "name": lambda row: row.name,
    "parameters": lambda row: row.parameters,
    "px": lambda row: row.image_size,
    "task": lambda row: (row.task, row.parameters),
}
# Columns that it can be sorted by, and whether the largest is first, in the order of asking.
ORDERS = (
    ("name", False), ("parameters", False), ("parameters", True), ("px", False), ("px", True),
    ("task", False),
)  # fmt: skip


def found(query: str, order: tuple[str, bool]) -> list[Backbone]:
    """Those that every word of `query` fits: a part of the name, the task, the weights' names or
    the pixels; or `<30`, `>30`: millions of parameters."""
    words = query.casefold().split()
    rows = [row for row in BACKBONES.values() if all(_fits(row, word) for word in words)]
    column, down = order
    return sorted(rows, key=_KEYS[column], reverse=down)


def _fits(row: Backbone, word: str) -> bool:
    if bound := re.fullmatch(r"([<>])(\d+(?:\.\d+)?)m?", word):
        limit = float(bound[2]) * 1e6
        return row.parameters < limit if bound[1] == "<" else row.parameters > limit
    return word in f"{row.name} {row.task} {row.image_size} {' '.join(row.weights)}".casefold()


def cells(row: Backbone) -> tuple[str, ...]:
    """In the order of COLUMNS."""
    millions, size = f"{row.parameters / 1e6:6.1f} M", f"{row.image_size:4}"
    return row.name, millions, size, row.task, ", ".join(row.weights)

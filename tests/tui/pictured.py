"""A screen as a file: its text, and below it how each cell of it looks, in runs of equal cells."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from string import ascii_letters

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

FLAGS = ("bold", "dim", "italic", "underline", "reverse", "strike")
MOST = 8  # differences that are told


@dataclass(frozen=True)
class Pictured:
    """`looks`: for each row the look of each of its cells, such as `bold #56b4e9 on #121212`."""

    rows: list[str]
    looks: list[list[str]]

    @classmethod
    def of(cls, strips: Sequence[Sequence[Segment]]) -> Pictured:
        rows = ["".join(part.text for part in strip).rstrip() for strip in strips]
        return cls(rows, [list(_looks(strip)) for strip in strips])

    def __str__(self) -> str:
        """As it stands in a file."""
        named = dict(zip(dict.fromkeys(look for row in self.looks for look in row), ascii_letters,
                         strict=False))  # fmt: skip
        runs = [
            "".join(f"{named[look]}{len(list(cells))}" for look, cells in groupby(row))
            for row in self.looks
        ]
        legend = [f"{name} {look}" for look, name in named.items()]
        return "\n".join([*self.rows, "", *legend, "", *runs, ""])

    @classmethod
    def read(cls, text: str) -> Pictured:
        body, legend, runs = text.rstrip("\n").rsplit("\n\n", 2)
        named = dict(line.split(" ", 1) for line in legend.splitlines())
        looks = [
            [named[name] for name, count in re.findall(r"([a-zA-Z])(\d+)", line)
             for _ in range(int(count))]
            for line in runs.splitlines()
        ]  # fmt: skip
        rows = body.split("\n")
        return cls(rows + [""] * (len(looks) - len(rows)), looks)

    def differences(self, other: Pictured) -> list[str]:
        """The first of them, in words: `other` is what it should be."""
        found = list(_text_differences(self.rows, other.rows))
        return (found + list(_look_differences(self, other)))[:MOST]


def _looks(strip: Sequence[Segment]) -> Iterator[str]:
    for part in strip:
        yield from [_look(part.style or Style())] * cell_len(part.text)


def _look(style: Style) -> str:
    flags = [flag for flag in FLAGS if getattr(style, flag)]
    colours = [
        "default" if colour is None else colour.get_truecolor().hex
        for colour in (style.color, style.bgcolor)
    ]
    return " ".join([*flags, " on ".join(colours)])


def _text_differences(seen: list[str], wanted: list[str]) -> Iterator[str]:
    if len(seen) != len(wanted):
        yield f"{len(seen)} rows for {len(wanted)}"
    for number, (row, other) in enumerate(zip(seen, wanted, strict=False), 1):
        if row != other:
            yield f"row {number} is\n{row}\nand was\n{other}"


def _look_differences(seen: Pictured, wanted: Pictured) -> Iterator[str]:
    for number, (row, other) in enumerate(zip(seen.looks, wanted.looks, strict=False), 1):
        pairs = enumerate(zip(row, other, strict=False), 1)
        for (look, was), cells in groupby(pairs, key=lambda cell: cell[1]):
            if look != was:
                columns = [column for column, _ in cells]
                yield f"row {number}, columns {columns[0]} to {columns[-1]}: {look}; was {was}"

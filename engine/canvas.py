"""Lines drawn with characters: braille dots, 2 by 4 in a cell, or one ASCII mark in each.

Lines are told apart by their pattern (or mark) first and by their colour second: a pipe, a log
file and many eyes have no colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.text import Text

# The bit of each dot of a braille cell, by row and column (Unicode, chapter 21).
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
COLOURS = ("cyan", "yellow", "magenta", "green", "blue", "red")
# How many dots are drawn and left out in turn.
PATTERNS = ((1, 0), (4, 3), (1, 2), (9, 3), (2, 2))
MARKS = "*o+x#@"

Span = tuple[int, int]


@dataclass
class Canvas:
    """`width` by `height` cells. Dots are counted from the left and from the bottom."""

    width: int
    height: int
    ascii: bool = False
    _cells: dict[tuple[int, int], int | str] = field(default_factory=dict)
    _colours: dict[tuple[int, int], str] = field(default_factory=dict)

    @property
    def columns(self) -> int:
        """Dots in a row."""
        return self.width if self.ascii else 2 * self.width

    @property
    def rows(self) -> int:
        """Dots in a column."""
        return self.height if self.ascii else 4 * self.height

    def line(self, spans: Sequence[Span], style: int) -> None:
        """A line in the style of that number: for each column the lowest and highest dot."""
        drawn, left_out = PATTERNS[style % len(PATTERNS)]
        period, count = drawn + left_out, 0
        for column, (low, high) in enumerate(spans):
            for row in range(low, high + 1):
                if self.ascii or count % period < drawn:
                    self._dot(column, row, style)
                count += 1

    def _dot(self, column: int, row: int, style: int) -> None:
        cell = (column, row) if self.ascii else (column // 2, row // 4)
        self._colours[cell] = COLOURS[style % len(COLOURS)]
        if self.ascii:
            self._cells[cell] = MARKS[style % len(MARKS)]
        else:
            bits = self._cells.get(cell, 0)
            assert isinstance(bits, int)
            self._cells[cell] = bits | DOTS[3 - row % 4][column % 2]

    def text(self) -> list[Text]:
        """The rows, from the top."""
        return [self._row(row) for row in reversed(range(self.height))]

    def _row(self, row: int) -> Text:
        text = Text()
        for column in range(self.width):
            cell = self._cells.get((column, row), " ")
            character = chr(0x2800 + cell) if isinstance(cell, int) else cell
            text.append(character, self._colours.get((column, row), ""))
        return text


def sample(style: int, *, ascii: bool) -> Text:
    """A short piece of a line in this style, for a legend."""
    canvas = Canvas(8, 1, ascii=ascii)
    middle = 0 if ascii else 1
    canvas.line([(middle, middle)] * canvas.columns, style)
    return canvas.text()[0]

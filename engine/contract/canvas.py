"""Lines drawn with characters: braille dots, 2 by 4 in a cell, or one ASCII mark in each.

Lines are told apart by their pattern (or mark) first and by their colour second: a pipe, a log
file and many eyes have no colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from rich.text import Text

# The bit of each dot of a braille cell, by row from the bottom and column (Unicode, chapter 21).
DOTS = np.array([[0x40, 0x80], [0x04, 0x20], [0x02, 0x10], [0x01, 0x08]])
COLOURS = ("cyan", "yellow", "magenta", "green", "blue", "red")
# How many dots are drawn and left out in turn.
PATTERNS = ((1, 0), (4, 3), (1, 2), (9, 3), (2, 2))
MARKS = "*o+x#@"
BEHIND = "."

Span = tuple[int, int]
Dots = NDArray[np.bool_]


class Canvas:
    """`width` by `height` cells. Dots are counted from the left and from the bottom."""

    def __init__(self, width: int, height: int, ascii: bool = False) -> None:
        self.width, self.height, self.ascii = width, height, ascii
        self._bits = np.zeros((height, width), np.int32)  # braille bits, or an ASCII mark's code
        self._behind = np.zeros((height, width), np.int32)
        self._colours: dict[str, int] = {"": 0}
        self._colour = np.zeros((height, width), np.int16)  # numbers of _colours
        self._marks: dict[tuple[int, int], str] = {}

    @property
    def columns(self) -> int:
        """Dots in a row."""
        return self.width if self.ascii else 2 * self.width

    @property
    def rows(self) -> int:
        """Dots in a column."""
        return self.height if self.ascii else 4 * self.height

    def line(
        self,
        spans: Sequence[Span | None],
        style: int,
        *,
        colour: str | None = None,
        behind: bool = False,
    ) -> None:
        """A line in the style of that number: for each column the lowest and highest dot, or None
        for a gap. A line behind shows only in the cells that no other line goes through."""
        bits = self._characters(self._pattern(spans, style), BEHIND if behind else MARKS, style)
        hit = (bits > 0) & ((self._bits == 0) if behind else True)
        self._colour[hit] = self._number(
            COLOURS[style % len(COLOURS)] if colour is None else colour
        )
        layer = self._behind if behind else self._bits
        if self.ascii:
            np.copyto(layer, bits, where=bits > 0)
        else:
            layer |= bits

    def mark(self, column: int, row: int, character: str, colour: str = "") -> None:
        """A character over whatever is in that cell."""
        self._marks[column, row] = character
        self._colour[row, column] = self._number(colour)

    def is_free(self, column: int, row: int) -> bool:
        """Whether no line goes through that cell, in front or behind."""
        return not (self._bits[row, column] or self._behind[row, column])

    def text(self) -> list[Text]:
        """The rows, from the top."""
        return [self._row(row) for row in reversed(range(self.height))]

    def _pattern(self, spans: Sequence[Span | None], style: int) -> Dots:
        """(rows, columns): which dots the line has."""
        dots = np.zeros((self.columns, self.rows), np.bool_)
        for column, span in enumerate(spans):
            if span is not None:
                dots[column, span[0] : span[1] + 1] = True
        drawn, left_out = PATTERNS[style % len(PATTERNS)]
        if left_out and not self.ascii:
            count = dots.ravel().cumsum().reshape(dots.shape) - 1
            dots &= count % (drawn + left_out) < drawn
        return dots.T

    def _characters(self, dots: Dots, marks: str, style: int) -> NDArray[np.int32]:
        """(height, width): what that makes in each cell; 0 for nothing."""
        if self.ascii:
            return dots * np.int32(ord(marks[style % len(marks)]))
        cells = dots.reshape(self.height, 4, self.width, 2)
        bits: NDArray[np.int32] = (cells * DOTS[:, None, :]).sum((1, 3)).astype(np.int32)
        return bits

    def _number(self, colour: str) -> int:
        return self._colours.setdefault(colour, len(self._colours))

    def _row(self, row: int) -> Text:
        codes = np.where(self._bits[row] > 0, self._bits[row], self._behind[row])
        base = 0 if self.ascii else 0x2800
        characters = [chr(base + code) if code else " " for code in codes.tolist()]
        for column in range(self.width):
            characters[column] = self._marks.get((column, row), characters[column])
        names = list(self._colours)
        text, at = Text(), 0
        for number, cells in groupby(self._colour[row].tolist()):
            end = at + len(list(cells))
            text.append("".join(characters[at:end]), names[number])
            at = end
        return text


def sample(style: int, *, ascii: bool, width: int = 8, colour: str | None = None) -> Text:
    """A short piece of a line in this style, for a legend."""
    canvas = Canvas(width, 1, ascii=ascii)
    middle = 0 if ascii else 1
    canvas.line([(middle, middle)] * canvas.columns, style, colour=colour)
    return canvas.text()[0]

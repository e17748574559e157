"""Looking for a word in a console.log of any size: block by block, never the whole of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tui.console import TAIL, as_left

BLOCK = 1 << 22  # bytes looked through between two breaths: 10 ms


@dataclass(frozen=True)
class LogWindow:
    """Some whole lines of a log, from byte `begin` to `end`. `at`: how many of them stand before
    the place that was asked for. `last`: whether nothing follows."""

    lines: list[str]
    begin: int
    end: int
    at: int
    last: bool


def window(path: Path, place: int | None = None) -> LogWindow:
    """The lines around a byte, or without one those of the end. Raises OSError."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        place = size if place is None else place
        low = max(0, place - TAIL)
        file.seek(low)
        before = file.read(place - low)
        after = file.read(TAIL)
    # The first line is not whole, unless it begins the file.
    cut = before.find(b"\n") + 1 if low else 0
    begin, middle = low + cut, before.rfind(b"\n") + 1
    ends = after.rfind(b"\n") + 1 or len(after)
    text = before[cut:] + after[:ends]
    above = before[cut:middle].count(b"\n")
    return LogWindow(_lines(text), begin, place + ends, above, place + ends >= size)


def _lines(text: bytes) -> list[str]:
    lines = text.decode(errors="replace").split("\n")
    return [as_left(line) for line in (lines if lines[-1] else lines[:-1])]


def matcher(word: str) -> re.Pattern[str]:
    """Upper and lower case are the same."""
    return re.compile(re.escape(word), re.IGNORECASE)


def places(path: Path, word: str, begin: int, *, upwards: bool) -> Iterator[int | None]:
    """The places of the word in the file's bytes, from one on. A None comes between two blocks:
    whoever asks can do something else meanwhile. Raises OSError.

    A match that lies across two blocks is found: they overlap by its length.
    """
    pattern = re.compile(re.escape(word.encode()), re.IGNORECASE)
    overlap = len(word.encode()) - 1
    with path.open("rb") as file:
        size = file.seek(0, 2)
        while begin > 0 if upwards else begin < size:
            low = max(0, begin - BLOCK) if upwards else begin
            high = begin if upwards else begin + BLOCK
            file.seek(low)
            block = file.read(high - low + overlap)
            found = [low + match.start() for match in pattern.finditer(block)]
            inside = [place for place in found if low <= place < high]
            yield from reversed(inside) if upwards else inside
            yield None
            begin = low if upwards else high

"""What stands above a chart: its title, what is to be known about it, and its lines' names with
their last values, or those at the cursor. In a narrow chart that is high enough, on two rows. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.text import Text

from engine.contract.canvas import sample
from tui.content import Content, Line
from tui.numbers import value_words, x_words
from tui.series import value_at

GREY = "#808080"


def head(
    content: Content, at: float | None, notes: Sequence[str], width: int, *, ascii: bool, rows: int
) -> list[Text]:
    """At most `rows` rows; what is too long for them is cut at the end of the last."""
    first = _title(content, at, notes)
    pieces = [_entry(content, line, at, ascii=ascii) for line in content.named()]
    pieces += _marks(content, ascii=ascii)
    lines = [first]
    for piece in pieces:
        if lines[-1].cell_len + 2 + piece.cell_len > width and len(lines) < rows:
            lines.append(Text())
        # Pieces, each with its style: a style of the whole would be the legend's too.
        lines[-1].append("  " if lines[-1].cell_len else " ").append_text(piece)
    for line in lines:
        line.truncate(width, overflow="ellipsis" if not ascii else "crop")
    return lines


def _title(content: Content, at: float | None, notes: Sequence[str]) -> Text:
    text = Text().append(content.title, "bold")
    if notes:
        text.append(f" ({', '.join(notes)})", GREY)
    if at is not None:
        text.append(f"  {content.x_axis} {x_words(at, content.x_axis)}", "bold")
    return text


def _entry(content: Content, line: Line, at: float | None, *, ascii: bool) -> Text:
    text = sample(line.style, ascii=ascii, width=3, colour=line.colour)
    return text.append(f" {line.name}{_value(content, line, at)}")


def _value(content: Content, line: Line, at: float | None) -> str:
    """The plan's is told at a cursor only: its last one is no news."""
    if at is None:
        if line.planned:
            return ""
        at = math.inf
    elif not content.is_known(line, at):
        return ""
    value = value_at(line.x, line.y, at)
    return "" if value is None else f" {value_words(value)}"


def _marks(content: Content, *, ascii: bool) -> list[Text]:
    if not content.marks_name or not content.marks:
        return []
    mark = content.marks[-1]
    text = Text().append(mark.ascii if ascii else mark.character, mark.colour)
    return [text.append(f" {content.marks_name}")]

"""ASCII for terminals that have nothing else: every character that is drawn passes here.

A filter over all that Textual draws, its borders and scroll bars included, so that no widget has
to know. Charts are drawn in another way (`is_ascii`): a dot of braille is no character.
"""

from __future__ import annotations

import locale
import os
from contextlib import suppress
from functools import lru_cache

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter
from textual.widget import Widget

CONSOLES = ("linux", "vt100", "vt220")
UNKNOWN = "?"  # for each cell of what has no form of its own, such as another script's letters
BRAILLE = range(0x2801, 0x2900)
BLANKS = "⠀▏▕▔ \u2003\u2002"
# One cell each, as what they stand for; the longer rows are Textual's boxes, bars and lists.
FORMS = {
    **dict.fromkeys("─━═╌┄╍┅╴╶╸╺╾╼⎺⎻⎼⎽", "-"),
    **dict.fromkeys("│┃║┆┊▌▐╎┇┋╷╵╹╻", "|"),
    **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╰╯╔╗╚╝╠╣╦╩╬┏┓┗┛┣┫┳┻╋╒╓╕╖╘╙╛╜", "+"),
    **dict.fromkeys("█▇▆▅▄▓▉▊▋▍▎■▀▜▛▟▙▖▗▘▝▚▞🬂🬎🬋🬭🬹🬌🬃", "#"),
    **dict.fromkeys("▃▂▁_░▒", "_"),
    **dict.fromkeys("●◉⬤◆⏺", "*"),
    **dict.fromkeys("○◌◇□☐", "o"),
    **dict.fromkeys("•·∙⋅‧", "."),
    **dict.fromkeys("▸▶►›→⟶❯»⭢⇥", ">"),
    **dict.fromkeys("◂◀◄‹←⟵❮«⭠⇤", "<"),
    **dict.fromkeys("▾▼▽↓⭣⏷⌄", "v"),
    **dict.fromkeys("▴▲△↑⭡⏶⌃", "^"),
    **dict.fromkeys("✓✔☑", "+"),
    **dict.fromkeys("✗✘×✕☒╳", "x"),
    **dict.fromkeys("–—−‐‑", "-"),
    **dict.fromkeys("‘’‚‛", "'"),
    **dict.fromkeys("“”„", '"'),
    **dict.fromkeys(BLANKS, " "),
    "…": ".", "≤": "<", "≥": ">", "≈": "~", "±": "~", "⏎": "<", "↵": "<", "␣": "_", "°": "o",
    "µ": "u", "∞": "8", "☼": "*", "⚠": "!", "ℹ": "i", "⭘": "o",
}  # fmt: skip
_TABLE = str.maketrans(FORMS | {chr(code): "*" for code in BRAILLE})


@lru_cache(4096)
def in_ascii(text: str) -> str:
    """The same cells in ASCII."""
    if text.isascii():
        return text
    formed = text.translate(_TABLE)
    if formed.isascii():
        return formed
    return "".join(char if char.isascii() else UNKNOWN * cell_len(char) for char in formed)


class Ascii(LineFilter):
    """Puts all that is drawn into ASCII."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [Segment(in_ascii(text), style, control) for text, style, control in segments]


def is_ascii(widget: Widget) -> bool:
    """Whether what this widget draws will be put into ASCII."""
    return any(isinstance(each, Ascii) for each in widget.get_line_filters())


def only_ascii() -> bool:
    """Whether the terminal takes nothing else: by its locale, or as the console of Linux, whose
    font has no braille. Where no locale is set at all, Python assumes UTF-8, and so do we."""
    with suppress(locale.Error):
        locale.setlocale(locale.LC_CTYPE, "")
    utf8 = locale.nl_langinfo(locale.CODESET).lower().replace("-", "") == "utf8"
    return not utf8 or os.environ.get("TERM") in CONSOLES

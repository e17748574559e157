"""Our two themes, and a chart's row in the light one."""

from __future__ import annotations

from rich.text import Span, Text
from textual.theme import BUILTIN_THEMES, Theme

from tui.grounds import ON_LIGHT

DARK = Theme(
    name="dark",
    primary="#56b4e9",
    secondary="#0072b2",
    accent="#e69f00",
    warning="#e69f00",
    error="#f0703c",
    success="#2fbf93",
    foreground="#e4e4e4",
    background="#121212",
    surface="#1a1a1a",
    panel="#2a2d30",
    dark=True,
    variables={"scrollbar-background": "#1a1a1a"},  # else black, darker than all around it
)
LIGHT = Theme(
    name="light",
    primary="#0072b2",
    secondary="#56b4e9",
    accent="#9a5f00",
    warning="#8a5500",
    error="#b03a00",
    success="#00664b",
    foreground="#1c1c1c",
    background="#fafafa",
    surface="#f2f2f2",
    panel="#dfe3e6",
    dark=False,
)
THEMES = (DARK, LIGHT)  # `T` goes from one to the other


def names() -> list[str]:
    """What a person can choose from: ours, then Textual's."""
    return [*(theme.name for theme in THEMES), *BUILTIN_THEMES]


def on_light(row: Text) -> Text:
    """A drawing's row in the colours for a light ground."""
    row.spans = [
        Span(span.start, span.end, ON_LIGHT.get(str(span.style), span.style)) for span in row.spans
    ]
    return row

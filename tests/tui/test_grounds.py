"""The charts' colours on a light ground."""

from __future__ import annotations

import colorsys

import pytest

from tui.chart_contents import RAW
from tui.grounds import LIGHT, ON_LIGHT
from tui.themes import LIGHT as THEME


def channels(colour: str) -> list[float]:
    return [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]


def luminance(colour: str) -> float:
    """Relative, as WCAG 2.2 has it."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels(colour)]
    return sum(share * c for share, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("ground", [LIGHT["ground"], THEME.background])
def test_every_line_is_seen_on_a_light_ground(ground: str) -> None:
    """3:1 is what WCAG 2.2 (1.4.11) asks of graphics. What is not smoothed is meant to be faint."""
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    for dark, light in ON_LIGHT.items():
        assert contrast(light, ground) >= (1.9 if dark == RAW else 3), dark


def test_it_has_the_hue_of_the_one_that_it_stands_for() -> None:
    for dark, light in ON_LIGHT.items():
        hue, other = (colorsys.rgb_to_hsv(*channels(colour))[0] for colour in (dark, light))
        assert min(abs(hue - other), 1 - abs(hue - other)) < 0.1, dark

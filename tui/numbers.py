"""Numbers of an x axis in few characters: steps, epochs, seconds. Pure."""

from __future__ import annotations

from engine.contract.axis import Axis
from tui.series import Window

UNITS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))
THOUSANDS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def x_ticks(window: Window, x_axis: str, count: int) -> tuple[str, list[tuple[float, str]]]:
    """The axis's name, and round numbers with where they are."""
    low, high = window
    if x_axis != "time":
        found = Axis(low, high, log=False).ticks(count)
        return x_axis, [(x, _short(x)) for x in found]
    scale, unit = next((u for u in UNITS if high - low >= 2 * u[0]), UNITS[-1])
    found = Axis(low / scale, high / scale, log=False).ticks(count)
    return unit, [(x * scale, f"{x:.6g}") for x in found]


def _short(x: float) -> str:
    """1000000 is 1M and 1500 is 1.5k; nothing is rounded away."""
    scale, letter = next((s for s in THOUSANDS if abs(x) >= s[0]), (1.0, ""))
    return f"{x / scale:.7g}{letter}"


def x_words(x: float, x_axis: str) -> str:
    if x_axis == "step":
        return f"{x:,.0f}"
    if x_axis == "epoch":
        return f"{x:.2f}"
    scale, unit = next((u for u in UNITS if x >= 2 * u[0]), UNITS[-1])
    return f"{x / scale:.4g} {unit}"

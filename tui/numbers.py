"""Numbers of a chart in few characters: values, steps, epochs, times. Pure."""

from __future__ import annotations

import math

from engine.contract.axis import Axis
from tui.series import Window

THOUSANDS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
FROM = 1e4  # below it every digit of a whole number fits
UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))
# Seconds between two numbers of a time axis: round ones, as on a clock.
ROUND = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)


def x_ticks(window: Window, x_axis: str, count: int) -> tuple[str, list[tuple[float, str]]]:
    """The axis's name, and round numbers with where they are."""
    low, high = window
    if x_axis != "time" or high - low < count:  # less than a second between two
        found = Axis(low, high, log=False).ticks(count)
        words = clock if x_axis == "time" else _short
        return x_axis, [(x, words(x)) for x in found]
    apart = (high - low) / count
    step = next((step for step in ROUND if step >= apart), 86400 * math.ceil(apart / 86400))
    numbers = range(math.ceil(low / step), math.floor(high / step) + 1)
    return x_axis, [(float(n * step), clock(n * step)) for n in numbers]


def clock(seconds: float) -> str:
    """`1h 20m`: from the largest unit three at most, and none that is 0. Parts of a second where
    there is less than a minute."""
    if abs(seconds) < 60:
        return f"{seconds:.3g}s"
    rest, words = round(abs(seconds)), []
    for size, unit in UNITS:
        number, rest = divmod(rest, size)
        if number:
            words.append(f"{number}{unit}")
    return ("-" if seconds < 0 else "") + " ".join(words[:3])


def _short(x: float) -> str:
    """1000000 is 1M and 1500 is 1.5k; nothing is rounded away."""
    scale, letter = next((s for s in THOUSANDS if abs(x) >= s[0]), (1.0, ""))
    return f"{x / scale:.7g}{letter}"


def x_words(x: float, x_axis: str) -> str:
    if x_axis == "step":
        return f"{x:,.0f}"
    return f"{x:.2f}" if x_axis == "epoch" else clock(x)


def value_words(value: float) -> str:
    """Four digits: 0.001235, 1e-5, 12.35k, 3.4e38."""
    size = abs(value)
    if FROM <= size < 1e15:
        scale, letter = next(s for s in THOUSANDS if size >= s[0])
        return f"{value / scale:.4g}{letter}"
    mantissa, e, power = f"{value:.4g}".partition("e")
    return f"{mantissa}e{int(power)}" if e else mantissa

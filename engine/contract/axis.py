"""A numeric axis: where a value is on it, and which round numbers are written beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence

LOG_FROM = 100  # times: the lowest tenth of the rates to the highest, for a logarithmic axis
DEEPEST = 1e-8  # of the highest: a logarithmic axis goes no lower


class Axis:
    """From a learning rate to a height between 0 and 1."""

    def __init__(self, low: float, high: float, *, log: bool) -> None:
        self.low, self.high, self.log = low, high, log

    @classmethod
    def of(cls, series: Sequence[Sequence[float]]) -> Axis:
        """Logarithmic where a good part of the rates is far below the highest: a cosine's last
        steps are, and are no reason."""
        # Thinned out: the order of a few thousand tells as much as that of all.
        some = [lrs[:: max(1, len(lrs) // 5000)] for lrs in series]
        rates = sorted(lr for lrs in some for lr in lrs if 0 < lr < math.inf)
        if not rates:
            return cls(0.0, 1.0, log=False)
        tops = [max(lrs) for lrs in series]
        high = max(top for top in tops if top < math.inf) if min(tops) < math.inf else rates[-1]
        tenth = rates[len(rates) // 10]
        if high >= LOG_FROM * tenth * (1 - 1e-9):
            return cls(max(rates[0], high * DEEPEST), high, log=True)
        return cls(0.0 if rates[0] < high / 2 or rates[0] == high else rates[0], high, log=False)

    def height(self, lr: float) -> float:
        if not lr > self.low:  # NaN among them
            return 0.0
        if lr >= self.high:
            return 1.0
        if self.log:
            return math.log(lr / self.low) / math.log(self.high / self.low)
        return (lr - self.low) / (self.high - self.low)

    def ticks(self, count: int) -> list[float]:
        """About so many round numbers."""
        if self.log:
            lowest = math.ceil(math.log10(self.low) - 1e-9)
            highest = math.floor(math.log10(self.high) + 1e-9)
            decades = range(lowest, highest + 1, max(1, 1 + (highest - lowest) // count))
            return [10.0**decade for decade in decades]
        step = round_up((self.high - self.low) / count)
        first = math.ceil(self.low / step - 1e-9)
        return [step * k for k in range(first, math.floor(self.high / step + 1e-9) + 1)]


def round_up(value: float) -> float:
    """To 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return power * next(step for step in (1, 2, 5, 10) if value <= step * power * (1 + 1e-9))

"""A growing series and its average: each point is looked at once, however long the run. Pure."""

from __future__ import annotations

import math

import numpy as np

from tui.series import WIDEST, Floats

BLOCK = 32  # points smoothed by one product of matrices


class Growing:
    """Numbers that are added to at their end. What was handed out before stays as it was."""

    def __init__(self) -> None:
        self._buffer, self._length = np.empty(0), 0

    def __len__(self) -> int:
        return self._length

    def extend(self, values: Floats) -> None:
        length = self._length + len(values)
        if length > len(self._buffer):
            # Half as much again, so that a run's million additions copy each number twice.
            buffer = np.empty(max(length, len(self._buffer) * 3 // 2 if self._length else 0))
            buffer[: self._length] = self.values
            self._buffer = buffer
        self._buffer[self._length : length] = values
        self._length = length

    @property
    def values(self) -> Floats:
        return self._buffer[: self._length]


class Smoother:
    """The exponential average of a growing series, without the pull towards 0 at its beginning.

    weight: what is kept of the average at each point, 0 <= weight < 1. What is not finite is left
    out of the average and stays what it is. The formula is TensorBoard's ("debiased EMA", Kingma &
    Ba 2014, section 3), and so W&B's. A million points take 25 ms.
    """

    def __init__(self, weight: float) -> None:
        self.weight = weight
        self.averages = Growing()
        self._sum, self._count = 0.0, 0  # of the finite points so far

    def extend(self, values: Floats) -> None:
        finite = np.isfinite(values)
        if self.weight <= 0 or not finite.any():
            self.averages.extend(values)
        elif finite.all():
            self.averages.extend(self._average(values))
        else:
            out = values.copy()
            out[finite] = self._average(values[finite])
            self.averages.extend(out)

    def _average(self, values: Floats) -> Floats:
        weight, before = self.weight, self._count
        sums = _decaying_sums(np.clip(values, -WIDEST, WIDEST) * (1 - weight), weight)
        # Where weight ** count is below what a float can tell from 0 beside 1, what came before is
        # gone, and so is the pull.
        felt = math.ceil(-40 / math.log(weight))
        ages = np.arange(1, 1 + min(len(sums), felt))
        sums[: len(ages)] += self._sum * np.exp(ages * math.log(weight))
        self._sum, self._count = float(sums[-1]), before + len(sums)
        pulled = before + ages[: max(0, felt - before)]
        sums[: len(pulled)] /= -np.expm1(pulled * math.log(weight))
        return sums


def smoothed(values: Floats, weight: float) -> Floats:
    """A whole series by a Smoother."""
    smoother = Smoother(weight)
    smoother.extend(values)
    return smoother.averages.values


def _decaying_sums(values: Floats, weight: float) -> Floats:
    """sums[i] = values[i] + weight * sums[i - 1]. Blocks by a triangular matrix, and what each
    hands to the next by the same function: a loop over a million points would take a second."""
    count = len(values)
    padded = np.zeros(-(-count // BLOCK) * BLOCK)
    padded[:count] = values
    powers = np.arange(BLOCK)[:, None] - np.arange(BLOCK)  # of the earlier (column) in the later
    kernel = np.where(powers >= 0, weight ** np.maximum(powers, 0), 0.0)
    sums = padded.reshape(-1, BLOCK) @ kernel.T
    if len(sums) > 1:
        handed = _decaying_sums(sums[:, -1].copy(), weight**BLOCK)
        sums[1:] += handed[:-1, None] * weight ** np.arange(1, BLOCK + 1)
    return sums.ravel()[:count]

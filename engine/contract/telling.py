"""The few points that draw many learning rates. Both halves need it: what is not sent need not be
read, and what is read need not be drawn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def telling(rates: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """The points that make the picture: the ends of constant stretches, and of more than `most`
    the first, last, lowest and highest of each of so many pieces. `rates`: (steps, groups); what is
    given back are the places of those that are kept, ascending."""
    if not len(rates):
        return np.zeros(0, np.int64)
    same = ((rates[1:] == rates[:-1]) | np.isnan(rates[1:]) & np.isnan(rates[:-1])).all(1)
    inner = np.concatenate([[False], same[:-1] & same[1:], [False]])[: len(rates)]
    kept = np.flatnonzero(~inner)
    if len(kept) <= most:
        return kept
    groups = rates.shape[1]
    pieces = np.array_split(kept, max(1, most // (2 + 2 * groups)))
    found = [index for piece in pieces for index in (piece[0], piece[-1])]
    for piece in pieces:
        some = np.nan_to_num(rates[piece])
        found += [*piece[some.argmin(0)], *piece[some.argmax(0)]]
    return np.unique(found)

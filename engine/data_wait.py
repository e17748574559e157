"""How long the training loop stands still because no batch is there yet."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

T = TypeVar("T")


class DataWait:
    """Adds up the waits of one thread; another asks now and then. `clock` is given by tests."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._waited = 0.0  # seconds, of the waits that are over
        self._since: float | None = None  # when the present wait began
        self._asked, self._told = clock(), 0.0

    def timed(self, batches: Iterator[T]) -> Iterator[T]:
        """The same batches. Two looks at the clock each, which cost 0.2 µs."""
        while True:
            began = self._since = self._clock()
            batch = next(batches, None)
            self._since = None
            self._waited += self._clock() - began
            if batch is None:
                return
            yield batch

    def share(self) -> float:
        """Of the time since the last call, what was waited for batches: from 0 to 1. A wait that
        isn't over yet counts as far as it has come."""
        now, since = self._clock(), self._since
        waited = self._waited + (now - since if since is not None else 0.0)
        elapsed, new = now - self._asked, waited - self._told
        self._asked, self._told = now, waited
        # The two threads may cross in the middle of a sum: held within its bounds, that is noise.
        return min(1.0, max(0.0, new / elapsed)) if elapsed > 0 else 0.0

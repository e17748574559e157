"""Where the time of a training step goes: borders between its parts, each with its time.

A part lasts until the next one begins, so the parts of a step add up to it. On a CUDA device a
border is an event in the stream, and its time is when the device gets there: nothing is waited for,
so the steps are as fast as without, and a wait for data counts as far as the device stands still.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import torch
from torch.profiler import record_function

DATA, FORWARD, LOSS, BACKWARD = "waiting for data", "forward", "loss", "backward"
OPTIMIZER, METRICS, OTHER = "optimizer", "loss and metrics", "other"
STEP = "step"  # the range that holds those of its parts

T = TypeVar("T")


class Clock(Protocol):
    """Stamps, and the seconds between two of them once all of them are over."""

    def now(self) -> Any: ...
    def settle(self) -> None: ...
    def seconds(self, since: Any, until: Any) -> float: ...


class HostClock:
    """For what computes when it is called. Of another device that is no CUDA one, waits for it."""

    def __init__(self, device: torch.device) -> None:
        self._wait = torch.mps.synchronize if device.type == "mps" else None

    def now(self) -> float:
        if self._wait is not None:
            self._wait()
        return time.perf_counter()

    def settle(self) -> None:
        """Every stamp is a time already."""

    def seconds(self, since: float, until: float) -> float:
        return until - since


class CudaClock:
    """Events in the stream: about 3 µs each, and none is waited for before `settle`."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def now(self) -> torch.cuda.Event:
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record(torch.cuda.current_stream(self._device))
        return event

    def settle(self) -> None:
        torch.cuda.synchronize(self._device)

    def seconds(self, since: torch.cuda.Event, until: torch.cuda.Event) -> float:
        return float(since.elapsed_time(until)) / 1000


def clock_of(device: torch.device) -> Clock:
    return CudaClock(device) if device.type == "cuda" else HostClock(device)


@dataclass(frozen=True)
class Marks:
    """The borders of one step: the part that begins at each, and the step's end."""

    begins: Sequence[tuple[str, Any]]
    end: Any

    def seconds(self, clock: Clock) -> dict[str, float]:
        """Of each part, all its stretches together."""
        ends = [stamp for _, stamp in self.begins[1:]] + [self.end]
        found: dict[str, float] = {}
        for (part, begin), end in zip(self.begins, ends, strict=True):
            found[part] = found.get(part, 0.0) + clock.seconds(begin, end)
        return found

    def count(self, part: str) -> int:
        """How often it began."""
        return sum(begun == part for begun, _ in self.begins)


class Timeline:
    """One step after the other. With `named` set, each part is also a range for torch.profiler."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.named = False
        self._begins: list[tuple[str, Any]] = []
        self._open: list[record_function] = []

    def begin(self) -> None:
        """A step begins; what has not been ended is forgotten."""
        self._close()
        self._begins = [(OTHER, self.clock.now())]
        self._name(STEP, OTHER)

    def enter(self, part: str) -> None:
        """`part` begins, and the one before it is over."""
        if not self._begins:
            return
        self._begins.append((part, self.clock.now()))
        if self._open:
            self._open.pop().__exit__(None, None, None)
            self._name(part)

    def end(self) -> Marks:
        """The step is over, and the next one begins."""
        marks = Marks(self._begins, self.clock.now())
        self._close()
        self._begins = [(OTHER, marks.end)]
        self._name(STEP, OTHER)
        return marks

    def leave(self) -> None:
        """No step is under way: nothing counts until the next one begins."""
        self._close()
        self._begins = []

    def waits(self, batches: Iterator[T]) -> Iterator[T]:
        """The same batches, an epoch's; a step begins with the first wait."""
        self.begin()
        while True:
            self.enter(DATA)
            batch = next(batches, None)
            self.enter(OTHER)
            if batch is None:
                return
            yield batch

    def _name(self, *names: str) -> None:
        for name in names if self.named else ():
            named = record_function(name)
            named.__enter__()  # type: ignore[no-untyped-call]
            self._open.append(named)

    def _close(self) -> None:
        while self._open:
            self._open.pop().__exit__(None, None, None)

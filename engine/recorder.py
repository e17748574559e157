"""Events to events.jsonl, without making the device wait.

The loop hands over each step's loss as a tensor on the device and goes on. A thread reads them
together, ten times a second, and writes a `step` event for each. The loop itself waits only where
it needs the numbers: at a validation, a checkpoint and the end.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psutil
import torch
from torch import Tensor

from engine.contract.devices import device_usage
from engine.contract.events import Event, Step, System, Warned, encode, finite, non_finite
from engine.contract.problems import RunError
from engine.contract.run_directory import RunDirectory
from engine.data_wait import DataWait
from engine.epoch_losses import EpochLoss, EpochSamples, Kept
from engine.parts.losses import Counts

FLUSH_SECONDS = 0.1
SYSTEM_SECONDS = 5.0
OVERFLOWED = "fp16 gradients overflowed"
SMALLEST_SCALE = 2.0**-14  # torch begins with 2**16 and halves: thirty overflows in a row


@dataclass(slots=True)  # not frozen, which would make it three times as slow to build
class StepRecord:
    """A step as the loop hands it over. `loss` is a tensor of shape (), still on the device.

    `count` is what each term counts for in the epoch's mean. `loss` is None where no optimizer
    step was taken. `terms`: (terms,), where there are several. `kept`: what is kept of the samples
    of each batch. `overflow`: (), on the device; not 0 where the gradient scaler left the step
    out, and it is the scale from then on.
    """

    step: int
    epoch: int
    loss: Tensor | None
    count: Counts
    samples: Sequence[int]
    lr: list[float]
    time: float
    skipped: str | None = None
    terms: Tensor | None = None
    kept: Sequence[Kept] = ()
    overflow: Tensor | None = None


@dataclass(frozen=True)
class NonFinite:
    """The first step whose loss was NaN or infinite."""

    record: StepRecord
    loss: float


class Recorder:
    """The only writer of a run's events.

    `titles`: of the terms of the loss. `sums`: which of them are sums over what counts (reduction =
    "sum"), not means, and are added up for the epoch as they are.
    """

    def __init__(
        self,
        run: RunDirectory,
        device: torch.device,
        *,
        titles: Sequence[str] = ("loss",),
        sums: Sequence[bool] = (False,),
        clock: Callable[[], float] = time.time,
        flush_seconds: float = FLUSH_SECONDS,
    ) -> None:
        self.device, self.clock = device, clock
        self._titles, self._sums = titles, sums
        self.epoch_loss, self.epoch_samples = EpochLoss(), EpochSamples()
        self.non_finite: NonFinite | None = None
        self.overflow = 0.0  # a scale with which fp16 gradients overflow, and that is hopeless
        self._overflows = 0
        self.data_wait = DataWait()
        self._file = EventFile(run)
        self._pending: deque[StepRecord] = deque()
        self._lock = threading.RLock()
        self._last_time = clock()
        self._flush_seconds = flush_seconds
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._write_on, name="recorder", daemon=True)

    def start(self) -> None:
        """Begin to write by itself. Not in the constructor: what forks must do so before."""
        self._thread.start()

    def step(self, record: StepRecord) -> None:
        """Hand over a step: an append, about 0.1 µs."""
        self._pending.append(record)

    def write(self, event: Event) -> None:
        """Write an event after all the steps before it."""
        with self._lock:
            self.flush()
            self._file.write(encode(event))

    def warn(self, what: str, where: str, remedy: str) -> None:
        self.write(Warned(time=self.clock(), what=what, where=where, remedy=remedy))

    def flush(self) -> None:
        """Read the losses of all steps so far, waiting for the device, and write their events."""
        with self._lock:
            # The loop may append at any moment: take what is there now, one by one.
            records = [self._pending.popleft() for _ in range(len(self._pending))]
            if records:
                self._file.write(b"".join(map(encode, self._events(records))))

    def new_epoch(self) -> None:
        """The sums begin again."""
        self.epoch_loss, self.epoch_samples = EpochLoss(), EpochSamples()

    def new_overflows(self) -> int:
        """Steps left out by the gradient scaler that were read since this was last asked."""
        with self._lock:
            count, self._overflows = self._overflows, 0
        return count

    def close(self) -> None:
        """Write what is left and stop."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join()
        self.flush()
        self._file.close()

    def _events(self, records: list[StepRecord]) -> list[Step]:
        losses = _read([record.loss for record in records if record.loss is not None])
        terms = _read([record.terms for record in records if record.terms is not None])
        overflows = _read([record.overflow for record in records if record.overflow is not None])
        rate = self._rate(records)
        events = []
        for record in records:
            if record.overflow is not None and (scale := overflows.pop()):
                self._skip(record, scale)
            loss = losses.pop() if record.loss is not None else None
            values = terms.pop() if record.terms is not None else None
            if loss is not None and record.skipped is None:  # an overflow in fp16 moves nothing
                self._account(record, loss, values or [loss])
            named = dict(zip(self._titles, values, strict=True)) if values is not None else None
            events.append(
                Step(
                    time=record.time,
                    step=record.step,
                    epoch=record.epoch,
                    loss=finite(loss) if loss is not None else None,
                    lr=record.lr,
                    samples_per_second=rate,
                    non_finite=non_finite({"loss": loss}) if loss is not None else None,
                    skipped=record.skipped,
                    terms={name: finite(value) for name, value in named.items()} if named else None,
                )
            )
        return events

    def _skip(self, record: StepRecord, scale: float) -> None:
        record.skipped = OVERFLOWED
        self._overflows += 1
        if scale < SMALLEST_SCALE:
            self.overflow = scale

    def _account(self, record: StepRecord, loss: float, terms: list[float]) -> None:
        self.epoch_loss.add(terms, record.count, self._sums)
        self.epoch_samples.add(record.kept)
        if finite(loss) is None and self.non_finite is None:
            self.non_finite = NonFinite(record, loss)

    def _rate(self, records: list[StepRecord]) -> float:
        """Samples a second since the records before these."""
        samples = sum(len(record.samples) for record in records)
        elapsed = records[-1].time - self._last_time
        self._last_time = records[-1].time
        return round(samples / elapsed, 1) if elapsed > 0 else 0.0

    def _write_on(self) -> None:
        next_system, process = 0.0, psutil.Process()
        process.cpu_percent()  # from here on
        while not self._closed.wait(self._flush_seconds):
            self.flush()
            if time.monotonic() >= next_system:
                self.write(self._system(process))
                next_system = time.monotonic() + SYSTEM_SECONDS

    def _system(self, process: psutil.Process) -> System:
        memory, cpu = process.memory_info().rss, process.cpu_percent()
        wait = round(self.data_wait.share(), 3)
        usage = device_usage(self.device.index or 0) if self.device.type == "cuda" else None
        if usage is None:
            return System(time=self.clock(), memory=memory, cpu=cpu, data_wait=wait)
        used, total, utilisation = usage
        return System(
            time=self.clock(),
            memory=memory,
            cpu=cpu,
            data_wait=wait,
            device_memory=used,
            device_memory_total=total,
            device_utilisation=utilisation,
        )


def _read(tensors: list[Tensor]) -> list[Any]:
    """The numbers, last first. One transfer for all: each alone would wait for the device."""
    if not tensors:
        return []
    values: list[Any] = torch.stack(tensors).tolist()
    return values[::-1]


class EventFile:
    """Appends whole lines. On a full disk they are kept and written when there is room again."""

    def __init__(self, run: RunDirectory) -> None:
        cut_incomplete_line(run)
        self.path = run.events
        self._handle = os.open(run.events, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._unwritten = b""
        self.error: OSError | None = None

    def write(self, lines: bytes) -> None:
        self._unwritten += lines
        try:
            while self._unwritten:
                written = os.write(self._handle, self._unwritten)
                self._unwritten = self._unwritten[written:]
            self.error = None
        except OSError as error:
            self.error = error

    def close(self) -> None:
        """Raises RunError when events could not be written to the end."""
        self.write(b"")
        os.close(self._handle)
        if self._unwritten:
            reason = self.error.strerror if self.error is not None else ""
            raise RunError(
                f"{self.path} could not be written to its end: {reason}",
                "make room on that disk; `ptrain resume` then goes on from the last checkpoint",
            )


def cut_incomplete_line(run: RunDirectory) -> None:
    """A killed engine may leave half a line, which no reader has counted; new ones follow it."""
    if not run.events.exists():
        return
    with run.events.open("rb+") as file:
        size = file.seek(0, os.SEEK_END)
        end = size
        while end:
            begin = max(0, end - 65536)
            file.seek(begin)
            newline = file.read(end - begin).rfind(b"\n")
            if newline >= 0:
                end = begin + newline + 1
                break
            end = begin
        if end < size:
            file.truncate(end)

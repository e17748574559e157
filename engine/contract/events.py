"""What a run tells: one type an event, one JSON object a line, tagged `type`.

`step` in a `step` event is the number of that optimizer step, from 0, as in `ptrain lr`; in every
other event it is the number of steps done, which is the number of the step to come. `epoch`
counts from 0 everywhere. A reader skips the types and keys that it doesn't know, and a last line
that is not complete. Numbers that are not finite are null, with their name and value under
`non_finite`.

msgspec encodes a step in about 1 µs, where json with a dict takes ten times that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec

from engine.contract.json_lines import json_line

NonFinite = dict[str, str]


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type"):
    """`time`: seconds since the epoch (1970, UTC)."""

    time: float


class Parameters(msgspec.Struct, frozen=True):
    """Elements of the model's parameters."""

    total: int
    trainable: int


class RunStarted(Event, frozen=True, kw_only=True, tag="run_started"):
    """The first event: what is going to happen. `planned_end` is in optimizer steps. `classes`:
    the names of the classes, labels or numbers that the `task` is about. `file`: the experiment's
    file that it was launched from, on that host; what was in it then is source.toml."""

    version: str
    pid: int
    host: str
    device: str
    name: str
    steps_per_epoch: int
    epochs: int
    planned_end: int
    groups: list[str]
    parameters: Parameters
    train_samples: int
    val_samples: int
    classes: list[str]
    workers: int
    precision: str
    frozen: list[str]
    task: str = "classification"
    monitor: str = ""  # the metric that decides which checkpoint is the best
    file: str = ""
    report: list[str] = []  # what was loaded and what is frozen, in words


class RunResumed(Event, frozen=True, kw_only=True, tag="run_resumed"):
    """The run goes on from `step`; a reader forgets what it read of this step and later ones."""

    step: int
    epoch: int
    checkpoint: str
    version: str
    pid: int
    host: str
    device: str
    epochs: int
    planned_end: int
    changed: list[str] = []


class Step(Event, frozen=True, kw_only=True, tag="step", gc=False):
    """One optimizer step: its loss as torch gave it, and the learning rate of each group.

    It can be in no cycle, so the garbage collector need not look at a million of them: a third of
    the time that reading them takes.
    """

    step: int
    epoch: int
    loss: float | None
    lr: Sequence[float | None]
    samples_per_second: float
    non_finite: NonFinite | None = None
    skipped: str | None = None  # why the optimizer took no step
    terms: dict[str, float | None] | None = None  # of a loss with several, each without its scale


class Validated(Event, frozen=True, kw_only=True, tag="validated"):
    """The metrics after an epoch, `val/loss` and `train/loss` (of the epoch) among them."""

    step: int
    epoch: int
    metrics: dict[str, float | None]
    seconds: float
    non_finite: NonFinite | None = None
    requested: bool = False  # asked for in the middle of an epoch; schedules don't see it


class Unfrozen(Event, frozen=True, kw_only=True, tag="unfrozen"):
    """With this epoch the layers begin to train; `trainable` is the number of elements that do."""

    step: int
    epoch: int
    layers: list[str]
    trainable: int


class PrefixKept(Event, frozen=True, kw_only=True, tag="prefix_kept"):
    """What frozen layers give is computed once, or images are prepared once, or not, and why, in
    words; "" where there is no such side. `step`: how many steps there were then."""

    step: int
    epoch: int
    train: str
    val: str


class Compiling(Event, frozen=True, kw_only=True, tag="compiling"):
    """torch.compile begins; the run stands still until `compiled`, or a `warning` that it can't be.
    `split`: what of, "train" or "val". `mode`: torch's word."""

    step: int
    epoch: int
    split: str
    mode: str


class Compiled(Event, frozen=True, kw_only=True, tag="compiled"):
    """It took so many seconds, of which the batch itself is a small part."""

    step: int
    epoch: int
    split: str
    seconds: float


class CheckpointSaved(Event, frozen=True, kw_only=True, tag="checkpoint_saved"):
    """`path` is relative to the run directory, and complete when this is written."""

    step: int
    epoch: int
    path: str
    kind: str  # last | best | epoch
    metric: float | None
    sha256: str
    bytes: int


class System(Event, frozen=True, kw_only=True, tag="system"):
    """Memory in bytes, utilisation in per cent; written every few seconds, so also a pulse.

    `cpu`: the engine's own process, in per cent of one core, since the event before.
    `data_wait`: of the time since then, the share in which the loop stood still for a batch, from
    0 to 1. Near 1 the run is as fast as its data, however fast the device.
    """

    memory: int
    cpu: float | None = None
    device_memory: int | None = None
    device_memory_total: int | None = None
    device_utilisation: int | None = None
    data_wait: float | None = None


class Warned(Event, frozen=True, kw_only=True, tag="warning"):
    """Something that a person should know of and that does not end the run."""

    what: str
    where: str
    remedy: str


class RequestDone(Event, frozen=True, kw_only=True, tag="request_done"):
    """The answer to a line of control.jsonl."""

    id: str
    request: str
    outcome: str
    epochs: int  # planned from now on
    planned_end: int


class LastWord(Event, frozen=True, kw_only=True):
    """What the three endings have in common: the totals of the run so far."""

    step: int
    epochs: float  # done
    seconds: float  # of this process
    best: float | None = None
    monitor: str = ""  # what `best` is of
    best_checkpoint: str | None = None
    last_checkpoint: str | None = None


class RunFinished(LastWord, frozen=True, kw_only=True, tag="run_finished"):
    """All epochs are done."""

    metrics: dict[str, float | None] = {}


class RunStopped(LastWord, frozen=True, kw_only=True, tag="run_stopped"):
    """Stopped on request, checkpoint written: `ptrain resume` goes on."""

    reason: str


class RunFailed(LastWord, frozen=True, kw_only=True, tag="run_failed"):
    """The error, its likely cause and the remedy."""

    error: str
    remedy: str


AnyEvent = (
    RunStarted
    | RunResumed
    | Step
    | Validated
    | Unfrozen
    | PrefixKept
    | Compiling
    | Compiled
    | CheckpointSaved
    | System
    | Warned
    | RequestDone
    | RunFinished
    | RunStopped
    | RunFailed
)

_decoder = msgspec.json.Decoder(AnyEvent)


def encode(event: Event) -> bytes:
    """One line, with its newline."""
    return json_line(event)


def decode(line: bytes) -> AnyEvent | None:
    """The event of a complete line; None for a type that this version does not know, or damage."""
    try:
        event: AnyEvent = _decoder.decode(line)
        return event
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def decode_lines(lines: bytes) -> list[AnyEvent]:
    """The events of complete lines, each with its newline; half the time of one after another.

    Unknown types and damaged lines are left out, as `decode` does.
    """
    try:
        events: list[AnyEvent] = _decoder.decode_lines(lines)
        return events
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        found = map(decode, lines.split(b"\n"))
        return [event for event in found if event is not None]


def finite(value: float) -> float | None:
    """The number, or None where JSON has no word for it."""
    return value if math.isfinite(value) else None


def non_finite(values: dict[str, float]) -> NonFinite | None:
    """The values that JSON has no word for, as `nan`, `inf` or `-inf`; None where all are well."""
    odd = {name: str(float(value)) for name, value in values.items() if not math.isfinite(value)}
    return odd or None


def as_dict(event: Event) -> dict[str, Any]:
    """The event as plain values, its type among them."""
    plain: dict[str, Any] = msgspec.to_builtins(event)
    return plain

"""A few steps of an experiment, timed part by part, and traced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.build import Parts
from engine.contract.problems import RunError
from engine.profile_layers import Found
from engine.profile_memory import Memory, MemoryWatch
from engine.profile_rehearsal import Rehearsal
from engine.profile_timed import Steps
from engine.timeline import clock_of

TRACED = 3  # steps under torch.profiler, which slows them: after those that are timed


@dataclass(frozen=True)
class Measured:
    """What was found. `later`: steps that take from where it is kept what frozen layers gave, or
    prepared images; None where none is. `said`: what was decided about that, of training and of
    validation."""

    training: Steps
    later: Steps | None
    validation: Steps | None
    later_validation: Steps | None
    memory: Memory
    traced: Found
    said: tuple[str, str]


def measure(
    parts: Parts,
    folder: Path,
    steps: int,
    *,
    before: int = 0,
    trace: Path | None = None,
    told: Callable[[str], None] = lambda _: None,
) -> Measured:
    """Train `steps` steps and what belongs to it, in a `folder` that is to be thrown away. Closes
    the parts. `before`: bytes of this process before they were built; `trace`: where the trace file
    is to be; `told` gets a word about where it is.

    Raises RunError where the loop does, and where the trace file can't be written.
    """
    clock, watch = clock_of(parts.device), MemoryWatch(parts.device, before)
    with Rehearsal(parts, folder, clock, watch, told) as rehearsal:
        training = rehearsal.steps(steps, traced=TRACED)
        assert training is not None
        later, keeps = None, rehearsal.keeps
        validation = rehearsal.validation()
        prefix = rehearsal.parts.prefix
        said = prefix.said if prefix is not None else ("", "")
        if keeps:
            later = rehearsal.steps(steps, kept=True)
        keeps = (prefix is not None and prefix.val is not None) or rehearsal.parts.keeps_images(
            "val"
        )
        again = rehearsal.validation(kept=True) if keeps else None
        memory = rehearsal.memory
        found = rehearsal.trace.found(TRACED)
    if trace is not None:
        told("writing the trace")
        try:
            rehearsal.trace.write(trace, folder)
        except OSError as error:
            remedy = "make room on that disk, or choose another --trace"
            raise RunError(f"{trace} can't be written: {error.strerror}", remedy) from error
    told("")
    return Measured(training, later, validation, again, memory, found, said)

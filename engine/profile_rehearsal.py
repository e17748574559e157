"""The training loop itself, run for a few steps, with a border wherever it calls one of its parts.

Nothing of the loop is written here again: `train` runs as it does in a run, on parts that tell a
timeline when they are called, and on a run directory that is thrown away. What is left out on the
way are validations and checkpoints.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path

import psutil
import torch
from pydantic import ByteSize

from engine.build import Parts
from engine.checkpoint import Keeper, Progress
from engine.contract.experiment import Experiment
from engine.contract.run_directory import create
from engine.control import Control
from engine.evaluate import evaluate
from engine.job import Job
from engine.loop import train
from engine.profile_layers import Trace
from engine.profile_memory import Memory, MemoryWatch
from engine.profile_timed import Steps, Timed
from engine.recorder import Recorder, StepRecord
from engine.timeline import BACKWARD, Clock, Marks, Timeline

WARM_UP = 5  # steps: workers start, kernels are chosen, and it is decided whether keeping pays
VALIDATED = 5  # batches, and one before them
NEVER = 10**9  # epochs


class _EnoughError(Exception):
    """Thrown out of the loop where the steps wanted are done: its own ways out write something."""


class _AgainError(Exception):
    """Thrown where the plan is over before that: it is begun anew."""


class _Watch(Recorder):
    """What the loop hands its steps to, and tells the ends of its epochs."""

    on_step: Callable[[StepRecord], None]
    on_epoch: Callable[[], None]

    def step(self, record: StepRecord) -> None:
        super().step(record)
        self.on_step(record)

    def new_epoch(self) -> None:
        super().new_epoch()
        self.on_epoch()


@dataclass
class _Pass:
    """Steps of one kind: some to warm up, those that are timed, those that are traced."""

    kept: bool
    steps: int
    traced: int
    done: int = 0
    others: int = 0  # steps of the other kind
    marks: list[Marks] = field(default_factory=list)
    records: list[StepRecord] = field(default_factory=list)
    batches: int = 0
    last: StepRecord | None = None

    def add(self, marks: Marks, record: StepRecord, batches: int) -> None:
        self.done, self.last = self.done + 1, record
        if not WARM_UP < self.done <= WARM_UP + self.steps:
            return
        self.marks.append(marks)
        self.records.append(record)
        self.batches += batches

    def __str__(self) -> str:
        """Where it is, for whoever waits."""
        if self.done < WARM_UP:
            return "warming up"
        timed = self.done - WARM_UP
        return f"step {timed + 1} of {self.steps}" if timed < self.steps else "tracing"


class Rehearsal:
    """A training that is thrown away, and `folder` is to be too. `told` gets a word about where it
    is. Leaving it closes the parts. `clock` and `watch` are of the parts' device."""

    def __init__(
        self,
        parts: Parts,
        folder: Path,
        clock: Clock,
        watch: MemoryWatch,
        told: Callable[[str], None],
    ) -> None:
        given = {one.name: getattr(parts, one.name) for one in fields(Parts)}
        self.timeline, self._told = Timeline(clock), told
        self.parts = Timed(**given | {"experiment": _undisturbed(parts)}, timeline=self.timeline)
        self._plan = parts.schedule.state_dict()
        self._planned = parts.experiment.train.epochs
        self._pass, self.trace = _Pass(False, 0, 0), Trace(parts)
        self._watch, self.memory = watch, Memory(0, 0)
        run, criterion = create(folder, "profile", "", b""), parts.criterion
        recorder = _Watch(run, parts.device, titles=criterion.titles, sums=criterion.sums)
        recorder.on_step, recorder.on_epoch = self._on_step, self._on_epoch
        keeper = Keeper(run, recorder, keep=0, better="min")
        # One epoch more than are planned: so the loop never comes to its end, where it writes.
        self.job = Job(self.parts, Progress(), recorder, Control(run), keeper, self._planned + 1)

    def __enter__(self) -> Rehearsal:
        self.job.recorder.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.timeline.leave()
        self.trace.stop()
        self.parts.close()
        self.job.recorder.close()

    def steps(self, count: int, *, kept: bool = False, traced: int = 0) -> Steps | None:
        """That many, after a warm-up: with all read and computed, as in the first epoch; or,
        `kept`, with what was kept of it taken from there. Then those that are `traced`.

        None where none is of that kind. Raises RunError as the loop does.
        """
        self._pass = _Pass(kept, count, traced)
        while True:
            self._begin_anew()
            try:
                train(self.job)
            except _EnoughError:
                break
            except _AgainError:
                continue
        self.timeline.leave()
        return self._timed()

    def validation(self, *, kept: bool = False) -> Steps | None:
        """A few of its batches. None where there is none of that kind."""
        parts, clock = self.parts, self.timeline.clock
        parts.validated, parts.kept = [], []
        self._told("validation")
        evaluate(parts, lambda: len(parts.validated) > VALIDATED)
        self.timeline.leave()
        # The batch at which it is interrupted is read, and not computed.
        flags, parts.kept = parts.kept[: len(parts.validated)], []
        counted = parts.validated[1:] or parts.validated
        if not counted or any(flag != kept for flag in flags):
            return None
        clock.settle()
        return Steps([marks.seconds(clock) for marks in counted])

    @property
    def keeps(self) -> bool:
        """Whether what frozen layers gave of the last step's samples is kept, or their images."""
        side = self.parts.prefix.train if self.parts.prefix is not None else None
        if side is None or self._pass.last is None:
            return self.parts.keeps_images("train")
        return side.holds(self.job.progress.epoch, torch.tensor(self._pass.last.samples))

    def _begin_anew(self) -> None:
        """The plan, not the weights: what a step costs doesn't depend on them."""
        self.job.progress = Progress()
        self.parts.schedule.load_state_dict(self._plan)
        self.parts.schedule.apply(self.parts.optimizer)

    def _timed(self) -> Steps | None:
        made, clock = self._pass, self.timeline.clock
        if not made.marks:
            return None
        clock.settle()
        self.job.recorder.flush()  # which finds out what fp16 has skipped
        passes = sum(marks.count(BACKWARD) for marks in made.marks)
        return Steps(
            [marks.seconds(clock) for marks in made.marks],
            sum(len(record.samples) for record in made.records),
            sum(record.skipped is not None for record in made.records),
            passes / max(1, made.batches),
        )

    def _on_step(self, record: StepRecord) -> None:
        now, marks = self._pass, self.timeline.end()
        kept, self.parts.kept = self.parts.kept, []
        if all(kept) != now.kept:
            now.others += 1
            if now.others > self._until_all_are_kept:
                raise _EnoughError
            return
        now.add(marks, record, len(kept))
        self._told(str(now))
        if now.done == WARM_UP + now.steps + now.traced:
            self.timeline.leave()
            self.timeline.named = False
            self.trace.stop()
            raise _EnoughError
        if now.done == WARM_UP + now.steps:
            self.memory = self._watch.seen()
            self.trace.start()
            self.timeline.named = True
            self.timeline.begin()

    @property
    def _until_all_are_kept(self) -> int:
        """Steps."""
        return self.parts.steps_per_epoch * (self.parts.experiment.data.views or 1)

    def _on_epoch(self) -> None:
        epoch = self.job.progress.epoch
        if not self._pass.kept:
            self.parts.forget()
        if epoch >= self._planned or self.parts.stages.beginning(epoch) is not None:
            raise _AgainError


def _undisturbed(parts: Parts) -> Experiment:
    """Without validations and checkpoints, and with what is kept in memory, where it takes room
    only for the samples that are seen. Nothing in the folder of kept features is read or changed.
    """
    experiment = parts.experiment
    section, free = experiment.train, psutil.virtual_memory().available
    memory = free // 4 if section.cache_memory is None else int(section.cache_memory)
    room = min(free, max(memory, int(section.cache_disk)))
    train = {"validate_every": NEVER, "cache_disk": ByteSize(0), "cache_memory": ByteSize(room)}
    checkpoint = {"every": NEVER, "every_steps": None}
    return experiment.model_copy(
        update={
            "train": section.model_copy(update=train),
            "checkpoint": experiment.checkpoint.model_copy(update=checkpoint),
        }
    )

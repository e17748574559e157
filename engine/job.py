"""A run in this process: what trains, where it is, and who writes and asks."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from torch import nn

from engine.build import Parts
from engine.checkpoint import Keeper, Progress
from engine.checkpoint_writer import CheckpointWriter
from engine.contract.events import (
    Compiled,
    Compiling,
    PrefixKept,
    Unfrozen,
    Validated,
    finite,
    non_finite,
)
from engine.contract.samples import ClassLoss, EpochSamples, HardSample, append_samples
from engine.control import Control
from engine.frozen_prefix import build_prefix
from engine.image_cache import ImageCache
from engine.parts.compiling import Forward, compiled, forget_compiled
from engine.recorder import Recorder


@dataclass
class Job:
    """What the loop works on. Only `progress`, `epochs` and `stop_after_epoch` change."""

    parts: Parts
    progress: Progress
    recorder: Recorder
    control: Control
    keeper: Keeper
    epochs: int
    stop_after_epoch: bool = False
    writer: CheckpointWriter = field(init=False)

    def __post_init__(self) -> None:
        self.writer = CheckpointWriter(self.keeper)

    @property
    def planned_end(self) -> int:
        """Optimizer steps at the end of the last epoch."""
        return self.epochs * self.parts.steps_per_epoch


@dataclass(frozen=True)
class Ending:
    """How the loop ended: `stopped` says by whose wish, or is empty at the planned end."""

    metrics: dict[str, float]
    stopped: str = ""


def record_validation(
    job: Job, metrics: dict[str, float], seconds: float, *, requested: bool = False
) -> None:
    """Write the `validated` event of the steps so far."""
    job.recorder.write(
        Validated(
            time=job.recorder.clock(),
            step=job.progress.step,
            epoch=job.progress.epoch,
            metrics={name: finite(value) for name, value in metrics.items()},
            seconds=round(seconds, 3),
            non_finite=non_finite(metrics),
            requested=requested,
        )
    )


def enter_stage(job: Job) -> None:
    """Let train what [[model.unfreeze]] says of this epoch, and write when that begins.

    In the middle of an epoch, where a run may be resumed, nothing is new.
    """
    parts, progress = job.parts, job.progress
    freezing = parts.stages.enter(progress.epoch)
    if freezing is not parts.freezing or parts.prefix is None:
        parts.freezing = freezing
        enter_prefix(job)
    stage = parts.stages.beginning(progress.epoch)
    if stage is None or progress.batch > 0:
        return
    if parts.needs_closure:
        # L-BFGS's history holds no curvature of what was frozen: its next step would be unscaled.
        parts.optimizer.state.clear()
    job.recorder.write(
        Unfrozen(
            time=job.recorder.clock(),
            step=progress.step,
            epoch=progress.epoch,
            layers=stage.layers,
            trainable=stage.freezing.trainable_count,
        )
    )


def enter_prefix(job: Job) -> None:
    """Split the network anew: with more of it training, less is computed once. What is compiled
    is compiled anew too, since its backward is another."""
    parts = job.parts
    if parts.prefix is not None:
        parts.prefix.close()
        forget_compiled()
    forward = partial(_forward, job)
    parts.prefix = build_prefix(
        parts.experiment,
        parts.model,
        parts.freezing,
        parts.data,
        parts.device,
        parts.autocast,
        parts.channels_last,
        forward,
    )
    parts.images = parts.images or ImageCache(parts.experiment, parts.data)
    parts.images.enter(parts.prefix)
    parts.forwards = {split: forward(parts.model, split) for split in ("train", "val")}


def _forward(job: Job, module: nn.Module, split: str) -> Forward:
    data = job.parts.data
    samples = data.train_samples if split == "train" else data.val_samples
    size = min(job.parts.experiment.data.batch_size, samples)
    return compiled(job.parts.experiment.train, module, size, _CompileNews(job, split))


@dataclass(frozen=True)
class _CompileNews:
    """What becomes of compiling, to the run's events."""

    job: Job
    split: str

    def compiling(self) -> None:
        mode = self.job.parts.experiment.train.compile
        self.job.recorder.write(Compiling(**self._place, mode=mode))

    def compiled(self, seconds: float) -> None:
        self.job.recorder.write(Compiled(**self._place, seconds=round(seconds, 3)))

    def not_compiled(self, why: str) -> None:
        self.job.recorder.warn(
            f"{self.split}: the model can't be compiled, and goes on without: {why}",
            "train.compile",
            'write compile = "off", or install what it needs: a C++ compiler, on a GPU Triton',
        )

    @property
    def _place(self) -> dict[str, Any]:
        job = self.job
        step, epoch = job.progress.step, job.progress.epoch
        return {"time": job.recorder.clock(), "step": step, "epoch": epoch, "split": self.split}


def record_prefix(job: Job) -> None:
    """Write what was decided about computing once, if that is news."""
    prefix = job.parts.prefix
    if prefix is not None and (news := prefix.news()) is not None:
        progress = job.progress
        train, val = news
        job.recorder.write(
            PrefixKept(
                time=job.recorder.clock(),
                step=progress.step,
                epoch=progress.epoch,
                train=train,
                val=val,
            )
        )


HARDEST = 100  # samples of an epoch that are named in its line of samples.jsonl


def record_samples(job: Job) -> None:
    """With reduction = "none": a line of samples.jsonl, of the epoch that ends.

    An epoch that is done again after a crash has two lines, of which the last one counts.
    """
    kept, data = job.recorder.epoch_samples, job.parts.data
    if not kept.indices:
        return
    order = sorted(range(len(kept.losses)), key=lambda place: _hardness(kept.losses[place]))
    rows = [
        HardSample(data.sample_name(kept.indices[place]), kept.losses[place])
        for place in order[:HARDEST]
        if math.isfinite(kept.losses[place])
    ]
    sums = zip(data.classes, kept.class_totals, kept.class_counts, strict=False)
    classes = [
        ClassLoss(name, total / count if count else None, count) for name, total, count in sums
    ]
    epoch = EpochSamples(job.progress.epoch, job.progress.step, classes, rows)
    try:
        append_samples(job.keeper.run, epoch)
    except OSError as error:
        where = job.keeper.run.samples
        remedy = "make room on that disk; the training goes on"
        job.recorder.warn(f"no line for this epoch: {error.strerror}", str(where), remedy)


def _hardness(loss: float) -> float:
    """The hardest first; a sample of which nothing counts, last."""
    return -loss if math.isfinite(loss) else math.inf

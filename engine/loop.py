"""The training loop: read it from top to bottom.

The order is that of the PyTorch documentation: forward, loss, backward, optimizer step, then the
schedulers that advance by the batch; after the epoch validation, then the schedulers that advance
by the epoch, the plateau among them. Only this file knows the order of things.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from engine.build import Parts
from engine.epoch_losses import Kept
from engine.evaluate import check_readable, evaluate, losses
from engine.job import Ending, Job, enter_stage, record_prefix, record_samples, record_validation
from engine.parts.backbones import main_and_auxiliary
from engine.parts.batches import Batch
from engine.parts.losses import BatchLoss, Counts
from engine.recorder import OVERFLOWED, SMALLEST_SCALE, StepRecord
from engine.requests import Answers
from engine.saving import (
    checked_flush,
    overflowing,
    raise_what_is_wrong,
    save_epoch,
    save_last,
    save_to_leave,
)


class Window(NamedTuple):
    """The batches of one optimizer step, and the denominators of their losses, one a term.

    A batch whose every target is ignored has counts 0 and is left out: its mean loss is 0/0.
    """

    batches: list[Batch]
    counts: list[Counts]

    @property
    def denominators(self) -> Counts:
        """Of all batches together."""
        if len(self.counts) == 1:
            return self.counts[0]
        return tuple(map(sum, zip(*self.counts, strict=True)))

    @property
    def samples(self) -> list[int]:
        if len(self.batches) == 1:
            return self.batches[0].indices
        return [index for batch in self.batches for index in batch.indices]


def train(job: Job) -> Ending:
    """Train to the last epoch, or until somebody asks for the end.

    Raises RunError where the training cannot go on: a loss that is not finite, a sample that
    can't be read, a checkpoint that could not be written at the end.
    """
    parts, progress, recorder = job.parts, job.progress, job.recorder
    optimizer, schedule = parts.optimizer, parts.schedule
    answers = Answers(job)
    metrics: dict[str, float] = {}

    while progress.epoch < job.epochs:
        enter_stage(job)  # what [[model.unfreeze]] lets train from this epoch on
        parts.freezing.train_mode(parts.model)

        for window in windows(job):
            count = window.denominators
            lr = schedule.lrs
            loss, skipped = None, None
            if any(count):
                loss, skipped = optimizer_step(parts, window, count, wait=schedule.by_step)
                progress.scaler_skipped += skipped is not None
            else:
                skipped = note_all_ignored(job)
            if skipped is None and schedule.step():
                schedule.apply(optimizer)
            recorder.step(
                StepRecord(
                    progress.step,
                    progress.epoch,
                    loss.value if loss is not None else None,
                    count,
                    window.samples,
                    lr,
                    recorder.clock(),
                    skipped,
                    loss.terms if loss is not None else None,
                    loss.samples if loss is not None else (),
                    loss.overflow if loss is not None else None,
                )
            )
            progress.step += 1
            progress.batch += len(window.batches)
            if recorder.non_finite is not None or recorder.overflow:
                raise_what_is_wrong(job)
            if job.control.pending() and (reason := answers.give()):
                return stop(job, reason)
            if _every_steps(job):
                save_last(job)

        checked_flush(job)  # the loop's first wait for the device since the epoch began
        began = time.monotonic()
        metrics = losses(parts, "train", recorder.epoch_loss.means(len(parts.criterion.terms)))
        if _validation_is_due(job):
            validation = evaluate(parts, job.control.stop_pending)
            if validation is None and (reason := answers.give()):
                return stop(job, reason)
            metrics.update(validation or {})
        record_validation(job, metrics, time.monotonic() - began)
        record_prefix(job)
        record_samples(job)
        if schedule.epoch_end(metrics):
            schedule.apply(optimizer)
        progress.epoch, progress.batch = progress.epoch + 1, 0
        recorder.new_epoch()
        save_epoch(job, metrics)
        if job.stop_after_epoch and progress.epoch < job.epochs:
            return stop(job, "stop was asked for after the epoch")
        if job.control.pending() and (reason := answers.give()) and progress.epoch < job.epochs:
            return stop(job, reason)

    return Ending(metrics)


class StepLoss(NamedTuple):
    """The loss of a step, without its graph, on the device: (), and (terms,) where there are
    several. `samples`: what reduction = "none" keeps of each of its batches. `overflow`: (), not 0
    where fp16 gradients overflowed; None where that is known already."""

    value: Tensor
    terms: Tensor | None
    samples: Sequence[Kept]
    overflow: Tensor | None = None


def optimizer_step(
    parts: Parts, window: Window, count: Counts, *, wait: bool = True
) -> tuple[StepLoss, str | None]:
    """One step of the optimizer on a window of batches, whose losses together divide by `count`.

    Returns the loss, and why the step was skipped, if it was. With fp16 only the device knows that:
    it is waited for, or else `overflow` tells whoever reads it with the loss.
    """
    optimizer, scaler = parts.optimizer, parts.scaler
    if parts.needs_closure:  # L-BFGS evaluates the loss several times a step
        evaluated: list[StepLoss] = []

        def closure() -> Tensor:
            evaluated.append(gradients(parts, window, count))
            return evaluated[-1].value

        optimizer.step(closure)  # type: ignore[arg-type]
        return evaluated[0], None

    loss = gradients(parts, window, count)
    if not scaler.is_enabled():
        parts.step()
        return loss, None

    scale = scaler._get_scale_async()  # the scaler's own tensor; get_scale() waits for the device
    assert scale is not None
    before = scale.clone()
    scaler.step(optimizer)  # with a fused optimizer it doesn't wait either
    scaler.update()
    # A smaller scale is how torch's scaler tells that gradients overflowed and no step was taken.
    overflow = torch.where(scale < before, scale, 0.0)
    if not wait:
        return loss._replace(overflow=overflow), None
    if not (smaller := float(overflow)):
        return loss, None
    if smaller < SMALLEST_SCALE:
        raise overflowing(smaller)
    return loss, OVERFLOWED


def gradients(parts: Parts, window: Window, count: Counts) -> StepLoss:
    """Zero, forward, loss, backward, clip: what the optimizer then steps on."""
    for parameter in parts.trained:  # zero_grad, without its range for a profiler: 40 µs
        parameter.grad = None
    several = len(window.batches) > 1
    found: list[BatchLoss] = []
    kept: list[Kept] = []
    for batch, batch_count in zip(window.batches, window.counts, strict=True):
        if not any(batch_count):
            continue
        loss = batch_loss(parts, batch, batch_count, count if several else None)
        parts.backward(loss.value)
        found.append(loss._replace(value=loss.value.detach()))
        if loss.samples is not None:
            kept.append((batch.indices, loss.samples))
    clip = parts.experiment.train.clip_norm
    if clip is not None:
        parts.scaler.unscale_(parts.optimizer)
        torch.nn.utils.clip_grad_norm_(parts.trained, clip)
    total, terms = found[0].value, found[0].terms
    for loss in found[1:]:
        total = total + loss.value
        terms = terms + loss.terms if terms is not None and loss.terms is not None else None
    return StepLoss(total, terms, kept)


def batch_loss(
    parts: Parts, batch: Batch, count: Counts, window: Counts | None = None
) -> BatchLoss:
    """Forward and loss of one batch, its share of the step's where `window` is the step's count."""
    targets = batch.targets.to(parts.device, non_blocking=True)
    output, auxiliary = main_and_auxiliary(parts.forward(batch))
    # In full precision, as autocast itself computes losses; it would refuse BCELoss.
    auxiliary = [extra.float() for extra in auxiliary]
    loss: BatchLoss = parts.criterion(output.float(), auxiliary, targets, count, window)
    return loss


def windows(job: Job) -> Iterator[Window]:
    """The rest of the epoch, `accumulate` batches at a time; the last window may be smaller."""
    parts, progress = job.parts, job.progress
    accumulate = parts.experiment.train.accumulate
    batches: list[Batch] = []
    read = parts.train_batches(progress.epoch, progress.batch)
    for batch in job.recorder.data_wait.timed(read):
        if batch.unreadable:
            note_unreadable(job, batch)
        batches.append(batch)
        if len(batches) == accumulate:
            yield Window(batches, [parts.criterion.counts(b.targets) for b in batches])
            batches = []
    if batches:
        yield Window(batches, [parts.criterion.counts(b.targets) for b in batches])


def note_all_ignored(job: Job) -> str:
    """Count a step that nothing can be learned from, warn at the first; why it is skipped."""
    job.progress.all_ignored += 1
    if job.progress.all_ignored == 1:
        job.recorder.warn(
            f"no target of step {job.progress.step} counts: every one is ignored or weighs 0",
            "loss.ignore_index",
            "such steps are left out and marked in their events; a larger batch_size has fewer",
        )
    return "no target counts"


def note_unreadable(job: Job, batch: Batch) -> None:
    """Raises RunError, or counts the samples and names each once."""
    check_readable(job.parts, batch, "train")
    for bad in batch.unreadable:
        if bad.name not in job.progress.unreadable:
            job.progress.unreadable.append(bad.name)
            job.recorder.warn(
                f"{bad.name} can't be read and is left out: {bad.error}",
                "data.root",
                f"{len(job.progress.unreadable)} so far; repair or delete it",
            )


def _validation_is_due(job: Job) -> bool:
    return job.parts.experiment.train.validates(job.progress.epoch, job.epochs)


def _every_steps(job: Job) -> bool:
    every = job.parts.experiment.checkpoint.every_steps
    return every is not None and job.progress.step % every == 0


def stop(job: Job, reason: str) -> Ending:
    """Leave with a checkpoint of this very step."""
    save_to_leave(job)
    return Ending({}, reason)

"""When a checkpoint is written, under which names, and what to say where it can't be."""

from __future__ import annotations

import copy
import traceback
from collections.abc import Callable, Sequence

from engine.checkpoint import Progress, epoch_file
from engine.checkpoint_writer import Pending, Saved
from engine.contract.problems import RunError, few
from engine.job import Job
from engine.snapshot import snapshot


def save_last(job: Job, answer: Callable[[bool], None] | None = None) -> None:
    """Begin a checkpoint in the middle of an epoch. `answer` is told whether it is there, by the
    thread that writes it."""
    checked_flush(job)
    settle(job)
    answers = [] if answer is None else [answer]
    _hold(job, copy.deepcopy(job.progress), None, {"last": "last.pt"}, answers, now=True)


def save_epoch(job: Job, metrics: dict[str, float]) -> None:
    """A checkpoint at the end of an epoch: `last`, and what it is best of. Of short epochs it
    is held in memory until its turn: several may be written as one.

    At the last epoch it is waited for: one that can't be written is the end of the run's result.
    """
    at_the_end = job.progress.epoch >= job.epochs
    if job.progress.epoch % job.parts.experiment.checkpoint.every and not at_the_end:
        return
    news = job.writer.news() if job.writer.has_room() else job.writer.wait()
    _take_in(job, news.saved)
    ranked = copy.deepcopy(job.progress)
    if news.under_way is not None:  # written before this one, or neither of them is
        _rank_as(ranked, news.under_way.progress)
    metric = metrics.get(job.parts.monitor)
    is_best, is_kept = job.keeper.rank(ranked, metric)
    names = {"epoch": epoch_file(ranked.epoch)} if is_kept else {}
    if is_best:
        names["best"] = "best.pt"
    # The last of them: what a killed run goes on from names no file that is not there.
    names["last"] = "last.pt"
    _hold(job, ranked, metric, names)
    if at_the_end and not settle(job):
        raise_unwritten(job)


def save_to_leave(job: Job) -> None:
    """See to it that `last.pt` is there and of this very step. Raises RunError if it can't be."""
    settle(job)
    latest = job.writer.latest
    if latest is None or latest.missing or not _is_of_now(latest, job):
        save_last(job)
    if not settle(job):
        raise_unwritten(job)


def _is_of_now(saved: Saved, job: Job) -> bool:
    """As after an epoch: then it need not be written again."""
    return (saved.progress, saved.epochs) == (job.progress, job.epochs)


def _hold(
    job: Job,
    progress: Progress,
    metric: float | None,
    names: dict[str, str],
    answers: Sequence[Callable[[bool], None]] = (),
    *,
    now: bool = False,
) -> None:
    """From here on the training may go on: nothing that it changes is in what is written."""
    taken = snapshot(job, progress)
    job.writer.hold(Pending(taken, progress, job.epochs, metric, names, [*answers]), now=now)


def settle(job: Job) -> bool:
    """Write what is held, and wait for it. False where not all of it was written."""
    return _take_in(job, job.writer.wait().saved)


def _take_in(job: Job, saved: list[Saved]) -> bool:
    """Only now is it known what is best and what is kept: no later checkpoint names a file that was
    never written."""
    for one in saved:
        if "best" in one.there:
            job.progress.best, job.progress.best_step = one.progress.best, one.progress.best_step
        if "epoch" in one.there:
            job.progress.kept = one.progress.kept
    return not any(one.missing for one in saved)


def _rank_as(progress: Progress, other: Progress) -> None:
    progress.best, progress.best_step = other.best, other.best_step
    progress.kept = copy.deepcopy(other.kept)


def finish(job: Job) -> None:
    """As a run fails: what is under way is of a step before that, and is still written."""
    try:
        settle(job)
    except Exception:
        traceback.print_exc()  # in console.log; the run's last word is about what came first


def checked_flush(job: Job) -> None:
    """Nothing is saved of a training that has gone wrong: the checkpoint before stays the last."""
    recorder = job.recorder
    recorder.flush()
    job.progress.scaler_skipped += recorder.new_overflows()
    if recorder.non_finite is not None or recorder.overflow:
        raise_what_is_wrong(job)


def raise_unwritten(job: Job) -> None:
    folder = job.keeper.run.checkpoints
    raise RunError(
        f"the checkpoint of step {job.progress.step} could not be written to {folder}",
        "make room on that disk; `ptrain resume` goes on from the checkpoint before",
    )


def overflowing(scale: float) -> RunError:
    return RunError(
        f"the fp16 gradients overflow however small they are scaled, down to {scale}",
        'write precision = "bf16" or "fp32" under [train], or lower the lr',
    )


def raise_what_is_wrong(job: Job) -> None:
    """Of a loss that is not finite, name the step, the learning rates, the samples and the
    checkpoint to go back to."""
    finish(job)
    found = job.recorder.non_finite
    if found is None:
        raise overflowing(job.recorder.overflow)
    record = found.record
    names = [job.parts.data.sample_name(index) for index in record.samples]
    shown = few(names)
    last = job.keeper.run.checkpoints / "last.pt"
    kept = f"the last checkpoint is {last}" if last.exists() else "there is no checkpoint yet"
    rates = ", ".join(f"{lr:g}" for lr in record.lr)
    raise RunError(
        f"the loss is {found.loss} at step {record.step} (epoch {record.epoch}, lr {rates}); "
        f"the samples of that batch: {shown}; {kept}",
        "lower the lr, write clip_norm = 1.0 under [train], or look at those samples",
    )

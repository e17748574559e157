"""When a checkpoint is written, under which names, and what to say where it can't be."""

from __future__ import annotations

from engine.checkpoint import epoch_file
from engine.contract.problems import RunError, few
from engine.job import Job
from engine.snapshot import snapshot


def save_last(job: Job) -> bool:
    """A checkpoint in the middle of an epoch."""
    checked_flush(job)
    return job.keeper.save(snapshot(job), job.progress, None, {"last": "last.pt"})


def save_epoch(job: Job, metrics: dict[str, float]) -> None:
    """A checkpoint at the end of an epoch: `last`, and what it is best of.

    At the last epoch a checkpoint that can't be written is the end of the run's result.
    """
    progress, section = job.progress, job.parts.experiment.checkpoint
    at_the_end = progress.epoch >= job.epochs
    if progress.epoch % section.every and not at_the_end:
        return
    metric = metrics.get(job.parts.monitor)
    before = (progress.best, progress.best_step, progress.kept)
    is_best, is_kept = job.keeper.rank(progress, metric)
    names = {"epoch": epoch_file(progress.epoch)} if is_kept else {}
    names["last"] = "last.pt"
    if is_best:
        names["best"] = "best.pt"
    if not job.keeper.save(snapshot(job), progress, metric, names):
        progress.best, progress.best_step, progress.kept = before
        if at_the_end:
            raise_unwritten(job)


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

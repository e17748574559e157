"""A run from its file to its last word: build, lock, train, and say how it ended."""

from __future__ import annotations

import platform
import time
import traceback
from pathlib import Path
from typing import Any

import torch

from engine import __version__, changes
from engine.build import Parts, build
from engine.checkpoint import Keeper, Progress, newest_intact
from engine.contract.events import (
    Parameters,
    RunFailed,
    RunFinished,
    RunResumed,
    RunStarted,
    RunStopped,
    finite,
)
from engine.contract.problems import (
    EXIT_FAILED,
    EXIT_FINISHED,
    EXIT_STOPPED,
    InputError,
    Problem,
    RunError,
)
from engine.contract.run_directory import Holder, RunDirectory, write_atomically
from engine.contract.toml_file import ExperimentFile, resolved_text
from engine.control import Control
from engine.going_back import WentBack, chosen, go_back
from engine.job import Ending, Job
from engine.loop import train
from engine.recorder import Recorder
from engine.saving import finish
from engine.snapshot import restore


def build_located(file: ExperimentFile, *, pretrained: bool = True, refetch: bool = False) -> Parts:
    """Build, with every problem and warning given its line. Raises InputError."""
    try:
        parts = build(file.experiment, file.folder, pretrained=pretrained, refetch=refetch)
    except InputError as error:
        raise InputError(*file.locate(error.problems)) from None
    parts.warnings = file.locate(parts.warnings)
    return parts


def start(run: RunDirectory, parts: Parts, control: Control, file: Path | None = None) -> int:
    """Train from the beginning. Returns the exit code; the run directory tells the rest. `file` is
    what it was launched from, for people."""
    with run.locked():
        job = _job(run, parts, control)
        job.recorder.write(_started(job, file))
        return _to_the_end(job, run)


def _report(parts: Parts) -> list[str]:
    """What was loaded and what is frozen, in words."""
    weights = parts.built.weights_report
    loaded = weights.describe().splitlines() if weights is not None else []
    if parts.built.opened:
        name, ends = parts.experiment.model.backbone, ", ".join(parts.built.opened)
        loaded.append(
            f"{name} ends in {ends}, a ReLU, and the loss needs negative outputs too: taken out"
        )
    freezing = [*parts.freezing.describe().splitlines(), *parts.stages.describe()]
    return [*loaded, *freezing, *parts.criterion.describe()]


def resume(
    run: RunDirectory, file: ExperimentFile, control: Control, checkpoint: str | None = None
) -> int:
    """Go on exactly where the newest intact checkpoint is, or the one that is named; without any,
    from the beginning.

    `file` is the run's own experiment.toml, or a changed file that was named on the command line;
    `control` has skipped what was asked of earlier engines.
    Raises InputError where going on would be wrong.
    """
    with run.locked():
        found = chosen(run, checkpoint) if checkpoint else newest_intact(run)
        if found is None:
            job = _job(run, build_located(file), control)
            job.recorder.write(_resumed(job, "", []))
            return _to_the_end(job, run)
        changed = changes.accepted(found.content["experiment"], file)
        epochs = _epochs(found.content, file)
        job = _restored(run, file, control, found.content, epochs)
        if changed:
            write_atomically(run.experiment, resolved_text(file.experiment).encode())
        back = go_back(run, found) if checkpoint else WentBack()
        job.recorder.write(_resumed(job, str(found.path.relative_to(run.path)), changed))
        if back.aside is not None:
            remedy = "delete the folder when nobody wants them"
            job.recorder.warn(back.words, str(back.aside.relative_to(run.path)), remedy)
        for bad in found.damaged:
            job.recorder.warn(
                f"{bad.name} is damaged: its sha256 is not the one beside it",
                str(bad),
                f"went on from {found.path.name}, step {job.progress.step}, instead",
            )
        return _to_the_end(job, run)


def _restored(
    run: RunDirectory, file: ExperimentFile, control: Control, content: dict[str, Any], epochs: int
) -> Job:
    """The parts as they were. The weights that the run began with are not needed any more."""
    parts = build_located(file, pretrained=False)
    try:
        changes.same_data(content, parts)
        job = _job(run, parts, control, epochs=epochs)
        restore(job, content)
    except BaseException:
        parts.data.close()
        raise
    return job


def _epochs(content: dict[str, Any], file: ExperimentFile) -> int:
    """What the file says if it has changed, else what was planned when the checkpoint was written:
    a request may have changed it while the run was running."""
    written, before = file.experiment.train.epochs, content["experiment"]["train"]["epochs"]
    epochs = int(content["epochs"]) if written == before else written
    done = int(content["progress"]["epoch"])
    if epochs <= done:
        raise InputError(
            Problem(
                f"all {done} epochs are done",
                "train.epochs",
                f"give more of them: ptrain resume RUN --epochs {done + 5}",
            )
        )
    return epochs


def _job(run: RunDirectory, parts: Parts, control: Control, *, epochs: int | None = None) -> Job:
    criterion = parts.criterion
    recorder = Recorder(run, parts.device, titles=criterion.titles, sums=criterion.sums)
    section = parts.experiment.checkpoint
    keeper = Keeper(run, recorder, keep=section.keep, better=section.better)
    planned = epochs or parts.experiment.train.epochs
    return Job(parts, Progress(), recorder, control, keeper, planned)


def _to_the_end(job: Job, run: RunDirectory) -> int:
    began = time.monotonic()
    recorder = job.recorder
    recorder.start()
    try:
        for warning in job.parts.warnings:
            recorder.warn(warning.message, warning.key, warning.hint)
        ending = train(job)
    except (RunError, InputError) as error:
        remedy = error.remedy if isinstance(error, RunError) else ""
        message = error.message if isinstance(error, RunError) else str(error)
        _fail(job, began, message, remedy)
        return EXIT_FAILED
    except torch.OutOfMemoryError as error:
        _fail(job, began, str(error).splitlines()[0], _memory_remedy(job))
        return EXIT_FAILED
    except Exception as error:
        # A person's own code, a driver, a bug of ours: the traceback belongs in console.log.
        traceback.print_exc()
        _fail(job, began, f"{type(error).__name__}: {error}", f"the traceback is in {run.console}")
        return EXIT_FAILED
    else:
        return _end(job, ending, began)
    finally:
        finish(job)  # of an end that nobody thought of: it writes events too
        job.parts.close()
        recorder.close()


def _memory_remedy(job: Job) -> str:
    batch = job.parts.experiment.data.batch_size
    accumulate = job.parts.experiment.train.accumulate * 2
    return (
        f"write batch_size = {max(1, batch // 2)} under [data] and accumulate = {accumulate} under"
        " [train]: the same step in half the memory"
    )


def _end(job: Job, ending: Ending, began: float) -> int:
    time_, totals = job.recorder.clock(), _totals(job, began)
    if ending.stopped:
        job.recorder.write(RunStopped(time=time_, **totals, reason=ending.stopped))
        return EXIT_STOPPED
    metrics = {name: finite(value) for name, value in ending.metrics.items()}
    job.recorder.write(RunFinished(time=time_, **totals, metrics=metrics))
    return EXIT_FINISHED


def _fail(job: Job, began: float, error: str, remedy: str) -> None:
    finish(job)
    job.recorder.flush()
    word = RunFailed(time=job.recorder.clock(), **_totals(job, began), error=error, remedy=remedy)
    job.recorder.write(word)


def _totals(job: Job, began: float) -> dict[str, Any]:
    progress, folder = job.progress, job.keeper.run.checkpoints
    done = progress.epoch + progress.batch / max(1, job.parts.data.batches_per_epoch)
    return {
        "step": progress.step,
        "epochs": round(done, 4),
        "seconds": round(time.monotonic() - began, 3),
        "best": None if progress.best is None else finite(progress.best),
        "monitor": job.parts.monitor,
        "best_checkpoint": "checkpoints/best.pt" if (folder / "best.pt").exists() else None,
        "last_checkpoint": "checkpoints/last.pt" if (folder / "last.pt").exists() else None,
    }


def device_label(device: torch.device) -> str:
    if device.type == "cuda":
        return f"cuda:{device.index or 0} {torch.cuda.get_device_name(device)}"
    return f"{device.type} {platform.machine()}"


def _started(job: Job, file: Path | None) -> RunStarted:
    parts, holder = job.parts, Holder.this_process()
    return RunStarted(
        time=job.recorder.clock(),
        version=__version__,
        pid=holder.pid,
        host=holder.host,
        device=device_label(parts.device),
        name=parts.experiment.name,
        steps_per_epoch=parts.steps_per_epoch,
        epochs=job.epochs,
        planned_end=job.planned_end,
        groups=[group["name"] for group in parts.optimizer.param_groups],
        parameters=Parameters(
            total=sum(p.numel() for p in parts.model.parameters()),
            trainable=parts.freezing.trainable_count,
        ),
        train_samples=parts.data.train_samples,
        val_samples=parts.data.val_samples,
        task=parts.data.task,
        monitor=parts.monitor,
        classes=parts.data.classes,
        workers=parts.data.workers,
        precision=parts.experiment.train.precision,
        frozen=parts.freezing.frozen,
        file=str(file) if file is not None else "",
        report=_report(parts),
    )


def _resumed(job: Job, checkpoint: str, changed: list[str]) -> RunResumed:
    holder = Holder.this_process()
    return RunResumed(
        time=job.recorder.clock(),
        step=job.progress.step,
        epoch=job.progress.epoch,
        checkpoint=checkpoint,
        version=__version__,
        pid=holder.pid,
        host=holder.host,
        device=device_label(job.parts.device),
        epochs=job.epochs,
        planned_end=job.planned_end,
        changed=changed,
    )

"""What limits the training, in one sentence, and what to write to change that."""

from __future__ import annotations

import math
import os

from engine.build import Parts
from engine.contract.experiment import Experiment
from engine.profile_steps import Measured
from engine.profile_timed import Steps
from engine.timeline import BACKWARD, DATA, FORWARD, LOSS, OPTIMIZER, OTHER

WAITS = 0.2  # of a step: from there on the data is what limits
TAKES = 0.3  # of a step: loss, optimizer, or what is between, where that is more than is usual
FASTER = 1.1  # times: what is worth a word
IDLE = 0.5  # of a step that a GPU computes: below it, the CPU doesn't launch fast enough
VIEWS = "views = 4 under [data]: what frozen layers give is then computed once"


def verdict(parts: Parts, measured: Measured) -> str:
    """One sentence, in which the advice stands last."""
    steps, later = measured.training, measured.later
    if steps.share(DATA) >= WAITS:
        told = f"input-bound: {percent(steps.share(DATA))} of a step waits for data; "
        if later is None:
            return told + _faster(parts, steps)
        if later.share(DATA) < WAITS:
            return f"the first epoch is {told}{_later(steps, later)}"
        told += f"in later epochs {percent(later.share(DATA))}; "
        return told + _faster(parts, later)
    busy = None if measured.traced.busy is None else measured.traced.busy / 1000 / steps.step
    if busy is not None and busy < IDLE:
        told = f"the CPU is the limit: the GPU is busy for {percent(busy)} of a step only"
        return f"{told}; a larger batch_size gives it more to do at a time"
    for part, told in _UNUSUAL.items():
        if steps.share(part) >= TAKES:
            return told.format(percent(steps.share(part))) + _of_optimizer(parts, part)
    share = steps.share(FORWARD) + steps.share(LOSS) + steps.share(BACKWARD)
    device = {"cpu": "CPU", "cuda": "GPU"}.get(parts.device.type, "device")
    told = f"the {device} is the limit: forward and backward take {percent(share)} of a step"
    return told + _of_device(parts, measured)


_UNUSUAL = {
    LOSS: "the loss is the limit: it takes {} of a step",
    OPTIMIZER: "the optimizer is the limit: it takes {} of a step",
    OTHER: "{} of a step is between its parts: look for what else uses this machine",
}


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _later(steps: Steps, later: Steps) -> str:
    return f"later epochs are {steps.step / later.step:.3g} times as fast"


def _faster(parts: Parts, steps: Steps) -> str:
    """How to get batches in time. A worker more is worth it where there is a core for it."""
    wait, step = steps.mean(DATA), steps.step
    workers, cores = parts.data.workers, _cores()
    # Workers that are waited for never rest, so this is what it takes to load a batch.
    loading = wait if workers == 0 else workers * step
    needed = math.ceil(loading / max(step - wait, 1e-9)) if step > wait else cores
    if workers < min(needed, cores):
        return f"write workers = {min(needed, cores)} under [data]"
    if _would_keep(parts):
        return f"write {VIEWS}"
    count = "1 core" if cores == 1 else f"{cores} cores"
    return f"workers = {workers} is as many as {count} can do: smaller image files load faster"


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1


def _would_keep(parts: Parts) -> bool:
    """Whether random images are all that keeps frozen layers from being computed once."""
    samples = parts.data.side("train")
    random = samples is not None and samples.draws and samples.views is None
    cached = parts.experiment.train.cache != "off" and bool(parts.freezing.frozen)
    return random and cached and samples is not None and not samples.source.draws


def _of_optimizer(parts: Parts, part: str) -> str:
    section = parts.experiment.optimizer
    fused = getattr(section, "fused", True)  # True where there is no such implementation
    return "; write fused = true under [optimizer]" if part == OPTIMIZER and fused is None else ""


def _of_device(parts: Parts, measured: Measured) -> str:
    steps, later = measured.training, measured.later
    if later is not None and steps.step > FASTER * later.step:
        return f"; {_later(steps, later)}"
    if _would_keep(parts):
        return f"; write {VIEWS}"
    return _of_precision(parts.experiment) if parts.device.type == "cuda" else ""


def _of_precision(experiment: Experiment) -> str:
    half = experiment.train.precision != "fp32"
    return "" if half else '; write precision = "bf16" under [train]'

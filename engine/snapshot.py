"""A run's whole state as plain tensors, numbers, strings, lists and dicts, and back."""

from __future__ import annotations

import random
from typing import Any, cast

import numpy as np
import torch

from engine import __version__
from engine.build import Parts
from engine.checkpoint import Progress
from engine.device_copy import DeviceCopy
from engine.epoch_losses import EpochLoss, EpochSamples
from engine.job import Job
from engine.parts.optimizers import load_optimizer

FORMAT = 1


def snapshot(job: Job, progress: Progress) -> DeviceCopy:
    """What exact resuming needs, and what using the model needs: `model`, `task`, `classes`, and
    for standardized numbers `scaling`: output x std + mean is in the original unit. `opened` names
    the layers that are an nn.Identity in this model, and a ReLU in torchvision's.

    No times and no paths of this machine, so that two runs with the same numbers have the same
    checkpoints. It is all as it is now, and the training may go on; `progress` is the job's, with
    what is best now. Costs as much memory as the weights that train at any time and the optimizer's
    state: what never changes is not copied.
    """
    parts = job.parts
    model = parts.model.state_dict()
    still = unchanging(parts)
    content = {
        "format": FORMAT,
        "version": __version__,
        "experiment": parts.experiment.model_dump(exclude_none=True),
        "task": parts.data.task,
        "classes": parts.data.classes,
        "scaling": _scaling(parts),
        "opened": list(parts.built.opened),
        "data": parts.data.fingerprint,
        "model": model,
        "optimizer": parts.optimizer.state_dict(),
        "schedule": parts.schedule.state_dict(),
        "lr": list(parts.schedule.lrs),
        "scaler": parts.scaler.state_dict(),
        "progress": progress.state_dict(),
        "epochs": job.epochs,
        "epoch_loss": job.recorder.epoch_loss.state_dict(),
        "epoch_samples": job.recorder.epoch_samples.state_dict(),
        "generators": generators(parts.device),
    }
    return DeviceCopy(content, parts.device, [model[name] for name in still if name in model])


def unchanging(parts: Parts) -> list[str]:
    """The names of the model's parameters and buffers that are the same to the end of the run:
    those that the optimizer doesn't know, and those of modules that stay in evaluation mode also in
    the last stage of [[model.unfreeze]]. (In evaluation mode a norm layer's statistics stand.)"""
    model, trained = parts.model, set(map(id, parts.trained))
    still = set(parts.stages.last.evaluating)
    parameters = [
        name
        for name, parameter in model.named_parameters(remove_duplicate=False)
        if id(parameter) not in trained
    ]
    buffers = [
        f"{prefix}.{name}"
        for prefix, module in model.named_modules(remove_duplicate=False)
        if module in still
        for name, _ in module.named_buffers(recurse=False)
    ]
    return parameters + buffers


def _scaling(parts: Parts) -> dict[str, list[float]]:
    scaling = parts.criterion.scaling
    return {} if scaling is None else {"mean": scaling.mean.tolist(), "std": scaling.std.tolist()}


def restore(job: Job, content: dict[str, Any]) -> None:
    """Put everything back; the generators last, since building draws from them."""
    parts = job.parts
    parts.model.load_state_dict(content["model"])
    load_optimizer(parts.optimizer, content["optimizer"])
    parts.schedule.load_state_dict(content["schedule"])
    parts.schedule.apply(parts.optimizer)
    parts.scaler.load_state_dict(content["scaler"])
    job.progress = Progress(**content["progress"])
    job.recorder.epoch_loss = EpochLoss(**content["epoch_loss"])
    job.recorder.epoch_samples = EpochSamples.of_state(content["epoch_samples"])
    restore_generators(content["generators"], parts.device)


def generators(device: torch.device) -> dict[str, Any]:
    """The state of every global generator."""
    version, numbers, gauss = random.getstate()
    kind, keys, position, has_gauss, cached = cast(
        tuple[str, Any, int, int, float], np.random.get_state(legacy=True)
    )
    states: dict[str, Any] = {
        "torch": torch.get_rng_state(),
        # As tensors: the 625 numbers one by one are a quarter of the time that pickling takes.
        "python": [version, torch.tensor(numbers), gauss],
        "numpy": [kind, torch.from_numpy(keys.astype(np.int64)), position, has_gauss, cached],
    }
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def restore_generators(states: dict[str, Any], device: torch.device) -> None:
    """A state of a device that is not used any more is left out: its numbers can't be gone on."""
    torch.set_rng_state(states["torch"])
    version, numbers, gauss = states["python"]
    random.setstate((version, tuple(numbers.tolist()), gauss))
    kind, keys, position, has_gauss, cached = states["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), position, has_gauss, cached))
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
    elif device.type == "mps" and "mps" in states:
        torch.mps.set_rng_state(states["mps"])

"""What can be found out before training: everything is built, and one real batch goes through."""

from __future__ import annotations

import math

import torch

from engine.build import Parts
from engine.contract.backbones import BACKBONES
from engine.contract.problems import InputError, Problem
from engine.contract.toml_file import ExperimentFile
from engine.loop import batch_loss
from engine.parts.batches import Batch
from engine.run import build_located


def check(file: ExperimentFile, *, refetch: bool = False) -> list[Problem]:
    """Every problem and warning that building and one batch can show. Trains nothing."""
    try:
        parts = build_located(file, refetch=refetch)
    except InputError as error:
        return list(error.problems)
    try:
        found = _first_batch(parts)
    finally:
        parts.data.close()
    return [*file.locate(found), *parts.warnings]


def _first_batch(parts: Parts) -> list[Problem]:
    batch = next(iter(parts.data.train_batches(0)))
    if batch.unreadable:
        bad = batch.unreadable[0]
        skipped = parts.experiment.data.skip_unreadable
        return [
            Problem(
                f"{bad.name} can't be read as an image: {bad.error}",
                "data.root",
                "repair or delete it; or write skip_unreadable = true to go on without such files",
                severity="warning" if skipped else "error",
            )
        ]
    return _forward_and_backward(parts, batch)


def _forward_and_backward(parts: Parts, batch: Batch) -> list[Problem]:
    """The batch through model, loss and backward, in training mode as the loop does it."""
    count = parts.criterion.counts(batch.targets)
    if not any(count):
        return []
    parts.freezing.train_mode(parts.model)
    try:
        loss = batch_loss(parts, batch, count).value
        loss.backward()  # type: ignore[no-untyped-call]
        value = float(loss.detach())
    except torch.OutOfMemoryError:
        size = parts.experiment.data.batch_size
        hint = f"batch_size = {max(1, size // 2)} and train.accumulate = 2 make the same step"
        return [Problem(f"a batch of {size} doesn't fit into {parts.device}", "data", hint)]
    except (RuntimeError, ValueError) as error:
        row = BACKBONES[parts.experiment.model.backbone]
        message = f"{row.name} can't take the first batch, {tuple(batch.inputs.shape)}: {error}"
        hint = f"{row.name} takes images from {row.smallest} px on"
        return [Problem(message, "data.image_size", hint)]
    if not math.isfinite(value):
        hint = 'look at the weights file, or start with weights = "none"'
        return [Problem(f"the loss of the first batch is {value}", "loss", hint)]
    return []

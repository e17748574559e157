"""One pass over the validation samples."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from engine.build import Parts
from engine.contract.problems import RunError
from engine.parts.batches import Batch


def evaluate(
    parts: Parts, interrupted: Callable[[], bool] = lambda: False
) -> dict[str, float] | None:
    """`val/loss` (the mean over every target that counts) and the metrics; {} without validation.

    None when `interrupted` says so between two batches. Every number is NaN where no target counts.
    Leaves the model in evaluation mode. The device is waited for once, at the end.
    """
    if parts.data.val_samples == 0:
        return {}
    parts.model.eval()
    parts.metrics.reset()
    wide = torch.float32 if parts.device.type == "mps" else torch.float64  # mps has no float64
    total = torch.zeros((), dtype=wide, device=parts.device)
    count = 0.0
    with torch.inference_mode():
        for batch in parts.data.val_batches():
            if interrupted():
                return None
            check_readable(parts, batch, "val")
            if len(batch.targets) == 0:
                continue
            inputs = batch.inputs.to(parts.device, non_blocking=True)
            targets = batch.targets.to(parts.device, non_blocking=True)
            with parts.autocast:
                output = parts.model(inputs)
                total += parts.criterion.total(output, targets)
            parts.metrics.update(output.float(), targets)
            count += parts.criterion.count_of_any(batch.targets)
        if count == 0:
            return dict.fromkeys(("val/loss", *(f"val/{name}" for name in parts.metrics)), math.nan)
        values = {f"val/{name}": float(value) for name, value in parts.metrics.compute().items()}
    return {"val/loss": float(total) / count, **values}


def check_readable(parts: Parts, batch: Batch, split: str) -> None:
    """Raises RunError for a sample that can't be read, unless they are to be skipped."""
    if not batch.unreadable or parts.experiment.data.skip_unreadable:
        return
    bad = batch.unreadable[0]
    raise RunError(
        f"{bad.name} can't be read as an image ({split}): {bad.error}",
        "repair or delete it; or write skip_unreadable = true under [data] to go on without it",
    )

"""One pass over the validation samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch

from engine.build import Parts
from engine.contract.problems import RunError
from engine.parts.backbones import main_and_auxiliary
from engine.parts.batches import Batch


def evaluate(
    parts: Parts, interrupted: Callable[[], bool] = lambda: False
) -> dict[str, float] | None:
    """`val/loss` (the mean over every target that counts), its terms where there are several, and
    the metrics; {} without validation.

    None when `interrupted` says so between two batches. Every number is NaN where no target counts.
    Leaves the model in evaluation mode. The device is waited for once, at the end.
    """
    if parts.data.val_samples == 0:
        return {}
    parts.model.eval()
    parts.metrics.reset()
    wide = torch.float32 if parts.device.type == "mps" else torch.float64  # mps has no float64
    criterion = parts.criterion
    totals = torch.zeros(len(criterion.terms), dtype=wide, device=parts.device)
    counts = [0.0] * len(criterion.terms)
    with torch.inference_mode():
        for batch in parts.val_batches():
            if interrupted():
                return None
            check_readable(parts, batch, "val")
            if len(batch.targets) == 0:
                continue
            targets = batch.targets.to(parts.device, non_blocking=True)
            output, _ = main_and_auxiliary(parts.forward_val(batch))
            output = output.float()
            totals += criterion.totals(output, targets)
            predictions = criterion.predictions(output, probabilities=parts.probabilities)
            # Some of torchmetrics' count 0 and 1 as they index, which floats can't.
            parts.metrics.update(
                predictions, targets.long() if parts.data.task == "multilabel" else targets
            )
            more = criterion.counts_of_any(batch.targets)
            counts = [sum(pair) for pair in zip(counts, more, strict=True)]
        if not all(counts):
            names = [f"val/{name}" for name in parts.metrics]
            return dict.fromkeys((*losses(parts, "val", counts), *names), math.nan)
        values = {f"val/{name}": float(value) for name, value in parts.metrics.compute().items()}
    means = [total / count for total, count in zip(totals.tolist(), counts, strict=True)]
    return {**losses(parts, "val", means), **values}


def losses(parts: Parts, split: str, means: Sequence[float]) -> dict[str, float]:
    """`val/loss`, and `val/loss/TERM` of each term where there are several."""
    criterion = parts.criterion
    found = {f"{split}/loss": criterion.combined(means)}
    if len(means) > 1:
        named = zip(criterion.titles, means, strict=True)
        found |= {f"{split}/loss/{title}": mean for title, mean in named}
    return found


def check_readable(parts: Parts, batch: Batch, split: str) -> None:
    """Raises RunError for a sample that can't be read, unless they are to be skipped."""
    if not batch.unreadable or parts.experiment.data.skip_unreadable:
        return
    bad = batch.unreadable[0]
    raise RunError(
        f"{bad.name} can't be read as an image ({split}): {bad.error}",
        "repair or delete it; or write skip_unreadable = true under [data] to go on without it",
    )

"""How many batches and optimizer steps an epoch has: one computation for the run and for plans."""

from __future__ import annotations

from engine.contract.problems import InputError, Problem


def batches_per_epoch(samples: int, batch_size: int, *, drop_last: bool) -> int:
    """Of training. Raises InputError where there would be none."""
    full, rest = divmod(samples, batch_size)
    batches = full + (rest > 0 and not drop_last)
    if batches == 0:
        message = f"a batch of {batch_size} is more than the {samples} samples there are"
        hint = "make it smaller, or leave drop_last out"
        raise InputError(Problem(message, "data.batch_size", hint))
    return batches


def steps_per_epoch(batches: int, accumulate: int) -> int:
    """Optimizer steps: the last one of an epoch may take fewer batches."""
    return -(-batches // accumulate)

"""`ptrain hardest`: the loss of each class, and the samples that a training found hardest."""

from __future__ import annotations

import json as json_module
from typing import Any

import msgspec
from rich.markup import escape
from rich.table import Table

from engine.contract.problems import InputError, Problem
from engine.contract.run_directory import RunDirectory
from engine.contract.samples import ClassLoss, EpochSamples, read_samples
from engine.tables import print_table, table

SHOWN = 20  # of the hardest samples, for people


def print_hardest(run: RunDirectory, epoch: int | None, most: int | None, *, json: bool) -> None:
    """`epoch` from 1, as people count them. Without it: the last one; as JSON, each on a line.

    Raises InputError where the run has kept nothing, or not of that epoch.
    """
    epochs = read_samples(run)
    if not epochs:
        raise InputError(_nothing(run))
    chosen = epochs if epoch is None and json else [_of(epochs, epoch)]
    if not json:
        _show(epochs[0], chosen[0], SHOWN if most is None else most)
        return
    for each in chosen:
        values: dict[str, Any] = msgspec.to_builtins(each)
        print(json_module.dumps({**values, "hardest": values["hardest"][:most]}))


def _of(epochs: list[EpochSamples], number: int | None) -> EpochSamples:
    if number is None:
        return epochs[-1]
    found = next((each for each in epochs if each.epoch == number - 1), None)
    if found is None:
        there = ", ".join(str(each.epoch + 1) for each in epochs)
        raise InputError(Problem(f"epoch {number} is not there", "--epoch", f"there are: {there}"))
    return found


def _nothing(run: RunDirectory) -> Problem:
    return Problem(
        f"{run.id} has not kept the loss of each sample, or has not finished an epoch",
        hint='write reduction = "none" under [loss]: it minimizes the mean all the same',
        file=run.samples,
    )


def _show(first: EpochSamples, epoch: EpochSamples, most: int) -> None:
    print(f"epoch {epoch.epoch + 1}, step {epoch.step}: the loss in training")
    print_table(_classes(first, epoch))
    if not epoch.hardest or not most:
        return
    print("\nthe hardest samples")
    for sample in epoch.hardest[:most]:  # no table, which would cut off a long path
        print(f"{sample.loss:9.4f}  {sample.sample}")


def _classes(first: EpochSamples, epoch: EpochSamples) -> Table:
    before = {each.name: each.loss for each in first.classes}
    columns = ["class", "targets", "mean loss"]
    changed = epoch.epoch != first.epoch
    rows = table(*columns, *([f"since epoch {first.epoch + 1}"] if changed else []))
    for each in epoch.classes:
        loss = "" if each.loss is None else f"{each.loss:.4f}"
        since = [_change(each, before.get(each.name))] if changed else []
        rows.add_row(escape(each.name), f"{each.count:.0f}", loss, *since)
    return rows


def _change(each: ClassLoss, before: float | None) -> str:
    if each.loss is None or before is None:
        return ""
    share = f" ({each.loss / before - 1:+.0%})" if before else ""
    return f"{each.loss - before:+.4f}{share}"

"""The parts `whole` and `resnet50`: what a step costs more under the engine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tables import Table, median, turns
from work import ResidentWork, StepWork, Timed, alone

if TYPE_CHECKING:
    from run import Options

LIGHTNING = "Lightning"
TARGETS = [1.0, 5.0, 50.0]  # ms a step
LEAST, EPOCHS = 2000.0, 3  # ms of one turn, and epochs, at least
STEPS = 57  # an epoch of the digits
ABOUT = (
    "Nothing is frozen; the bundled digits, in memory, train networks of the depth whose step "
    "takes about so long here, for several epochs of 57 steps. `by hand, index_select` takes its "
    "batches the quickest way there is from memory; its time is what the others' are divided by, "
    "turn by turn. Wanted: between 0.98 and 1.02. `a step`: the median of all steps; `in all`: the "
    "time of all epochs but the first, by their steps; `turns`: the least and the largest ratio of "
    "it. The weights at the end are the same, bit by bit."
)


def whole(options: Options, folder: Path) -> Iterator[Table]:
    columns = ["", "a step, ms", "ratio", "in all, ms", "ratio", "turns"]
    table = Table("Steps of a whole network", ABOUT, columns)
    targets = TARGETS[:1] if options.epochs == 1 else TARGETS
    found = alone("steps", "depths", targets, options.device, options.threads)
    for target, depth in zip(targets, found, strict=True):
        results = measured(options, depth, max(EPOCHS, round(LEAST / STEPS / target)))
        add_rows(table, f"{target:g} ms", results, options.device)
    yield table


def measured(options: Options, depth: int, epochs: int) -> dict[str, list[Timed]]:
    contenders = {
        "by hand, index_select": ("steps", "by_hand"),
        "by hand, DataLoader": ("steps", "by_hand_loaded"),
        "ptrain": ("steps", "engine"),
    }
    if "lightning" in options.peers:
        contenders[LIGHTNING] = ("steps_lightning", "with_lightning")
    results: dict[str, list[Timed]] = {name: [] for name in contenders}
    for turn in range(options.repeats):
        for name, (module, function) in contenders.items():
            if name == LIGHTNING and turn > 0:
                continue
            print(f"{name}, depth {depth} …", file=sys.stderr, flush=True)
            work = StepWork(depth, epochs, options.device, options.threads)
            results[name].append(alone(module, function, work))
            first = results["by hand, index_select"][0]
            if options.device == "cpu" and results[name][-1].weights != first.weights:
                raise AssertionError(f"{name} computes other numbers")
    return results


def add_rows(table: Table, size: str, results: dict[str, list[Timed]], device: str) -> None:
    base = results["by hand, index_select"]
    for name, own in results.items():
        row = [f"{size}: {name}"]
        for figure in ("typical", "in_all"):
            mine, theirs = ([getattr(timed, figure) for timed in r] for r in (own, base))
            ratios = [one / other for one, other in zip(mine, theirs, strict=False)]
            unknown = figure == "typical" and device == "cuda"
            row += ["", ""] if unknown else [f"{median(mine):.3f}", f"{median(ratios):.3f}"]
        table.rows.append([*row, turns(ratios)])


def resnet50(options: Options, folder: Path) -> Iterator[Table]:
    cuda = options.device == "cuda"
    batch, steps, epochs = (128, 100, 3) if cuda else (2, 1, 2)  # on a CPU only to try it
    about = (
        f"All of it trains in bf16, batches of {batch} at {options.size} px. One batch is on the "
        "device already and comes again and again, to the engine in the place of its data: nothing "
        "is read or moved. `from pinned memory`: the engine's batch moves to the device each time. "
        "Wanted: within 3 % of the bare model. Images a second, without the first epoch."
    )
    work = ResidentWork(options.device, options.size, batch, steps, epochs, threads=options.threads)
    moved = replace(work, pinned=True)
    contenders = {"bare model": ("bare", work), "ptrain": ("engine", work)}
    if cuda:
        contenders["ptrain, from pinned memory"] = ("engine", moved)
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(options.repeats):
        for name, (function, given) in contenders.items():
            print(f"resnet50: {name} …", file=sys.stderr, flush=True)
            seconds[name].append(alone("resident", function, given))
    table = Table("resnet50 on the device", about, ["", "images/s", "of the bare", "turns"])
    for name, own in seconds.items():
        speeds = [bare / mine for bare, mine in zip(seconds["bare model"], own, strict=True)]
        images = [batch / mine for mine in own]
        row = [name, f"{median(images):.1f}", f"{median(speeds):.3f}", turns(speeds)]
        table.rows.append(row)
    yield table


PARTS = {"whole": whole, "resnet50": resnet50}

"""The part `memory`: the peak of ptrain against that of the loop by hand."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from finetuning import HAND, prepared, squeezenet
from tables import Table, median
from work import Result, Work, alone

if TYPE_CHECKING:
    from run import Options

ABOUT = (
    "squeezenet1_1 for two epochs, one worker for each loader of both. The peaks are the largest "
    "resident sizes of the process and of its largest worker; `cache` is what the frozen layers "
    "gave, and all that was allowed to be kept. Wanted: at most 1.05 of the loop by hand's peaks "
    "and the cache together."
)
COLUMNS = ["", "process, MB", "worker, MB", "cache, MB", "of by hand + cache"]
DISK = 'cache = "on"'
NO_DISK = 'cache = "on"\ncache_disk = 0\ncache_memory = {}'


def memory(options: Options, folder: Path) -> Iterator[Table]:
    cuda = options.device == "cuda"
    table = Table("Memory", ABOUT, [*COLUMNS, "GPU, MB"] if cuda else COLUMNS)
    head = replace(squeezenet(options), epochs=2, by_hand_epochs=2, workers=1, ptrain_workers=1)
    whole = replace(head, trained=("",))
    results = by_hand(whole, options, folder)
    results["ptrain"] = ptrain(whole, options, folder)
    add_rows(table, "whole network", results)
    results = by_hand(head, options, folder)
    results["ptrain, cache on the disk"] = ptrain(replace(head, cache=DISK), options, folder)
    kept = results["ptrain, cache on the disk"][0].kept
    in_memory = ptrain(replace(head, cache=NO_DISK.format(kept)), options, folder)
    results["ptrain, cache in memory"] = [replace(result, kept=kept) for result in in_memory]
    add_rows(table, "head alone", results)
    yield table


def by_hand(work: Work, options: Options, folder: Path) -> dict[str, list[Result]]:
    print("memory: by hand …", file=sys.stderr, flush=True)
    start = prepared(work, folder)
    return {HAND: [alone("by_hand", "run", work, start) for _ in range(options.repeats)]}


def ptrain(work: Work, options: Options, folder: Path) -> list[Result]:
    print("memory: ptrain …", file=sys.stderr, flush=True)
    results = []
    for _ in range(options.repeats):
        with tempfile.TemporaryDirectory(dir=folder) as name:
            start = prepared(work, folder)
            results.append(alone("by_ptrain", "run", work, start, Path(name), "run"))
    return results


def add_rows(table: Table, what: str, results: dict[str, list[Result]]) -> None:
    hand = median([sum(result.peak) for result in results[HAND]])
    for contender, own in results.items():
        process, worker = (median([result.peak[i] for result in own]) for i in (0, 1))
        kept = own[0].kept
        row = [f"{what}: {contender}", megabytes(process), megabytes(worker), megabytes(kept)]
        row.append(f"{(process + worker) / (hand + kept):.3f}")
        if "GPU, MB" in table.columns:
            row.append(megabytes(median([result.device_peak for result in own])))
        table.rows.append(row)


def megabytes(size: float) -> str:
    return f"{size / 1e6:.0f}"


PARTS = {"memory": memory}

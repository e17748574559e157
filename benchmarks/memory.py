"""The part `memory`: the peak of ptrain against that of the loop by hand."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from finetuning import squeezenet
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
NO_DISK = 'cache = "on"\ncache_disk = 0\ncache_memory = {}'


def memory(options: Options, folder: Path) -> Iterator[Table]:
    cuda = options.device == "cuda"
    table = Table("Memory", ABOUT, [*COLUMNS, "GPU, MB"] if cuda else COLUMNS)
    head = replace(squeezenet(options), epochs=2, by_hand_epochs=2, workers=1, ptrain_workers=1)
    whole = replace(head, trained=("",))
    add_rows(table, "whole network", peaks(whole, options, folder))
    on_disk = peaks(replace(head, cache='cache = "on"'), options, folder)
    add_rows(table, "head alone, cache on the disk", on_disk)
    kept = on_disk["ptrain"][0].kept
    in_memory = peaks(replace(head, cache=NO_DISK.format(kept)), options, folder)
    in_memory["ptrain"] = [replace(result, kept=kept) for result in in_memory["ptrain"]]
    add_rows(table, "head alone, cache in memory", in_memory)
    yield table


def peaks(work: Work, options: Options, folder: Path) -> dict[str, list[Result]]:
    results: dict[str, list[Result]] = {"by hand": [], "ptrain": []}
    with tempfile.TemporaryDirectory(dir=folder) as name:
        prepared = alone("by_ptrain", "prepare", work, Path(name))
        for turn in range(options.repeats):
            print("memory …", file=sys.stderr, flush=True)
            results["by hand"].append(alone("by_hand", "run", work, prepared))
            place = Path(name) / str(turn)
            place.mkdir()
            results["ptrain"].append(alone("by_ptrain", "run", work, prepared, place, "run"))
    return results


def add_rows(table: Table, what: str, results: dict[str, list[Result]]) -> None:
    hand = median([sum(result.peak) for result in results["by hand"]])
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

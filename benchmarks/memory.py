"""The part `memory`: the peak of ptrain against that of the loop by hand."""

from __future__ import annotations

import contextlib
import importlib
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from finetuning import HAND, prepared, squeezenet
from tables import Table
from work import Result, Work, alone

if TYPE_CHECKING:
    from run import Options

ABOUT = (
    "squeezenet1_1 for two epochs, one turn, one worker for each loader of both. `process` and "
    "`worker`: the largest resident sizes of the process and of its largest worker, which share "
    "much of it. `together`: the process and what its workers have for themselves, the largest sum "
    "of ten a second. `cache`: what the frozen layers gave, and all that was "
    "allowed to be kept. Wanted: together at most 1.05 of the loop by hand and the cache."
)
COLUMNS = ["", "process, MB", "worker, MB", "together, MB", "cache, MB", "of by hand + cache"]
SECONDS = 0.1  # between two looks
DISK = 'cache = "on"'
NO_DISK = 'cache = "on"\ncache_disk = 0\ncache_memory = {}'


def memory(options: Options, folder: Path) -> Iterator[Table]:
    cuda = options.device == "cuda"
    table = Table("Memory", ABOUT, [*COLUMNS, "GPU, MB"] if cuda else COLUMNS)
    head = replace(squeezenet(options), epochs=2, by_hand_epochs=2, workers=1, ptrain_workers=1)
    whole = replace(head, trained=("",))
    results = {HAND: by_hand(whole, folder), "ptrain": ptrain(whole, folder)}
    add_rows(table, "whole network", results)
    on_disk = ptrain(replace(head, cache=DISK), folder)
    in_memory = ptrain(replace(head, cache=NO_DISK.format(on_disk.kept)), folder)
    results = {
        HAND: by_hand(head, folder),
        "ptrain, cache on the disk": on_disk,
        "ptrain, cache in memory": replace(in_memory, kept=on_disk.kept),
    }
    add_rows(table, "head alone", results)
    yield table


def by_hand(work: Work, folder: Path) -> Result:
    print("memory: by hand …", file=sys.stderr, flush=True)
    result: Result = alone("memory", "watched", "by_hand", work, prepared(work, folder))
    return result


def ptrain(work: Work, folder: Path) -> Result:
    print("memory: ptrain …", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(dir=folder) as name:
        start = prepared(work, folder)
        result: Result = alone("memory", "watched", "by_ptrain", work, start, Path(name), "run")
    return result


def watched(module: str, *arguments: object) -> Result:
    """What `module.run(*arguments)` gives, with the peak of this process and its workers."""
    peak, done = 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(SECONDS):
            peak = max(peak, together(psutil.Process()))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    result: Result = importlib.import_module(module).run(*arguments)
    done.set()
    watcher.join()
    return replace(result, together=max(peak, together(psutil.Process())))


def together(process: psutil.Process) -> int:
    """Bytes: all of the process, and what its workers have beside it for themselves."""
    total: int = process.memory_info().rss
    for worker in process.children(recursive=True):
        with contextlib.suppress(psutil.Error):  # one that has ended meanwhile
            total += worker.memory_full_info().uss
    return total


def add_rows(table: Table, what: str, results: dict[str, Result]) -> None:
    hand = results[HAND].together
    for contender, own in results.items():
        sizes = (*own.peak, own.together, own.kept)
        row = [f"{what}: {contender}", *map(megabytes, sizes)]
        row.append(f"{own.together / (hand + own.kept):.3f}")
        if "GPU, MB" in table.columns:
            row.append(megabytes(own.device_peak))
        table.rows.append(row)


def megabytes(size: float) -> str:
    return f"{size / 1e6:.0f}"


PARTS = {"memory": memory}

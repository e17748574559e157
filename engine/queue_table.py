"""What waits in the queue: shown, and taken out; nothing is imported that only starting needs."""

from __future__ import annotations

import json as json_module
import sys
from pathlib import Path
from typing import Any

from engine.contract.problems import InputError, Problem
from engine.contract.queue import Entry, Queue
from engine.contract.run_directory import runs_root


def print_queue(runs: Path | None, *, json: bool) -> None:
    """Every entry, the next one first, and whether somebody starts them."""
    queue = Queue(runs_root(runs))
    entries, moves = queue.entries(), queue.moves()
    if json:
        rows = [_row(place, entry) for place, entry in enumerate(entries, 1)]
        print(json_module.dumps({"moves": moves, "entries": rows}))
        return
    if not entries:
        print("the queue is empty", file=sys.stderr)
        return
    for place, entry in enumerate(entries, 1):
        state = f"{entry.state}: {entry.error}" if entry.error else entry.state
        print(f"{place}  {entry.name}  {', '.join(entry.devices)}  {state}")
    if not moves:
        print("nobody starts them: `ptrain queue run` does", file=sys.stderr)


def _row(place: int, entry: Entry) -> dict[str, Any]:
    return {
        "place": place,
        "id": entry.id,
        "file": entry.file,
        "devices": entry.devices,
        "host": entry.host,
        "state": entry.state,
        "error": entry.error or None,
    }


def remove(place: int, runs: Path | None, *, json: bool) -> None:
    """The entry at that place, from 1. Raises InputError where there is none."""
    queue = Queue(runs_root(runs))
    entries = queue.entries()
    if not 0 < place <= len(entries):
        raise InputError(Problem(f"there is no entry {place}", "N", "`ptrain queue` lists them"))
    entry = entries[place - 1]
    if not queue.remove(entry.id):
        hint = "`ptrain stop last` ends it once it runs"
        raise InputError(Problem(f"{entry.name} is being started", "N", hint))
    print(json_module.dumps({"removed": entry.id}) if json else f"{entry.name} is removed")

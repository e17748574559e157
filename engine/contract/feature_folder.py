"""The folder of kept features: what is in it, and taking away what was used longest ago.

$PTRAIN_CACHE, else $XDG_CACHE_HOME/ptrain, else ~/.cache/ptrain
    features/<key>/       about.json, records.bin, marks.bin
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ABOUT, RECORDS, MARKS = "about.json", "records.bin", "marks.bin"


class StoreError(Exception):
    """Why nothing can be kept, for a person: no room, no permission."""


def cache_folder() -> Path:
    """Where features are kept, of all experiments together."""
    given = os.environ.get("PTRAIN_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return (Path(given) if given else Path(base) / "ptrain") / "features"


@dataclass(frozen=True)
class Entry:
    """A store on the disk, as `ptrain cache` lists it. `used`: seconds since the epoch."""

    path: Path
    bytes: int
    used: float
    about: dict[str, Any]


def entries(folder: Path) -> list[Entry]:
    """What is kept, the one used last first."""
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        try:
            about = json.loads((path / ABOUT).read_bytes())
            used = (path / ABOUT).stat().st_mtime
            size = sum(file.stat().st_blocks * 512 for file in path.iterdir())
        except (OSError, ValueError):
            continue  # one that is being made, or being taken away
        found.append(Entry(path, size, used, about))
    return sorted(found, key=lambda entry: -entry.used)


def make_room(folder: Path, limit: int, wanted: int) -> None:
    """Take away what was used longest ago until `wanted` bytes more fit into `limit`; what a run
    is using stays. Raises StoreError where that is not enough."""
    kept = entries(folder)
    total = sum(entry.bytes for entry in kept)
    for entry in reversed(kept):
        if total + wanted <= limit:
            return
        if remove(entry.path):
            total -= entry.bytes
    if total + wanted > limit:
        raise StoreError(f"{wanted / 1e9:.3g} GB are more than is left of cache_disk")


def remove(path: Path) -> bool:
    """Whether it is gone: not while a run is using it."""
    try:
        with (path / ABOUT).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path)
    except OSError:
        return False
    return True

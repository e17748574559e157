"""Going on from a chosen checkpoint, and what becomes of those of later steps.

What was trained after it is trained again, so the later checkpoints belong to a story that is not
told any more: left where they are, the next resume would go on from them, and `best.pt` would name
an epoch that the run has not reached. They are moved aside, not deleted: a person may want them.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from engine.checkpoint import Found, Written, install, intact, load, moved
from engine.contract.problems import InputError, Problem, did_you_mean
from engine.contract.run_directory import RunDirectory, sync_folder

Place = tuple[int, int]  # (step, epoch) to come


def chosen(run: RunDirectory, name: str) -> Found:
    """The checkpoint of that name: `best`, `last`, `epoch-0007`, with or without `.pt` and folder.

    Raises InputError where there is none, or a damaged one.
    """
    file = f"{Path(name).name.removesuffix('.pt')}.pt"
    path = run.checkpoints / file
    there = sorted(each.name for each in run.checkpoints.glob("*.pt"))
    if file not in there:
        listed = f"there are {', '.join(there)}" if there else f"{run.id} has no checkpoint yet"
        hint = did_you_mean(file, there) or listed
        raise InputError(Problem(f"no checkpoint {file} in {run.checkpoints}", "--from", hint))
    if not intact(path):
        hint = f"`ptrain resume {run.id}` alone goes on from the newest intact one"
        message = f"{file} is damaged: its sha256 is not the one beside it"
        raise InputError(Problem(message, "--from", hint))
    return Found(path, load(path), [])


@dataclass(frozen=True)
class WentBack:
    """`aside`: the folder of the later checkpoints, or None without any. `words`: for people."""

    aside: Path | None = None
    words: str = ""


def go_back(run: RunDirectory, found: Found) -> WentBack:
    """Make the checkpoints those that the run had when this one was written: `last` is this one,
    `best` the best until then. Those of later steps are moved aside.

    `last` comes last: a crash before leaves a run that goes on from the newest that is there.
    """
    here = _place(found.content)
    paths = sorted(run.checkpoints.glob("*.pt"), key=lambda path: (path.name == "last.pt", path))
    later = [path for path in paths if path != found.path and not _until(path, here)]
    last = run.checkpoints / "last.pt"
    if not later:
        return WentBack()
    aside = run.checkpoints / f"set-aside-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
    aside.mkdir(exist_ok=True)
    for path in later:
        moved(path, aside)
    sync_folder(aside)
    best = _restore_best(run, found)
    if not last.exists():
        install(_written(found.path), last)
    names = ", ".join(path.name for path in later)
    return WentBack(aside, f"set aside, because they are of later steps: {names}{best}")


def _place(content: dict[str, Any]) -> Place:
    return int(content["progress"]["step"]), int(content["progress"]["epoch"])


def _until(path: Path, here: Place) -> bool:
    """Whether it is of this step or an earlier one; a file that can't be read is not."""
    try:
        # Mapped, not read: of gigabytes only the numbers are looked at.
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        return _place(content) <= here
    except Exception:  # torch has many ways to say that a file is damaged
        return False


def _restore_best(run: RunDirectory, found: Found) -> str:
    """Give the best until then its name again; in words, where it is gone."""
    best, step = run.checkpoints / "best.pt", found.content["progress"]["best_step"]
    if best.exists() or step is None:
        return ""
    for path in [found.path, *run.checkpoints.glob("epoch-*.pt")]:
        content = found.content if path == found.path else load(path) if intact(path) else None
        if content is not None and content["progress"]["step"] == step:
            install(_written(path), best)
            return ""
    return f"; the best until then (step {step}) was deleted, best.pt is the next better one"


def _written(path: Path) -> Written:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Written(path, digest, path.stat().st_size)

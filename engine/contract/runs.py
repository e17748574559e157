"""Which runs there are, and how each is: from the folders and the processes, nothing else.

No status is stored anywhere, because a crash would leave it wrong.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from engine.contract.events import (
    AnyEvent,
    LastWord,
    RunFailed,
    RunFinished,
    RunResumed,
    decode,
)
from engine.contract.problems import InputError, Problem, did_you_mean
from engine.contract.run_directory import RunDirectory

State = Literal["running", "finished", "stopped", "failed", "lost"]

# A run on another host can't be asked; without a pulse (a `system` event every few seconds) for
# this long it is taken for lost.
SILENCE = 120.0  # seconds
TAIL = 1 << 16  # bytes: the last word is among the last events


@dataclass(frozen=True)
class Status:
    """How a run is, and in words why."""

    state: State
    reason: str = ""

    @property
    def over(self) -> bool:
        return self.state != "running"


def status(run: RunDirectory) -> Status:
    """Found from the lock and its process, then from the run's last word."""
    holder = run.holder()
    if holder is not None:
        if holder.here and holder.alive:
            return Status("running")
        if not holder.here and _silent_for(run) < SILENCE:
            return Status("running", f"on {holder.host}")
    word = last_word(run)
    if isinstance(word, RunFinished):
        return Status("finished")
    if isinstance(word, RunFailed):
        return Status("failed", word.error)
    if word is not None:
        return Status("stopped", getattr(word, "reason", ""))
    return Status("lost", "its process is gone without a last word")


def last_word(run: RunDirectory) -> LastWord | None:
    """How the run said it ended; None when it went on after that, or never said."""
    for event in reversed(_tail(run.events)):
        if isinstance(event, LastWord):
            return event
        if isinstance(event, RunResumed):
            return None
    return None


def _tail(path: Path) -> list[AnyEvent]:
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL))
            lines = file.read().split(b"\n")
    except FileNotFoundError:
        return []
    return [event for event in map(decode, lines) if event is not None]


def _silent_for(run: RunDirectory) -> float:
    try:
        return time.time() - run.events.stat().st_mtime
    except FileNotFoundError:
        return float("inf")


def list_runs(root: Path) -> list[RunDirectory]:
    """Every run below a runs folder, the oldest first (their ids begin with the time)."""
    found = [RunDirectory(path.parent) for path in root.glob("*/*/experiment.toml")]
    return sorted(found, key=lambda run: (run.id, run.name))


def find_run(reference: str, root: Path) -> RunDirectory:
    """A run by its id, a unique beginning of it, its folder, or `last`.

    Raises InputError naming what there is.
    """
    folder = Path(reference)
    if (folder / "experiment.toml").is_file():
        return RunDirectory(folder.absolute())
    runs = list_runs(root)
    if reference == "last" and runs:
        return runs[-1]
    matching = [run for run in runs if run.id == reference] or [
        run for run in runs if run.id.startswith(reference)
    ]
    if len(matching) == 1:
        return matching[0]
    if matching:
        some = ", ".join(f"{run.name}/{run.id}" for run in matching[-5:])
        raise InputError(Problem(f'"{reference}" is the beginning of several runs: {some}', "RUN"))
    if not runs:
        hint = f"there are no runs in {root}; give --runs DIR or set PTRAIN_RUNS"
    else:
        newest = f"the newest is {runs[-1].id}; `ptrain runs` lists all in {root}"
        hint = did_you_mean(reference, [run.id for run in runs]) or newest
    raise InputError(Problem(f'no run "{reference}"', "RUN", hint))

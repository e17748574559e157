"""The runs of a folder, read again and again: each event once."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from engine.contract.follower import Follower, catch_up
from engine.contract.run_directory import RunDirectory
from engine.contract.run_state import RunState
from engine.contract.runs import Status, list_runs, status


@dataclass
class WatchedRun:
    """A run, what its events add up to so far, and how it is."""

    run: RunDirectory
    follower: Follower
    state: RunState = field(default_factory=RunState)
    status: Status = field(default_factory=lambda: Status("lost"))

    def look(self) -> None:
        """Read what was added since the last look."""
        catch_up(self.follower, self.state)
        self.status = status(self.run)


class RunList:
    """All runs below a folder, the newest first."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._watched: dict[Path, WatchedRun] = {}

    def look(self) -> list[WatchedRun]:
        """Find new runs, forget deleted ones, read what the others have written since."""
        found = list_runs(self.root)
        self._watched = {
            run.path: self._watched.get(run.path) or WatchedRun(run, Follower(run.events))
            for run in found
        }
        for watched in self._watched.values():
            watched.look()
        return list(reversed(self._watched.values()))

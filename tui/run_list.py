"""The runs of a folder, read again and again: each event once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from engine.contract.differences import Settings, read_settings
from engine.contract.events import RunResumed
from engine.contract.follower import Follower
from engine.contract.problems import InputError
from engine.contract.run_directory import RunDirectory
from engine.contract.run_state import RunState, fold_all
from engine.contract.runs import Status, list_runs, status
from tui.console import Console

# Between two searches where no folder has changed: a run's files may be written after its folder.
SEARCH_SECONDS = 5.0
SAID = 3  # lines


@dataclass
class WatchedRun:
    """A run, what its events add up to so far, and how it is."""

    run: RunDirectory
    follower: Follower
    state: RunState = field(default_factory=RunState)
    status: Status = field(default_factory=lambda: Status("lost"))
    looked: bool = False  # before that, the status is not known
    complete: bool = False  # whether all that was there at the last look has been read
    news: int = 0  # grows with everything that a look has found
    said: tuple[str, ...] = ()  # the last lines of console.log, of a run that is lost
    _files: tuple[int, ...] = ()
    _settings: Settings | None = None
    _settings_of: RunResumed | None = None

    def look(self, enough: Callable[[], bool] = lambda: False) -> bool:
        """Read what was added since the last look, until it is `enough`; whether there was news.

        A run that is over and whose files have not changed costs two `stat`s.
        """
        files = _stamp(self.run)
        before = self.follower.offset, self.looked, self.complete, self.status, self._files
        if self.settled and files == self._files:
            return False
        try:
            self.complete = self._read(enough)
            self.status = status(self.run)
            lost = self.complete and self.status.state == "lost"
            self.said = tuple(Console(self.run.console).look()[-SAID:]) if lost else ()
        except OSError as error:
            name = Path(error.filename).name if error.filename else "a file"
            self.complete = True
            self.status = Status("lost", f"{name} can't be read: {error.strerror}")
        self.looked, self._files = True, files
        now = self.follower.offset, self.looked, self.complete, self.status, self._files
        self.news += before != now
        return before != now

    @property
    def damage(self) -> list[str]:
        """What its folder lacks, once it is over."""
        if not self.settled:
            return []
        words = []
        if not self.run.experiment.exists():
            words.append("experiment.toml is missing: it can be looked at, not resumed")
        if self.state.started is None and self._files[0] > 0:
            words.append(
                "nothing in events.jsonl can be read: it is damaged, or of another program"
            )
        return words

    @property
    def settled(self) -> bool:
        """Whether it is over, and all of it has been read."""
        return self.complete and self.status.over

    def _read(self, enough: Callable[[], bool]) -> bool:
        for events in self.follower.batches():  # about half a millisecond each
            fold_all(self.state, events)
            if enough():
                return False
        return True

    def settings(self) -> Settings:
        """Its experiment's, by dotted keys; none where they can't be read. 0.4 ms once: only a
        resume writes them anew."""
        if self._settings is None or self._settings_of is not self.state.resumed:
            try:
                self._settings = read_settings(self.run)
            except InputError:
                self._settings = {}
            self._settings_of = self.state.resumed
        return self._settings

    @property
    def elsewhere(self) -> str:
        """The host that it runs on, when that is not this one."""
        try:
            holder = self.run.holder()
        except OSError:
            return ""
        return holder.host if holder is not None and not holder.here else ""


def _stamp(run: RunDirectory) -> tuple[int, ...]:
    """Changes with the files that tell how a run is."""
    numbers: list[int] = []
    for path in (run.events, run.lock):
        try:
            found = path.stat()
            numbers += [found.st_size, found.st_mtime_ns]
        except OSError:
            numbers += [-1]
    return tuple(numbers)


def _folders(root: Path) -> tuple[int, ...]:
    """Changes when a run is added or deleted: two or three `stat`s in place of 500."""
    try:
        found = [entry for entry in os.scandir(root) if entry.is_dir()]
        return (root.stat().st_mtime_ns, *(entry.stat().st_mtime_ns for entry in found))
    except OSError:
        return ()


def _all_runs(root: Path) -> list[RunDirectory]:
    """The oldest first, with those whose experiment.toml is gone."""
    known = {run.path: run for run in list_runs(root)}
    damaged = (path.parent for path in root.glob("*/*/events.jsonl") if path.parent not in known)
    runs = [*known.values(), *map(RunDirectory, damaged)]
    return sorted(runs, key=lambda run: (run.id, run.name))


class RunList:
    """All runs below a folder, the newest first."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._watched: dict[Path, WatchedRun] = {}
        self._searched = False  # and not yet looked at all since
        self._searched_at = float("-inf")
        self._folders: tuple[int, ...] = ()
        self.version = 0  # another one whenever there is news

    def search_if_due(self) -> None:
        """Search where a run has come or gone, as far as the folders tell, and now and then."""
        now, stamp = time.monotonic(), _folders(self.root)
        if stamp != self._folders or now - self._searched_at >= SEARCH_SECONDS:
            self._folders, self._searched_at = stamp, now
            self.search()

    def search(self) -> None:
        """Find new runs and forget deleted ones. The next look is at those that are over, too."""
        before = list(self._watched)
        self._watched = {
            run.path: self._watched.get(run.path) or WatchedRun(run, Follower(run.events))
            for run in reversed(_all_runs(self.root))
        }
        self._searched = True
        self.version += list(self._watched) != before

    def look(self, first: Path | None = None, seconds: float = float("inf")) -> list[WatchedRun]:
        """Read what the runs have written since, for at most about that long: a screen must answer
        its keys while a million steps are read. `first` is the run that a person looks at. Other
        runs that are over are looked at once after a search: for 500, that takes 10 ms."""
        end = time.monotonic() + seconds
        runs = list(self._watched.values())
        for watched in sorted(runs, key=lambda run: run.run.path != first):
            if watched.settled and not self._searched and watched.run.path != first:
                continue
            self.version += watched.look(lambda: time.monotonic() > end)
            if time.monotonic() > end:
                return runs
        for watched in runs:  # in what time is left: a filter or an order will ask all of them
            if time.monotonic() > end:
                break
            if self._searched:
                watched.settings()
        else:
            self._searched = False
        return runs

    @property
    def behind(self) -> bool:
        """Whether there is more to read than the last look had time for."""
        return not all(watched.complete for watched in self._watched.values())

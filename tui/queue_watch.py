"""What becomes of the queue, looked at again and again."""

from __future__ import annotations

from engine.contract.problems import InputError
from engine.contract.queue import Entry, Queue


class QueueWatch:
    """Tells once of each queued run that could not start since the first look."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self._stamp: tuple[int, int] | None = None
        self._known: set[str] | None = None

    def look(self) -> list[str]:
        """In words. One `stat` while nothing changes."""
        stamp = self._now()
        if stamp == self._stamp and self._known is not None:
            return []
        self._stamp = stamp
        try:
            failed = [entry for entry in self.queue.entries() if entry.state == "failed"]
        except InputError:
            return []  # Q says so
        known, self._known = self._known, {entry.id for entry in failed}
        if known is None:
            return []
        return [
            f"{entry.name} could not start, the queue goes on: {_first(entry)}; Q shows it"
            for entry in failed
            if entry.id not in known
        ]

    def _now(self) -> tuple[int, int]:
        try:
            found = self.queue.path.stat()
        except OSError:
            return -1, -1
        return found.st_ino, found.st_mtime_ns


def _first(entry: Entry) -> str:
    return (entry.error.splitlines() or [""])[0]

"""The chosen run in a few lines, with what is wrong with it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from tui.edited import EditedMark
from tui.pace import Rest
from tui.run_list import WatchedRun
from tui.summary import summary
from tui.verdict import verdicts
from tui.widgets.words import Words


def free_bytes(folder: Path) -> int | None:
    """Of the folder's file system; None where it can't be asked."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


class RunSummary(Words):
    """Made anew only when the run has told something new, and now and then, for what only files
    tell; judged anew only then, too: that takes a millisecond of a million steps. `free` and `rest`
    are given by tests."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.free: Callable[[Path], int | None] = free_bytes
        self.rest = Rest()
        self._judged: tuple[object, ...] = ()
        self._verdicts: list[str] = []
        self._mark = EditedMark()

    def show(self, watched: WatchedRun | None, otherwise: str) -> None:
        """`otherwise`: what is said where there is no run."""
        if not self.rest.over(otherwise if watched is None else (watched.run.path, watched.news)):
            return
        if watched is None:
            self.text = otherwise
            return
        state = watched.state
        free = self.free(watched.run.path) if not watched.status.over else None
        known = (
            watched.run.path,
            watched.status,
            len(state.curve.step),
            len(state.validated),
            len(state.checkpoints),
            state.last_time,
            free and free >> 20,
        )
        if known != self._judged:
            self._judged = known
            self._verdicts = [
                f"⚠ {verdict}" for verdict in verdicts(state, watched.status, free=free)
            ]
        lines = [summary(watched), *(self._verdicts if watched.looked else [])]
        if self._mark.look(watched.run, state.started):
            lines.append("edited since launch: D on the run shows it")
        self.text = "\n".join(lines)

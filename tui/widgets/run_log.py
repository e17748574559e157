"""What a run began with, what its engine prints, and its warnings, as they come."""

from __future__ import annotations

from pathlib import Path

from textual.widgets import Log

from tui.console import Console
from tui.run_list import WatchedRun

LINES = 2000  # kept; the file has them all


class RunLog(Log):
    """Follows the end, unless one has scrolled up."""

    DEFAULT_CSS = "RunLog { border: none; }"

    def __init__(self) -> None:
        super().__init__(max_lines=LINES)
        self._run: Path | None = None
        self._tail = Console(Path())
        self._warned = 0
        self._reported = False

    def show(self, watched: WatchedRun | None) -> None:
        if watched is None:
            self.clear()
            self._run = None
            return
        if watched.run.path != self._run:
            self.clear()
            self._run, self._warned, self._reported = watched.run.path, 0, False
            self._tail = Console(watched.run.console)
        lines: list[str] = []
        if not self._reported and watched.state.started is not None:
            self._reported = True
            lines += watched.state.started.report
        lines += self._tail.look()
        for warned in watched.state.warnings[self._warned :]:
            remedy = f"; {warned.remedy}" if warned.remedy else ""
            lines.append(f"warning: {warned.what}{remedy}")
        self._warned = len(watched.state.warnings)
        if lines:
            self.write_lines(lines, scroll_end=self.is_vertical_scroll_end)

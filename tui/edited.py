"""Whether an experiment's file is still what a run was launched with. No widget is known here."""

from __future__ import annotations

import difflib
import socket
from dataclasses import dataclass
from pathlib import Path

from engine.contract.events import RunStarted
from engine.contract.run_directory import RunDirectory

CONTEXT = 2  # lines that are the same, around each that is not


@dataclass(frozen=True)
class Edited:
    """`lines`: a unified diff from what the run was launched with to what the file is now, empty
    where nothing was edited. `unknown`: why it can't be told, else empty."""

    file: Path | None
    lines: tuple[str, ...] = ()
    unknown: str = ""


def since_launch(run: RunDirectory, started: RunStarted | None) -> Edited:
    """Reads both files."""
    if started is None or not started.file:
        return Edited(None, unknown="this run does not say which file it was launched from")
    file = Path(started.file)
    try:
        now = file.read_bytes()
    except OSError as error:
        where = "" if started.host == socket.gethostname() else f" on {started.host}"
        return Edited(None, unknown=f"it was launched{where} from {file}: {error.strerror}")
    try:
        then = run.source.read_bytes()
    except OSError as error:
        return Edited(file, unknown=f"{run.source} can't be read: {error.strerror}")
    if now == then:
        return Edited(file)
    return Edited(file, tuple(_diff(then, now)) or ("only line endings or bytes that are no text",))


def _diff(then: bytes, now: bytes) -> list[str]:
    before, after = (text.decode(errors="replace").splitlines() for text in (then, now))
    return list(difflib.unified_diff(before, after, "at the launch", "now", n=CONTEXT, lineterm=""))


class EditedMark:
    """The same as yes or no, asked again and again: two `stat`s while neither file changes."""

    def __init__(self) -> None:
        self._known: tuple[object, ...] = ()
        self._edited = False

    def look(self, run: RunDirectory, started: RunStarted | None) -> bool:
        """False too where it isn't known."""
        if started is None or not started.file:
            return False
        known = (run.path, _stamp(Path(started.file)), _stamp(run.source))
        if known != self._known:
            self._known, self._edited = known, bool(since_launch(run, started).lines)
        return self._edited


def _stamp(path: Path) -> tuple[str, int, int]:
    try:
        found = path.stat()
    except OSError:
        return str(path), -1, -1
    return str(path), found.st_size, found.st_mtime_ns

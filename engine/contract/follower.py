"""Reading a growing events.jsonl: complete lines only, from an offset, in any process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine.contract.events import AnyEvent, decode
from engine.contract.run_state import RunState, fold

CHUNK = 1 << 20  # bytes: memory stays small on a run of a million steps


class Follower:
    """What was added since the last read. File notifications don't cross network file systems,
    so it is asked again, which costs one `read` that returns nothing."""

    def __init__(self, path: Path) -> None:
        self.path, self.offset = path, 0

    def lines(self) -> Iterator[bytes]:
        """The complete lines that are new, without their newlines."""
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return
        with file:
            if self.offset > file.seek(0, 2):
                # Only a resume shortens the file, and only by an incomplete line, which was
                # never handed out: so this is another file, and it is read from its beginning.
                self.offset = 0
            file.seek(self.offset)
            rest = b""
            while chunk := file.read(CHUNK):
                *complete, rest = (rest + chunk).split(b"\n")
                for line in complete:
                    self.offset += len(line) + 1
                    yield line

    def events(self) -> Iterator[AnyEvent]:
        """The events that are new and known to this version."""
        for line in self.lines():
            event = decode(line)
            if event is not None:
                yield event


def read_state(path: Path) -> RunState:
    """The state of a run from its whole events.jsonl."""
    state = RunState()
    for event in Follower(path).events():
        fold(state, event)
    return state

"""Reading a growing events.jsonl: complete lines only, from an offset, in any process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine.contract.events import AnyEvent, decode_lines
from engine.contract.run_state import RunState, fold_all

# In bytes: what is decoded of it fits the processor's cache. 1 << 20 takes 20 % longer.
CHUNK = 1 << 16


class Follower:
    """What was added since the last read. File notifications don't cross network file systems,
    so it is asked again, which costs one `read` that returns nothing."""

    def __init__(self, path: Path) -> None:
        self.path, self.offset = path, 0

    def lines(self) -> Iterator[bytes]:
        """The complete lines that are new, without their newlines."""
        for block in self._blocks():
            for line in block.split(b"\n")[:-1]:
                self.offset += len(line) + 1
                yield line

    def events(self) -> Iterator[AnyEvent]:
        """The events that are new and known to this version; to be asked to the end."""
        for events in self.batches():
            yield from events

    def batches(self) -> Iterator[list[AnyEvent]]:
        """The same, some hundreds at a time."""
        for block in self._blocks():
            self.offset += len(block)
            yield decode_lines(block)

    def _blocks(self) -> Iterator[bytes]:
        """Complete lines from the offset on, with their newlines. Whoever hands them out moves the
        offset."""
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
                end = chunk.rfind(b"\n") + 1
                if end:
                    yield rest + chunk[:end]
                    rest = chunk[end:]
                else:
                    rest += chunk


def catch_up(follower: Follower, state: RunState) -> bool:
    """Fold what was added since the last read; whether there was anything."""
    before = follower.offset
    for events in follower.batches():
        fold_all(state, events)
    return follower.offset != before


def read_state(path: Path) -> RunState:
    """The state of a run from its whole events.jsonl."""
    state = RunState()
    catch_up(Follower(path), state)
    return state

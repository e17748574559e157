"""The thread that writes a checkpoint while the training goes on.

    loop:    copies on the device ──▶ the next steps … ──▶ waits, before it copies again
    thread:  to the CPU, write, fsync, install, announce, prune

One at a time, so that no more than one copy is in memory, and a slow disk slows the training down
instead of filling that memory.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass

from engine.checkpoint import Progress

# Held while a checkpoint is being written, and taken by every fork. The loop forks the processes
# that load data at their first batch, which may come in the middle of a write (validation's do).
# Such a process has this thread's locks as they were and nobody to open them: OpenSSL's and those
# of a module that is just being imported would stop it for ever. (The C library's allocator,
# logging and Python's own look after themselves.) With this lock no fork meets a write, and a fork
# waits for the file in hand, once or twice in a run. In between there is no thread at all.
_writing = threading.Lock()
os.register_at_fork(
    before=_writing.acquire, after_in_parent=_writing.release, after_in_child=_writing.release
)


@dataclass(frozen=True)
class Saved:
    """What became of a checkpoint. `progress` and `epochs` are those in it; `missing`: the kinds
    (last, best, epoch) that could not be written."""

    progress: Progress
    epochs: int
    missing: frozenset[str]


class CheckpointWriter:
    """Has one checkpoint written at a time. `latest`: what the last one that is done came to."""

    def __init__(self) -> None:
        self.latest: Saved | None = None
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def begin(self, write: Callable[[], Saved]) -> None:
        """Run `write` in a thread. The one before has to be done."""
        assert self._thread is None, "a checkpoint is under way"
        # No daemon: a process that ends by an error nobody thought of still waits for the file.
        self._thread = threading.Thread(target=self._run, args=(write,), name="checkpoint")
        self._thread.start()

    def _run(self, write: Callable[[], Saved]) -> None:
        with _writing:
            try:
                self.latest = write()
            except BaseException as error:  # for the loop, which raises it
                self._error = error

    def wait(self) -> Saved | None:
        """Wait for the one under way, and give what became of it; None where there is none.

        Raises what its thread raised.
        """
        if self._thread is None:
            return None
        self._thread.join()
        error, self._thread, self._error = self._error, None, None
        if error is not None:
            raise error
        return self.latest

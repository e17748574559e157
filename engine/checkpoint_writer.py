"""The thread that writes checkpoints while the training goes on.

    loop:    copies on the device ──▶ the next steps … ──▶ takes in what became of it
    thread:  waits for its turn, then: to the CPU, write, fsync, install, announce, prune

An epoch of what is kept may take 50 ms, and a checkpoint on the disk as long: it would hold up one
epoch in two. So those of epochs take turns `PAUSE` apart, what comes in between is held in memory,
and a name that a later one takes over is not written at all. Ten epochs a second cost two files.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from engine.checkpoint import Keeper, Progress
from engine.device_copy import DeviceCopy

PAUSE = 1.0  # seconds: what `kill -9` may cost beyond `checkpoint.every`
HELD = 64 * 2**20  # bytes: where more would be held, the loop waits for the disk instead

# Held while a checkpoint is being written, and taken by every fork. The loop forks the processes
# that load data at their first batch, which may come in the middle of a write (validation's do).
# Such a process has this thread's locks as they were and nobody to open them: OpenSSL's and those
# of a module that is just being imported would stop it for ever. (The C library's allocator,
# logging and Python's own look after themselves.) With this lock no fork meets a write, and a fork
# waits for the file in hand, once or twice in a run. In between the thread sleeps, or is not there.
_writing = threading.Lock()
os.register_at_fork(
    before=_writing.acquire, after_in_parent=_writing.release, after_in_child=_writing.release
)


@dataclass
class Pending:
    """A checkpoint that is held in memory. `names`: kind (last, best, epoch) → the file to be.

    `progress` and `epochs` are those in it; `answers` are told whether `last` is there.
    """

    taken: DeviceCopy
    progress: Progress
    epochs: int
    metric: float | None
    names: dict[str, str]
    answers: list[Callable[[bool], None]] = field(default_factory=list)

    def hand_over(self, later: Pending) -> None:
        """Leave to a later one its names, and to nobody an epoch that is not kept any more."""
        kept = {row[2] for row in later.progress.kept}
        self.names = {
            kind: name
            for kind, name in self.names.items()
            if (name in kept if kind == "epoch" else kind not in later.names)
        }
        if "last" not in self.names:
            later.answers, self.answers = [*self.answers, *later.answers], []


@dataclass(frozen=True)
class Saved:
    """What became of a checkpoint. `progress` and `epochs` are those in it; `there` and `missing`:
    the kinds (last, best, epoch) that were written, and that could not be."""

    progress: Progress
    epochs: int
    there: frozenset[str]
    missing: frozenset[str]


@dataclass(frozen=True)
class News:
    """What is done since this was last asked, in the order of the steps. `under_way`: the newest of
    which it is not known yet."""

    saved: list[Saved]
    under_way: Pending | None


class CheckpointWriter:
    """Has checkpoints written. Only the loop's thread calls it.

    Where one can't be written in whole, those that are held after it name what is not there: they
    are given up, until the loop has heard of it.
    """

    def __init__(self, keeper: Keeper, *, pause: float = PAUSE, most: int = HELD) -> None:
        self.latest: Saved | None = None
        self._keeper, self._pause, self._most = keeper, pause, most
        self._lock = threading.Lock()  # over what follows; never held during a write
        self._held: list[Pending] = []  # in the order of their steps
        self._in_hand: list[Pending] = []
        self._saved: list[Saved] = []
        self._failed = False
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None
        self._now = threading.Event()  # the turn is not waited for
        self._turn_at = time.monotonic() + pause
        self._size = 0  # bytes of the last copy

    def has_room(self) -> bool:
        """Whether one more copy, of the last one's size, may be in memory."""
        with self._lock:
            held = sum(one.taken.nbytes for one in [*self._in_hand, *self._held])
        return held + self._size <= self._most

    def hold(self, pending: Pending, *, now: bool = False) -> None:
        """Have it written at the next turn, or `now`, with all that is held."""
        self._size = pending.taken.nbytes
        with self._lock:
            for earlier in self._held:
                earlier.hand_over(pending)
            self._held = [*(one for one in self._held if one.names), pending]
            if now or self._size > self._most:
                self._now.set()
            if self._thread is None and not self._failed:
                # No daemon: a process that ends by an error nobody thought of waits for the file.
                self._thread = threading.Thread(target=self._write_on, name="checkpoint")
                self._thread.start()

    def wait(self) -> News:
        """Write what is held, now, and wait until it is there. Raises what the thread raised."""
        with self._lock:
            thread = self._thread
            if thread is not None:
                self._now.set()
        if thread is not None:
            thread.join()
        return self.news()

    def news(self) -> News:
        """What has become of all that was held. Raises what the thread raised."""
        with self._lock:
            saved, error, given_up = self._saved, self._error, self._held if self._failed else []
            self._saved, self._error = [], None
            if self._failed:
                self._held, self._failed = [], False
            under_way = [*self._in_hand, *self._held]
        saved += [_outcome(one, frozenset()) for one in given_up]
        if error is not None:
            raise error
        self.latest = saved[-1] if saved else self.latest
        return News(saved, under_way[-1] if under_way else None)

    def _write_on(self) -> None:
        """The thread: turn by turn, until nothing is held."""
        while True:
            self._now.wait(max(0.0, self._turn_at - time.monotonic()))
            with _writing:
                try:
                    self._turn()
                except BaseException as error:  # for the loop, which raises it
                    self._failed, self._error = True, error
            with self._lock:
                self._in_hand = []
                if self._failed or not self._held:
                    self._thread = None
                    self._now.clear()
                    return

    def _turn(self) -> None:
        """Write what is held, until one of it can't be written."""
        with self._lock:
            self._in_hand, self._held = self._held, []
            self._now.clear()
        self._turn_at = time.monotonic() + self._pause
        while self._in_hand:
            one, there = self._in_hand[0], frozenset[str]()
            if not self._failed:
                content = one.taken.on_cpu()
                there = self._keeper.save(content, one.progress, one.metric, one.names)
            outcome = _outcome(one, there)
            with self._lock:
                self._in_hand = self._in_hand[1:]
                self._saved.append(outcome)
                self._failed = self._failed or bool(outcome.missing)


def _outcome(one: Pending, there: frozenset[str]) -> Saved:
    for answer in one.answers:
        answer("last" in there)
    return Saved(one.progress, one.epochs, there, frozenset(one.names) - there)

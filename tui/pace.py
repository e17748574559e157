"""How often to look for news: ten times a second here, four over SSH, and never faster than the
terminal shows what it was sent.

Over SSH the terminal is asked a question after each change (the one that Textual asks at its start,
about synchronized output): the answer comes once all that was written before has arrived. While
it is awaited nothing more is sent, so that a slow line is not filled with frames that are old when
they are seen, and a key is answered at once.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

QUESTION = "\x1b[?2026$p"
LOCAL, REMOTE = 0.1, 0.25  # seconds between two looks while something runs
QUIET = 1.0  # while nothing does: a run that is started is seen soon enough
LEAST = 0.02  # of that is left to the keys, however long a look takes
FILES = 2.0  # between two looks at what can change without an event: a file, the disk
LOST = 3.0  # seconds after which an answer is no longer waited for


class Pace:
    """`ask` sends QUESTION to the terminal; `clock` is given by tests."""

    def __init__(
        self, ask: Callable[[], None], *, remote: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ask, self._remote, self._clock = ask, remote, clock
        self._answers = False  # whether this terminal is one that does
        self._asked: float | None = None
        self._due = 0.0

    @property
    def waits(self) -> bool:
        """Whether the terminal has not yet shown the last change."""
        return self._asked is not None and self._clock() - self._asked < LOST

    def seconds(self, *, busy: bool) -> float:
        """Until the next look: what the last one took is counted in, as far as keys allow it."""
        now = self._clock()
        between = (REMOTE if self._remote else LOCAL) if busy else QUIET
        self._due = max(self._due + between, now + LEAST)
        self._due = min(self._due, now + between)
        return self._due - now

    def changed(self) -> None:
        """Something was sent to the terminal."""
        if self._remote and self._answers and not self.waits:
            self._asked = self._clock()
            self._ask()

    def answered(self) -> None:
        """The terminal has everything."""
        self._answers, self._asked = True, None


class Rest:
    """What can change without an event (the experiment's file, room on the disk, checkpoints that
    are deleted) is looked at when there was an event, and now and then. `clock` is given by tests.
    """

    def __init__(self, seconds: float = FILES, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._known: object = None
        self._until = float("-inf")

    def over(self, known: object) -> bool:
        """Whether to look: `known` is another than at the last look, or that is long ago."""
        now = self._clock()
        if known == self._known and now < self._until:
            return False
        self._known, self._until = known, now + self._seconds
        return True


def over_ssh() -> bool:
    return bool(os.environ.get("SSH_CONNECTION"))

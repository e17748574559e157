"""What is asked of a running engine: by signals, and by lines in control.jsonl."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from engine.contract.control import Request, decode
from engine.contract.follower import Follower
from engine.contract.problems import EXIT_INTERRUPTED
from engine.contract.run_directory import RunDirectory

POLL_SECONDS = 0.1


class Control:
    """The loop asks after every step; the file is looked at ten times a second.

    `clock` and `poll_seconds` are given by tests that need every step looked at.
    """

    def __init__(
        self,
        run: RunDirectory,
        *,
        clock: Callable[[], float] = time.monotonic,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self.signalled: str | None = None  # the name of the signal that asked for the end
        self._clock, self._poll_seconds, self._next = clock, poll_seconds, 0.0
        self._follower = Follower(run.control)
        self._requests: list[Request] = []
        self.unreadable: list[str] = []  # lines that are no requests, and why

    def skip_earlier(self) -> None:
        """Forget what was asked of an engine before this one. To be called before the seconds of
        importing and building, in which this one may be asked something already."""
        for _ in self._follower.lines():
            continue

    def pending(self) -> bool:
        """Whether something is asked for. Costs 0.1 µs between two looks at the file."""
        now = self._clock()
        if now >= self._next:
            self._next = now + self._poll_seconds
            for line in self._follower.lines():
                request = decode(line)
                if isinstance(request, Request):
                    self._requests.append(request)
                else:
                    self.unreadable.append(request)
        return bool(self.signalled or self._requests or self.unreadable)

    def stop_pending(self) -> bool:
        """Whether the end is asked for now: what takes long can be left."""
        return self.pending() and bool(
            self.signalled or any(r.request == "stop" and r.after == "step" for r in self._requests)
        )

    def take(self) -> list[Request]:
        """The requests that are not yet answered; they are the caller's then."""
        taken, self._requests = self._requests, []
        return taken

    @contextmanager
    def signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT ask for a checkpoint and the end, the second one ends at once.

        SIGHUP, which a dropped line sends, is ignored.
        """
        names = (signal.SIGTERM, signal.SIGINT)
        earlier = {number: signal.signal(number, self._on_signal) for number in names}
        earlier[signal.SIGHUP] = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            yield
        finally:
            for number, handler in earlier.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.signalled is not None and number == signal.SIGINT:
            os._exit(EXIT_INTERRUPTED)
        self.signalled = signal.Signals(number).name

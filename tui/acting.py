"""What was asked of running engines from here, their answers, and how one may be stopped."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from engine.contract.control import Kind, Request, ask
from engine.contract.run_directory import RunDirectory
from tui.run_list import WatchedRun

SILENCE = 10.0  # seconds without an answer, after which the next rung is offered all the same
GRACE = 5.0  # seconds that a terminated engine has to write its checkpoint before kill is offered

Rung = Literal["epoch", "step", "terminate", "kill"]


@dataclass(frozen=True)
class Choice:
    """A line of a dialog. One with a `why_not` can't be chosen, and says so."""

    id: str
    text: str
    why_not: str = ""


@dataclass
class Asked:
    """What one run was asked for, and signalled, since it runs."""

    requests: list[Request] = field(default_factory=list)
    told: set[str] = field(default_factory=set)  # ids whose answer has been shown
    terminated: float | None = None


class Acting:
    """One for the dashboard. `clock` and `send` are given by tests."""

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        send: Callable[[int, int], None] = os.kill,
    ) -> None:
        self._clock, self._send = clock, send
        self._asked: dict[Path, Asked] = {}

    def ask(
        self,
        run: RunDirectory,
        kind: Kind,
        *,
        after: Literal["step", "epoch"] = "step",
        epochs: int | None = None,
    ) -> None:
        """Raises OSError where the run directory can't be written."""
        request = ask(run, kind, after=after, epochs=epochs)
        self._asked.setdefault(run.path, Asked()).requests.append(request)

    def signal(self, run: RunDirectory, number: signal.Signals) -> bool:
        """To the process that holds the run, on this host; whether there was one."""
        holder = run.holder()
        if holder is None or not holder.here or not holder.alive:
            return False
        if number == signal.SIGTERM:
            self._asked.setdefault(run.path, Asked()).terminated = self._clock()
        with suppress(ProcessLookupError):  # it has ended in this very moment
            self._send(holder.pid, number)
        return True

    def answers(self, runs: Iterable[WatchedRun]) -> list[str]:
        """What has been answered since the last time, in words; a run that is over is forgotten."""
        words: list[str] = []
        for watched in runs:
            asked = self._asked.get(watched.run.path)
            if asked is None:
                continue
            for request in asked.requests:
                done = watched.state.requests.get(request.id)
                if done is not None and request.id not in asked.told:
                    asked.told.add(request.id)
                    words.append(f"{watched.run.name}: {request.request}: {done.outcome}")
            if watched.status.over:
                words += [
                    f"{watched.run.name}: {request.request}: the run ended before it answered"
                    for request in asked.requests
                    if request.id not in asked.told
                ]
                del self._asked[watched.run.path]
        return words

    def ladder(self, watched: WatchedRun) -> list[Choice]:
        """The ways to stop a run, the gentlest first; each opens once the one before it was
        acknowledged, or was not for a while."""
        asked = self._asked.get(watched.run.path, Asked())
        step, ended = self._last(asked, "step"), asked.terminated
        waits = f"once that stop is acknowledged, or after {SILENCE:.0f} s without an answer"
        if step is not None and self._had_its_time(step, watched):
            waits = ""
        too_soon = f"{GRACE:.0f} s after terminating"
        if ended is not None and abs(self._clock() - ended) >= GRACE:
            too_soon = ""
        return [
            self._asking("epoch", "after this epoch, with a checkpoint", asked, watched),
            self._asking("step", "now: at the next step, with a checkpoint", asked, watched),
            Choice("terminate", "terminate its process (SIGTERM; it tries a checkpoint)", waits),
            Choice("kill", "kill its process (steps since the last checkpoint are lost)", too_soon),
        ]

    def _asking(
        self, after: Literal["step", "epoch"], text: str, asked: Asked, watched: WatchedRun
    ) -> Choice:
        request = self._last(asked, after)
        if request is None:
            return Choice(after, text)
        done = watched.state.requests.get(request.id)
        if done is not None:
            return Choice(after, text, f"acknowledged: {done.outcome}")
        return Choice(after, text, "asked, not yet acknowledged: a step may take long")

    @staticmethod
    def _last(asked: Asked, after: str) -> Request | None:
        stops = (r for r in reversed(asked.requests) if (r.request, r.after) == ("stop", after))
        return next(stops, None)

    def _had_its_time(self, request: Request, watched: WatchedRun) -> bool:
        answered = request.id in watched.state.requests
        return answered or abs(self._clock() - request.time) >= SILENCE


def why_not(watched: WatchedRun | None, *, read_only: bool) -> str:
    """Why nothing can be asked of this run from here; empty when it can."""
    if read_only:
        return "the dashboard was opened with --read-only"
    if watched is None:
        return "no run is chosen"
    if watched.elsewhere:
        return f"it runs on {watched.elsewhere}: it can be asked there"
    if watched.status.over:
        return f"{watched.run.name} {watched.run.id} is not running: it is {watched.status.state}"
    return ""

"""Starting an engine in a session of its own, and asking a running one to stop. No torch here."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from typing import IO, Literal, Protocol

from engine.contract.control import ask
from engine.contract.events import RequestDone, RunFailed, RunResumed, RunStarted
from engine.contract.follower import Follower
from engine.contract.problems import InputError, Problem, RunError
from engine.contract.run_directory import RunDirectory, write_atomically
from engine.contract.runs import Status, status

LOOK_SECONDS = 0.05
TOLD = ".problems.json"  # in the run directory, from an engine's beginning until it is read


class Begun(Protocol):
    """An engine that was started, as subprocess.Popen has it."""

    pid: int

    def poll(self) -> int | None: ...


# What starts `ptrain ARGUMENTS` in a session of its own, printing to a log.
Begin = Callable[[list[str], IO[bytes]], Begun]


def spawn(arguments: list[str], log: IO[bytes]) -> Begun:
    """A process that imports torch for itself: seconds."""
    return subprocess.Popen(
        # -P: people have files named engine.py and tui.py, and must not have them imported.
        [sys.executable, "-P", "-m", "engine.cli", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )


def detach(
    run: RunDirectory, arguments: list[str], begin: Begin, *, new: bool
) -> tuple[int, list[Problem]]:
    """Start `ptrain ARGUMENTS` so that it outlives the terminal; gives its process id and what it
    warns of.

    Waits until the training has begun, so that whatever stands in its way is told here. Raises
    InputError or RunError with the engine's own words; a new run's directory is then removed.
    """
    followed = Follower(run.events)
    for _ in followed.lines():  # what was before a resume
        continue
    _told(run)
    with run.console.open("ab") as log:
        heard = log.tell()
        engine = begin(arguments, log)
    # In its name, so that the run is seen to be alive while torch is still being imported.
    run.hand_to(engine.pid)
    while True:
        code = engine.poll()
        for event in followed.events():
            if isinstance(event, RunStarted | RunResumed):
                return engine.pid, _told(run)
            if isinstance(event, RunFailed):
                raise RunError(event.error, event.remedy)
        if code is not None:
            raise _stillborn(run, heard, code, new)
        time.sleep(LOOK_SECONDS)


def _stillborn(run: RunDirectory, heard: int, code: int, new: bool) -> Exception:
    """What an engine said that ended before its training began."""
    with run.console.open("rb") as log:
        log.seek(heard)
        words = log.read().decode(errors="replace").strip()
    problems = _told(run)
    if new:
        discard(run)
    if code == InputError.exit_code:
        return InputError(*(problems or [Problem(words)]))
    return RunError(f"the engine ended with code {code} before it began to train", words)


def tell(run: RunDirectory, problems: Iterable[Problem]) -> None:
    """What whoever detached this engine is to say: console.log is for people."""
    told = json.dumps([problem.as_json() for problem in problems])
    write_atomically(run.path / TOLD, told.encode())


def _told(run: RunDirectory) -> list[Problem]:
    """It is told once."""
    try:
        told = json.loads((run.path / TOLD).read_bytes())
    except FileNotFoundError:
        return []
    (run.path / TOLD).unlink()
    return [Problem.from_json(problem) for problem in told]


def discard(run: RunDirectory) -> None:
    """Remove the directory of a run that never began: it has no story to tell."""
    shutil.rmtree(run.path, ignore_errors=True)
    parent = run.path.parent
    if not any(parent.iterdir()):
        parent.rmdir()


def stop(
    run: RunDirectory, after: Literal["step", "epoch"], wait: float
) -> tuple[Status, RequestDone | None]:
    """Ask for the end, and wait up to `wait` seconds: for the answer, and for an end that is to
    come at once. Gives how the run is then, and the engine's answer if there was one."""
    before = status(run)
    if before.over:
        return before, None
    followed = Follower(run.events)
    for _ in followed.lines():
        continue
    asked = ask(run, "stop", after=after)
    answer: list[RequestDone] = []

    def done() -> bool:
        answer.extend(
            event
            for event in followed.events()
            if isinstance(event, RequestDone) and event.id == asked.id
        )
        return status(run).over or bool(answer and after == "epoch")

    _wait(done, wait)
    return status(run), answer[0] if answer else None


def end_now(run: RunDirectory, grace: float) -> Status:
    """SIGTERM, which still writes a checkpoint; after the grace period SIGKILL. On this host."""
    holder = run.holder()
    for number in (signal.SIGTERM, signal.SIGKILL):
        if holder is None or not holder.here or not holder.alive:
            break
        os.kill(holder.pid, number)
        _wait(lambda: status(run).over, grace)
    return status(run)


def _wait(done: Callable[[], bool], seconds: float) -> bool:
    limit = time.monotonic() + seconds
    while not done():
        if time.monotonic() > limit:
            return False
        time.sleep(LOOK_SECONDS)
    return True

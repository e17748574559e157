"""Children of a process that has imported torch: they run a `ptrain` command without importing it.

A fork takes milliseconds, importing torch seconds. It is only right in a process of one thread that
has run no torch operation (its pool of threads would be missing in the child) and touched no GPU.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, NoReturn

from engine import cli

ENDING = 0.5  # seconds that the system may take to end a thread which has been joined


class Forked:
    """A forked child, as subprocess.Popen has them."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._code: int | None = None

    def poll(self) -> int | None:
        """Its exit code, negative for the signal that killed it; None while it runs."""
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code


def safe() -> bool:
    """Whether a child would have everything: tried, because libraries that keep threads (OpenBLAS)
    end them before a fork, and start them again when they are needed."""
    import torch  # not sooner: it is imported beside what is being asked

    pid = os.fork()
    if not pid:
        os._exit(int(torch.cuda._is_in_bad_fork()))  # so if the driver has been asked for anything
    touched = os.waitpid(pid, 0)[1] != 0
    ends = time.monotonic() + ENDING
    while (threads := _threads()) > threading.active_count() and time.monotonic() < ends:
        time.sleep(0.001)
    return threads == threading.active_count() == 1 and not touched


def _threads() -> int:
    """As the system counts them: with those of libraries, and one that has been joined and is not
    gone yet."""
    return len(list(Path("/proc/self/task").iterdir()))


def command(
    arguments: list[str],
    given: IO[bytes],
    out: IO[bytes],
    err: IO[bytes],
    leave: Callable[[], None],
) -> Forked:
    """Run `ptrain ARGUMENTS` in a forked child, in a session of its own, with these three as its
    standard input, output and error. `leave` closes there what is the parent's.

    An engine that the command detaches is forked once more.
    """

    def run() -> int:
        leave()
        return cli.command(arguments, begin=engine)

    return _forked(run, arguments, (given, out, err))


def engine(arguments: list[str], log: IO[bytes]) -> Forked:
    """As engine.launch.spawn does it, from a child that is warm."""
    with Path(os.devnull).open("rb") as nothing:
        return _forked(lambda: cli.command(arguments), arguments, (nothing, log, log))


def _forked(
    run: Callable[[], int], arguments: list[str], streams: tuple[IO[bytes], IO[bytes], IO[bytes]]
) -> Forked:
    # What is buffered would be written by both.
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if not pid:
        _child(run, arguments, streams)
    return Forked(pid)


def _child(
    run: Callable[[], int], arguments: list[str], streams: tuple[IO[bytes], IO[bytes], IO[bytes]]
) -> NoReturn:
    """Never returns: above it on the stack is the parent's own work."""
    code = 1
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for descriptor, stream in enumerate(streams):
            os.dup2(stream.fileno(), descriptor)
        for stream in streams:
            stream.close()
        sys.argv = ["ptrain", *arguments]
        code = run()
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(BaseException):
            atexit._run_exitfuncs()  # those of people's own code among them
        for printed in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                printed.flush()
        os._exit(code)

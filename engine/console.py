"""Standard output and error of the engine and its workers, into the run's console.log."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO


@contextmanager
def captured(log: Path) -> Iterator[tuple[IO[str], IO[str]]]:
    """Send everything that this process and its children print to `log`.

    Gives the terminal's own (standard output, standard error), for whoever shows the run. It is
    done to the file descriptors, so that workers and C libraries are heard too.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    out, error = os.dup(1), os.dup(2)
    handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)
    terminal = os.fdopen(os.dup(out), "w"), os.fdopen(os.dup(error), "w")
    try:
        yield terminal
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(out, 1)
        os.dup2(error, 2)
        os.close(out)
        os.close(error)
        for stream in terminal:
            # Closing flushes. A terminal that is gone answers with an error, and there is nobody
            # left to tell it to.
            with suppress(OSError):
                stream.close()

"""Leaving on SIGTERM and SIGHUP with a clean terminal, whatever the rest of the program does."""

from __future__ import annotations

import os
import signal
import sys
import termios
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGHUP)
PATIENCE = 0.7  # seconds for the orderly way; with the terminal gone it may never end
# The mouse, pasting, focus and the keyboard protocol as they were, lines wrapped, the alternate
# screen left, the cursor shown.
CLEAN = (
    "\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?2004l\x1b[?1004l\x1b[?7h\x1b[<u"
    "\x1b[?1049l\x1b[?25h"
)


class Leaving:
    """`arm` before the terminal is changed; `leave` asks the app to go, and makes sure of it."""

    def __init__(self) -> None:
        self._before: list[Any] | None = None
        self._done = threading.Event()

    def arm(self) -> None:
        """Remember how the terminal is."""
        with suppress(termios.error, OSError, ValueError):
            self._before = termios.tcgetattr(sys.__stdin__)  # type: ignore[arg-type]

    def leave(self, number: int, orderly: Callable[[int], None]) -> None:
        """`orderly` gets the exit code, 128 + the signal's number as a shell has it."""
        threading.Thread(target=self._make_sure, args=(128 + number,), daemon=True).start()
        orderly(128 + number)

    def left(self) -> None:
        """The orderly way came to its end."""
        self._done.set()

    def _make_sure(self, code: int) -> None:
        if self._done.wait(PATIENCE):
            return
        with suppress(OSError):
            os.write(2, CLEAN.encode())
        if self._before is not None:
            with suppress(termios.error, OSError, ValueError):
                termios.tcsetattr(sys.__stdin__, termios.TCSANOW, self._before)  # type: ignore[arg-type]
        os._exit(code)

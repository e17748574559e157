"""Leaving on SIGTERM and SIGHUP with a clean terminal, whatever the rest of the program does."""

from __future__ import annotations

import os
import signal
import sys
import termios
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol, runtime_checkable

SIGNALS = (signal.SIGTERM, signal.SIGHUP)
PATIENCE = 0.7  # seconds for the orderly way; with the terminal gone it may never end
# The mouse, pasting, focus and the keyboard protocol as they were, lines wrapped, the alternate
# screen left, the cursor shown.
CLEAN = (
    "\x1b[?1000l\x1b[?1002l\x1b[?1015l\x1b[?1006l\x1b[?2004l\x1b[?1004l\x1b[?7h\x1b[<u"
    "\x1b[?1049l\x1b[?25h"
)


@runtime_checkable
class Unsaved(Protocol):
    """A screen that holds what a person typed. To know one without importing the editor."""

    @property
    def dirty(self) -> bool:
        """Whether leaving would lose something."""

    def keep_unsaved(self) -> None:
        """The dashboard is ended from outside: put it where it can be found."""


class Leaving:
    """`arm` before the terminal is changed; `leave` asks the app to go, and makes sure of it."""

    def __init__(self) -> None:
        self._before: list[Any] | None = None
        self._done = threading.Event()
        self._code: int | None = None

    def arm(self) -> None:
        """Remember how the terminal is. Until the app has its own handlers, leave at once."""
        with suppress(termios.error, OSError, ValueError):
            self._before = termios.tcgetattr(sys.__stdin__)  # type: ignore[arg-type]
        for number in SIGNALS:
            signal.signal(number, lambda received, _frame: self._at_once(128 + received))

    def leave(self, number: int, orderly: Callable[[int], None]) -> None:
        """`orderly` gets the exit code, 128 + the signal's number as a shell has it."""
        self._code = 128 + number
        threading.Thread(target=self._make_sure, args=(self._code,), daemon=True).start()
        orderly(self._code)

    def left(self) -> int | None:
        """The orderly way came to its end. Gives the exit code where a signal decides it.

        When a line drops, the app may have met the dead terminal before the signal.
        """
        self._done.set()
        if self._code is None and self._before is not None:
            try:
                termios.tcgetattr(sys.__stdin__)  # type: ignore[arg-type]
            except (termios.error, OSError, ValueError):
                self._code = 128 + signal.SIGHUP
        return self._code

    def _make_sure(self, code: int) -> None:
        if not self._done.wait(PATIENCE):
            self._at_once(code)

    def _at_once(self, code: int) -> None:
        with suppress(OSError):
            os.write(2, CLEAN.encode())
        if self._before is not None:
            with suppress(termios.error, OSError, ValueError):
                termios.tcsetattr(sys.__stdin__, termios.TCSANOW, self._before)  # type: ignore[arg-type]
        os._exit(code)

"""Leaving on a signal, also when the orderly way doesn't come to its end."""

from __future__ import annotations

import subprocess
import sys
import time

from tests.test_processes import environment
from tui.leaving import CLEAN

STUCK = """
import time
from tui.leaving import Leaving
leaving = Leaving()
leaving.arm()
print("ready", flush=True)
leaving.leave(15, lambda code: time.sleep(60))
"""


def test_what_is_stuck_is_left_within_a_second_and_the_terminal_restored() -> None:
    stuck = subprocess.Popen(
        [sys.executable, "-c", STUCK],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert stuck.stdout is not None
    assert stuck.stdout.readline() == "ready\n"
    began = time.monotonic()
    _, written = stuck.communicate(timeout=20)
    assert time.monotonic() - began < 1.5
    assert (stuck.returncode, written) == (128 + 15, CLEAN)

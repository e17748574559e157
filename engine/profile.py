"""`ptrain profile`: where the time of a few steps goes. Writes no run, and leaves no trace but the
trace file that is asked for."""

from __future__ import annotations

import json as json_module
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

from engine.contract.problems import EXIT_FINISHED, InputError, Problem
from engine.contract.toml_file import read
from engine.importing import importing
from engine.printing import print_problems


def profile_file(
    path: Path, overrides: list[str], steps: int, trace: Path | None, *, json: bool
) -> int:
    """Build as `ptrain run` does, measure, and print. `trace`: where the trace file goes.

    Raises InputError as `ptrain check` does, RunError where the training would fail.
    """
    file = read(path, overrides)
    if trace is not None:
        _refuse_unwritable(trace)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the workers end with us
    if sys.stderr.isatty():
        print("importing torch …", file=sys.stderr)
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")  # as the driver numbers them
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler's own lines on standard error
    with importing():
        from engine.check import checked
        from engine.profile_memory import resident
        from engine.profile_report import as_json, print_profile, say
        from engine.profile_steps import measure

    before = resident()
    # What data and losses of one's own print is not to be in the JSON.
    with redirect_stdout(sys.stderr), tempfile.TemporaryDirectory(prefix="ptrain-") as folder:
        parts = checked(file)
        try:
            print_problems(parts.warnings, json=False)
            measured = measure(
                parts, Path(folder), steps, before=before, trace=trace, told=_teller()
            )
        finally:
            parts.close()
    if json:
        print(json_module.dumps(as_json(parts, measured, trace)))
        return EXIT_FINISHED
    print_profile(parts, measured)
    if trace is not None:
        say(f"{trace}: open it in ui.perfetto.dev or chrome://tracing")
    return EXIT_FINISHED


def _refuse_unwritable(trace: Path) -> None:
    """Before minutes are spent. Raises InputError."""
    folder = trace.absolute().parent
    if trace.is_dir():
        raise InputError(Problem(f"{trace} is a folder", "--trace", "give a file: trace.json"))
    if not os.access(folder, os.W_OK):
        there = "can't be written to" if folder.is_dir() else "is not there"
        raise InputError(Problem(f"the folder {folder} {there}", "--trace", "choose another one"))


def _teller() -> Callable[[str], None]:
    """Where it is, in one line of a terminal that is cleared in the end."""
    if not sys.stderr.isatty():
        return lambda _: None
    return lambda told: print(f"\033[K{told}", end="\r", file=sys.stderr, flush=True)

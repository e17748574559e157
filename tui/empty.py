"""What stands where a run would be told of, when there is none. Pure words, for a newcomer."""

from __future__ import annotations

import os
from pathlib import Path


def no_run(runs: Path, *, some: bool, experiments: bool, read_only: bool) -> str:
    """`some`: there are runs, but none is chosen."""
    if some:
        return "no run is chosen"
    trouble = _trouble(runs)
    if trouble:
        return trouble
    words = [f"no runs in {runs} yet", ""]
    if read_only:
        words.append("a run that `ptrain run FILE` starts appears here by itself")
    elif experiments:
        words += [
            "r checks the chosen experiment and starts it, as `ptrain run FILE` does",
            "",
            "it trains in a process of its own: its curves appear here, and leaving the dashboard "
            "does not stop it",
        ]
    else:
        words.append("n makes an experiment from a template; r then starts it")
    return "\n".join(words)


def _trouble(runs: Path) -> str:
    try:
        os.scandir(runs).close()
    except FileNotFoundError:
        return ""  # the first run makes it
    except OSError as error:
        return (
            f"{runs} can't be read: {error.strerror}\n\n--runs DIR shows the runs of another folder"
        )
    return ""

"""Problems, as a person and as a program reads them."""

from __future__ import annotations

import json as json_module
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from engine.contract.problems import Problem


def print_problems(problems: Iterable[Problem], *, json: bool) -> None:
    """For people on standard error; for programs one object on standard output."""
    if json:
        print(json_module.dumps({"problems": [problem.as_json() for problem in problems]}))
        return
    for problem in problems:
        prefix = "warning: " if problem.severity == "warning" else ""
        near = replace(problem, file=problem.file and from_here(problem.file))
        print(f"{prefix}{near}", file=sys.stderr)


def from_here(path: Path) -> Path:
    """As one would type it here: relative for what is below the working directory."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path

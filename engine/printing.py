"""Problems, as a person and as a program reads them."""

from __future__ import annotations

import json as json_module
import sys
from collections.abc import Iterable

from engine.contract.problems import Problem


def print_problems(problems: Iterable[Problem], *, json: bool) -> None:
    """For people on standard error; for programs one object on standard output."""
    if json:
        print(json_module.dumps({"problems": [problem.as_json() for problem in problems]}))
        return
    for problem in problems:
        prefix = "warning: " if problem.severity == "warning" else ""
        print(f"{prefix}{problem}", file=sys.stderr)

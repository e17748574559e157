"""What can go wrong, and how it is told.

    PtrainError              exit code 1: failed while running
    ├── InputError           exit code 2: the input is wrong; carries every Problem found
    └── RunError             exit code 1: the training cannot go on; says the cause and the remedy

A run that was stopped on request and wrote its checkpoint is no error: it leaves with
`EXIT_STOPPED` (3); one that was interrupted before it could, with `EXIT_INTERRUPTED` (130).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

EXIT_FINISHED = 0
EXIT_FAILED = 1
EXIT_INPUT = 2
EXIT_STOPPED = 3
EXIT_INTERRUPTED = 130


@dataclass(frozen=True)
class Problem:
    """One mistake, told to the person who made it.

    `key` is dotted, with list positions as numbers from 0: `scheduler.1.gamma`. Code that knows
    only the section gives the key; whoever read the file adds `file` and `line`.
    """

    message: str
    key: str = ""
    hint: str = ""  # what to write instead
    file: Path | None = None
    line: int | None = None
    severity: Literal["error", "warning"] = "error"

    def at(self, file: Path | None, line: int | None) -> Problem:
        return replace(self, file=file, line=line)

    def __str__(self) -> str:
        where = ":".join(str(part) for part in (self.file, self.line) if part is not None)
        head = ": ".join(part for part in (where, self.key, self.message) if part)
        return f"{head}\n    {self.hint}" if self.hint else head

    def as_json(self) -> dict[str, object]:
        return {
            "file": None if self.file is None else str(self.file),
            "line": self.line,
            "key": self.key,
            "message": self.message,
            "hint": self.hint,
            "severity": self.severity,
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Problem:
        file = told.get("file")
        return cls(**{**told, "file": Path(file) if file else None})


class PtrainError(Exception):
    """The root of everything that ptrain tells a person instead of showing a traceback."""

    exit_code = EXIT_FAILED


class InputError(PtrainError):
    """The experiment, an argument or the data is wrong; `problems` holds all that was found."""

    exit_code = EXIT_INPUT

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class RunError(PtrainError):
    """The training cannot go on. `remedy` says what a person can do about it."""

    def __init__(self, message: str, remedy: str = "") -> None:
        self.message, self.remedy = message, remedy
        super().__init__(f"{message}\n    {remedy}" if remedy else message)


def few(names: Sequence[str], shown: int = 8) -> str:
    """The first of them, and how many more there are: `a, b and 3 more`."""
    rest = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {rest} more" if rest > 0 else "")


def first(names: Sequence[str], shown: int = 8) -> str:
    """The first of them, where their number is told already: `a, b, …`."""
    return ", ".join(names[:shown]) + (", …" if len(names) > shown else "")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean "gamma"?` when something near is known, else an empty string."""
    by_lower = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), by_lower, n=3, cutoff=0.6)
    quoted = " or ".join(f'"{by_lower[name]}"' for name in near)
    return f"did you mean {quoted}?" if near else ""

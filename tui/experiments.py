"""The experiment files of a folder, each with what is wrong with it. Nothing of theirs is run."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from engine.contract.problems import InputError, Problem
from engine.contract.toml_file import read

SECTIONS = frozenset({"data", "model", "train"})  # one of them, and it is meant as an experiment


@dataclass(frozen=True)
class ExperimentEntry:
    path: Path
    problems: tuple[Problem, ...] = ()


class ExperimentFolder:
    """Read again and again: a file only when its time or size has changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[Path, tuple[tuple[int, int], ExperimentEntry | None]] = {}

    def look(self) -> list[ExperimentEntry]:
        """By name. A folder that is gone has none."""
        try:
            paths = sorted(self.folder.glob("*.toml"))
        except OSError:
            paths = []
        self._known = {path: self._entry(path) for path in paths}
        return [entry for _, entry in self._known.values() if entry is not None]

    def _entry(self, path: Path) -> tuple[tuple[int, int], ExperimentEntry | None]:
        try:
            stat = path.stat()
            stamp = (stat.st_mtime_ns, stat.st_size)
        except OSError:  # a link to nothing: reading it says so
            stamp = (0, -1)
        known = self._known.get(path)
        return known if known is not None and known[0] == stamp else (stamp, _look_at(path))


def _look_at(path: Path) -> ExperimentEntry | None:
    """None for TOML that is something else, such as pyproject.toml."""
    try:
        read(path)
    except InputError as error:
        return ExperimentEntry(path, error.problems) if _meant(path) else None
    return ExperimentEntry(path)


def _meant(path: Path) -> bool:
    try:
        return bool(SECTIONS & tomllib.loads(path.read_text(encoding="utf-8-sig")).keys())
    except (OSError, ValueError, RecursionError):
        return True  # unreadable: its problem says why

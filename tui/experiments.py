"""The experiment files of a folder, each with what is wrong with it. Nothing of theirs is run."""

from __future__ import annotations

import os
import shutil
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


def wrong_name(folder: Path, name: str, *, new: bool) -> str:
    """Why an experiment of this name can't be written to the folder; empty when it can. `new`: it
    must not be there yet."""
    file = experiment_file(folder, name)
    if not name.strip():
        return "it needs a name"
    if "/" in name or "\0" in name:
        return "a name, not a path: what the experiment names is found from this folder"
    if file.suffix != ".toml":
        return "the name must end in .toml"
    if new and os.path.lexists(file):
        return f"{file.name} is there already"
    if not os.access(folder, os.W_OK):
        return f"{folder} can't be written to"
    return ""


def experiment_file(folder: Path, name: str) -> Path:
    """`.toml` need not be typed."""
    name = name.strip()
    return folder / (name if Path(name).suffix else f"{name}.toml")


def copy_experiment(source: Path, file: Path) -> None:
    """Byte for byte. Raises OSError, FileExistsError too."""
    content = source.read_bytes()
    with file.open("xb") as out:
        out.write(content)
    shutil.copymode(source, file)

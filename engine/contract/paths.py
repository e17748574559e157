"""Relative paths in an experiment are relative to its file; the resolved copy has them absolute."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel

from engine.contract.experiment import Experiment
from engine.contract.model import weights_file
from engine.contract.problems import Problem
from engine.contract.section import ExperimentPath


class _Resolver:
    """`typed` are the keys that were given on the command line: a path that is typed in a shell
    is first looked for from where the shell is, as every command does."""

    def __init__(self, folder: Path, typed: set[str]) -> None:
        self.folder, self.typed = folder, typed
        self.problems: list[Problem] = []

    def path(self, key: str, value: str) -> str:
        try:
            path = Path(value).expanduser()
            if key in self.typed and path.exists():
                return str(path.absolute())
            return str((self.folder / path).resolve())
        except (RuntimeError, OSError, ValueError) as error:  # ~nobody, a loop of links, a NUL
            message = f"is no usable path: {str(error).rstrip('.').lower()}"
            self.problems.append(Problem(message, key, "write the path of a file or folder"))
            return value

    def target(self, key: str, value: str) -> str:
        """`losses.py:Dice` is a file's; `package.module:Name` is an installed library's."""
        file, colon, name = value.rpartition(":")
        return f"{self.path(key, file)}:{name}" if colon and file.endswith(".py") else value

    def section(self, key: str, section: BaseModel) -> BaseModel:
        changed: dict[str, Any] = {}
        for field, info in type(section).model_fields.items():
            value, at = getattr(section, field), f"{key}.{field}"
            if not isinstance(value, str):
                continue
            if ExperimentPath in info.metadata or (field == "weights" and weights_file(value)):
                changed[field] = self.path(at, value)
            elif field == "target":
                changed[field] = self.target(at, value)
        return section.model_copy(update=changed)


def resolve_paths(
    experiment: Experiment, folder: Path, typed: set[str]
) -> tuple[Experiment, list[Problem]]:
    """A copy with every path absolute, so that it can be read from any folder; and what is none."""
    resolver = _Resolver(folder, typed)
    chain = [
        resolver.section(f"scheduler.{position}", section)
        for position, section in enumerate(experiment.scheduler)
    ]
    losses = [
        resolver.section(f"loss.{position}", section)
        for position, section in enumerate(experiment.loss)
    ]
    update = {
        "loss": losses,
        "data": resolver.section("data", experiment.data),
        "model": resolver.section("model", experiment.model),
        "scheduler": chain,
    }
    return experiment.model_copy(update=update), resolver.problems

"""The experiment's TOML file: read to an Experiment, or to every problem with its line.

    text ──tomllib──▶ values ──overrides──▶ values ──pydantic──▶ Experiment ──cross checks──▶

and back: `resolved_text` writes every default out, for the run directory.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tomli_w

from engine.contract.experiment import Experiment, cross_checks
from engine.contract.overrides import apply, key_of, named
from engine.contract.paths import resolve_paths
from engine.contract.positions import DEEPEST, Positions
from engine.contract.problems import InputError, Problem, did_you_mean
from engine.contract.syntax import explain, key_at
from engine.contract.validation import validate

MAX_BYTES = 1_000_000  # an experiment is a page of text; a data set given by mistake is not


@dataclass(frozen=True)
class ExperimentFile:
    """An experiment that was read, and where each of its keys stands."""

    path: Path
    text: bytes
    experiment: Experiment
    positions: Positions
    overrides: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """What relative paths in the file are relative to."""
        return self.path.parent

    def locate(self, problems: Iterable[Problem]) -> list[Problem]:
        """The problems that a part found, with the file and the line of their keys."""
        return [
            _located(problem, self.path, self.positions, self.overrides) for problem in problems
        ]


def read(path: Path, overrides: Iterable[str] = (), text: bytes | None = None) -> ExperimentFile:
    """Read and validate an experiment; `overrides` are `key=value` texts as after `--set`. With
    `text`, that is read in the place of what the file holds.

    Raises InputError with every problem found.
    """
    return read_bytes(path, contents(path) if text is None else text, overrides)


def read_bytes(path: Path, raw: bytes, overrides: Iterable[str] = ()) -> ExperimentFile:
    """As `read`, of a text that is not, or not yet, what the file holds."""
    path, overrides = path.absolute(), tuple(overrides)
    values, positions = _parse(path, raw)
    problems = [problem for override in overrides for problem in apply(values, override)]
    values.setdefault("name", _default_name(path))
    experiment, found = validate(values)
    problems += [_located(problem, path, positions, overrides) for problem in found]
    if experiment is not None:
        typed = {key_of(override) for override in overrides}
        experiment, found = resolve_paths(experiment, path.parent, typed)
        found += cross_checks(experiment)
        problems += [_located(problem, path, positions, overrides) for problem in found]
    if problems or experiment is None:
        raise InputError(*sorted(problems, key=lambda problem: (problem.line or 0, problem.key)))
    return ExperimentFile(path, raw, experiment, positions, overrides)


def _default_name(path: Path) -> str:
    """The file's name as far as it can be a folder's name too."""
    return re.sub(r"^[.\s]+|[/\\\x00-\x1f]", "", path.stem)[:100] or "experiment"


def resolved_text(experiment: Experiment) -> str:
    """The experiment as TOML with every default written out.

    TOML has no null: what is None is left out, and reads back as None.
    """
    return tomli_w.dumps(_without_none(experiment.model_dump()))


def _located(
    problem: Problem, path: Path, positions: Positions, overrides: Iterable[str]
) -> Problem:
    """With the file and the line of its key; one that `--set` gave stands at no line."""
    if problem.line is not None or problem.file is not None:
        return problem
    problem = replace(problem, key=_spelled(problem.key, positions))
    added = named(problem, overrides, whole=problem.key not in positions)
    return added or problem.at(path, positions.line(problem.key))


def _spelled(key: str, positions: Positions) -> str:
    """A [loss] that stands once, in single brackets, is a list of one: `loss.0.weight` is there
    `loss.weight`."""
    once = key.startswith("loss.0") and "loss.0" not in positions
    return "loss" + key.removeprefix("loss.0") if once else key


def contents(path: Path) -> bytes:
    """The file's bytes. Raises InputError where there is no file that can be an experiment."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _no_experiment(path, "too large for an experiment", "give a TOML file")
        return path.read_bytes()
    except FileNotFoundError:
        folder = path.parent
        there = folder.glob("*.toml") if folder.is_dir() else ()
        near = [entry.name for entry in there if did_you_mean(path.stem, [entry.stem])]
        hint = did_you_mean(path.name, near) or "`ptrain new FILE` writes one to start from"
        raise _no_experiment(path, "no such file", hint) from None
    except IsADirectoryError:
        raise _no_experiment(path, "this is a folder", "give one of its .toml files") from None
    except OSError as error:
        raise _no_experiment(path, f"can't be read: {error.strerror}", "") from None


def _no_experiment(path: Path, message: str, hint: str) -> InputError:
    return InputError(Problem(message, hint=hint, file=path))


def _parse(path: Path, raw: bytes) -> tuple[dict[str, Any], Positions]:
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        key = key_at(raw.decode(errors="replace").split("\n"), line)
        message, hint = f"byte {error.start} is not UTF-8", "save the file as UTF-8"
        raise InputError(Problem(message, key, hint, path, line)) from None
    text = text.removeprefix("\ufeff")  # a mark that some editors of Windows write
    try:
        return tomllib.loads(text), Positions(text)
    except RecursionError:
        lines = text.split("\n")
        depths = [row.count("[") + row.count("{") for row in lines]
        line = depths.index(max(depths)) + 1
        message = f"is more than {DEEPEST} levels deep"
        problem = Problem(message, key_at(lines, line), "write it flatter", path, line)
        raise InputError(problem) from None
    except ValueError as error:  # TOMLDecodeError, or Python's limit on the digits of a number
        wrong = explain(text, str(error))
        problem = Problem(wrong.message, wrong.key, wrong.hint, path, wrong.line)
        raise InputError(problem) from None


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if _writable(item)}
    if isinstance(value, list):
        return [_without_none(item) for item in value]
    return value


def _writable(value: Any) -> bool:
    return value is not None and not (isinstance(value, list) and None in value)

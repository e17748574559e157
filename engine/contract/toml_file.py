"""The experiment's TOML file: read to an Experiment, or to every problem with its line.

    text ──tomllib──▶ values ──overrides──▶ values ──pydantic──▶ Experiment ──cross checks──▶

and back: `resolved_text` writes every default out, for the run directory.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from engine.contract.experiment import Experiment, cross_checks
from engine.contract.paths import resolve_paths
from engine.contract.positions import Positions
from engine.contract.problems import InputError, Problem, did_you_mean
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
        return [_located(problem, self.path, self.positions) for problem in problems]


def read(path: Path, overrides: Iterable[str] = ()) -> ExperimentFile:
    """Read and validate an experiment; `overrides` are `key=value` texts as after `--set`.

    Raises InputError with every problem found.
    """
    path, overrides = path.absolute(), tuple(overrides)
    raw = _bytes(path)
    values, positions = _parse(path, raw)
    problems: list[Problem] = []
    for override in overrides:
        problems += _override(values, override)
    values.setdefault("name", re.sub(r"^[.\s]+|[/\\]", "", path.stem) or "experiment")
    experiment, found = validate(values)
    problems += found
    if experiment is not None:
        problems += cross_checks(experiment)
    if problems or experiment is None:
        raise InputError(*_sorted(_located(problem, path, positions) for problem in problems))
    typed = {key for key, _ in map(_split_override, overrides)}
    experiment = resolve_paths(experiment, path.parent, typed)
    return ExperimentFile(path, raw, experiment, positions, overrides)


def resolved_text(experiment: Experiment) -> str:
    """The experiment as TOML with every default written out.

    TOML has no null: what is None is left out, and reads back as None.
    """
    return tomli_w.dumps(_without_none(experiment.model_dump()))


def _located(problem: Problem, path: Path, positions: Positions) -> Problem:
    if problem.line is not None or problem.file is not None:
        return problem
    keys = tuple(int(part) if part.isdecimal() else part for part in problem.key.split("."))
    return problem.at(path, positions.line(keys))


def _sorted(problems: Iterable[Problem]) -> list[Problem]:
    return sorted(problems, key=lambda problem: (problem.line or 0, problem.key))


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _no_experiment(path, "too large for an experiment", "give a TOML file")
        return path.read_bytes()
    except FileNotFoundError:
        folder = path.parent
        near = [entry.name for entry in folder.glob("*.toml")] if folder.is_dir() else []
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
        message = f"byte {error.start} is not UTF-8"
        hint = "save the file with the encoding UTF-8"
        near = Positions(raw.decode(errors="replace"))
        raise InputError(Problem(message, _dotted(near.near(line)), hint, path, line)) from None
    try:
        positions = Positions(text)
        return tomllib.loads(text), positions
    except RecursionError:
        raise InputError(
            Problem("nested too deeply", "(syntax)", "arrays and tables within 100 levels", path, 1)
        ) from None
    except ValueError as error:  # TOMLDecodeError, or Python's limit on the digits of a number
        line = _error_line(text, str(error))
        message = "not TOML: " + re.sub(r"\s*\(at .*\)$", "", str(error)).lower()
        key = _dotted(positions.near(line)) or "(syntax)"
        raise InputError(Problem(message, key, _syntax_hint(text, line), path, line)) from None


def _error_line(text: str, message: str) -> int:
    found = re.search(r"\(at line (\d+)", message)
    if found:
        return int(found[1])
    digits = re.search(r"\d{4000}", text.replace("_", ""))  # the only error without a place
    if digits:
        return text.replace("_", "")[: digits.start()].count("\n") + 1
    return max(1, len(text.splitlines()))


def _syntax_hint(text: str, line: int) -> str:
    lines = text.splitlines()
    written = lines[line - 1].strip() if line <= len(lines) else ""
    if text.startswith("\ufeff"):
        return "save the file without a byte order mark"
    if not written:
        return "something before this line is not closed: a quote, a bracket or a brace"
    if re.match(r"[\w.\"-]+\s*=\s*[A-Za-z_./~]", written) and not re.search(
        r"=\s*(true|false|inf|nan)\b", written
    ):
        return f'words stand in quotes: `{re.sub(r"=.*", "", written).strip()} = "…"`'
    return f"near: {written[:80]}"


def _split_override(override: str) -> tuple[str, str]:
    key, _, value = override.partition("=")
    return key.strip(), value.strip()


def _override(values: dict[str, Any], override: str) -> Iterator[Problem]:
    """Write one `--set key=value` into the values; the value is TOML, or else a plain word."""
    key, text = _split_override(override)
    parts = key.split(".")
    if "=" not in override or not all(parts):
        yield Problem(
            f"--set {override}: not of the form key=value",
            key or "--set",
            "for example --set train.epochs=5",
        )
        return
    node: Any = values
    for part in parts[:-1]:
        node = _step_into(node, part)
    last = parts[-1]
    if isinstance(node, dict):
        node[last] = _override_value(text)
    elif isinstance(node, list) and last.isdecimal() and int(last) < len(node):
        node[int(last)] = _override_value(text)
    else:
        yield Problem(
            f"--set {override}: there is no such place in the file",
            key,
            "list positions are numbers from 0: --set scheduler.0.gamma=0.5",
        )


def _step_into(node: Any, part: str) -> Any:
    if isinstance(node, dict):
        return node.setdefault(part, {})
    if isinstance(node, list) and part.isdecimal() and int(part) < len(node):
        return node[int(part)]
    return None


def _override_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text  # a bare word, as one types it in a shell: --set model.backbone=resnet18


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if _writable(item)}
    if isinstance(value, list):
        return [_without_none(item) for item in value]
    return value


def _writable(value: Any) -> bool:
    return value is not None and not (isinstance(value, list) and None in value)


def _dotted(path: tuple[str | int, ...]) -> str:
    return ".".join(str(part) for part in path)

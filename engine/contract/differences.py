"""What differs between experiments: the settings that they don't share, side by side. Pure, but for
`read_settings`."""

from __future__ import annotations

import os.path
import tomllib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from engine.contract.problems import InputError, Problem
from engine.contract.run_directory import RunDirectory

# Dotted key → value, in the file's order; the tables of a list have numbers from 0, as after --set.
Settings = dict[str, Any]
NONE = "–"


class Difference(NamedTuple):
    """A setting that is not the same everywhere; None where an experiment doesn't have it."""

    key: str
    values: tuple[Any, ...]


def read_settings(run: RunDirectory) -> Settings:
    """Those of the run's resolved experiment. 0.4 ms; it is not validated again, so that a run of
    another version can be read too. Raises InputError where its file can't be read."""
    try:
        return settings_of(tomllib.loads(run.experiment.read_text(encoding="utf-8")))
    except OSError as error:
        told = f"can't be read: {error.strerror}"
    except (ValueError, RecursionError) as error:  # not TOML, or not UTF-8
        told = f"is damaged: {error}"
    hint = "it is written when a run begins; source.toml beside it is the file as it was given"
    raise InputError(Problem(told, hint=hint, file=run.experiment))


def settings_of(values: dict[str, Any]) -> Settings:
    """Every value by its dotted key. A list is one value unless it is one of tables."""
    return dict(_flat(values, ""))


def _flat(node: Any, key: str) -> Iterator[tuple[str, Any]]:
    inner: Iterator[tuple[Any, Any]]
    if isinstance(node, dict):
        # The class first: it tells which of the others there can be.
        inner = iter(sorted(node.items(), key=lambda item: item[0] != "name"))
    elif isinstance(node, list) and node and all(isinstance(item, dict) for item in node):
        inner = enumerate(node)
    else:
        yield key, node
        return
    for name, value in inner:
        yield from _flat(value, f"{key}.{name}" if key else str(name))


def differences(experiments: Sequence[Settings]) -> list[Difference]:
    """What is not equal in all, in the order of the files.

    A [loss] that stands alone in each is called as one writes it: `loss.name`.
    """
    keys = _merged(experiments)
    alone = not any(key.startswith("loss.1.") for key in keys)
    found = []
    for key in keys:
        values = tuple(settings.get(key) for settings in experiments)
        if len(set(map(repr, values))) == 1:  # by their text: 1 is no true, and a nan is a nan
            continue
        # An empty list beside one of tables is told by the tables' keys.
        if [] not in values or not any(other.startswith(f"{key}.0.") for other in keys):
            spelled = "loss." + key.removeprefix("loss.0.") if alone else key
            found.append(Difference(spelled if key.startswith("loss.0.") else key, values))
    return found


def _merged(experiments: Sequence[Settings]) -> list[str]:
    """All keys; one that only a later experiment has is behind the key that it follows there."""
    keys: list[str] = []
    for settings in experiments:
        known, place, added = set(keys), 0, keys.copy()
        for key in settings:
            if key in known:
                place = added.index(key) + 1
            else:
                added.insert(place, key)
                place += 1
        keys = added
    return keys


def shown(values: Sequence[Any], width: int = 24) -> list[str]:
    """A setting of several experiments in cells of at most `width` characters. Absolute paths are
    told from where they part."""
    paths = [value for value in values if isinstance(value, str) and value.startswith("/")]
    parted = len(set(paths)) > 1 and len(paths) == len([v for v in values if v is not None])
    base = os.path.commonpath(paths) if parted else ""
    cut = len(base) + 1 if len(base) > 1 else 0
    return [
        _short(f"…/{value[cut:] or '.'}" if cut and isinstance(value, str) else value, width)
        for value in values
    ]


def _short(value: Any, width: int) -> str:
    text = words(value)
    if len(text) <= width:
        return text
    if isinstance(value, str) and "/" in value:  # the end of a path tells more
        return "…" + text[len(text) - width + 1 :]
    return text[: width - 1] + "…"


def words(value: Any) -> str:
    """A value as one would write it in the file, without the quotes of a text that stands alone."""
    if value is None:
        return NONE
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return f"[{', '.join(map(words, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key} = {words(item)}' for key, item in value.items())}}}"
    return str(value)

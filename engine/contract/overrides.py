"""`--set key=value`: changes to an experiment from the command line."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from engine.contract.problems import Problem


def key_of(override: str) -> str:
    return override.partition("=")[0].strip()


def apply(values: dict[str, Any], override: str) -> Iterator[Problem]:
    """Write one `key=value` into the values; the value is TOML, or else a plain word."""
    key, equals, text = override.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        hint = "write key=value, for example --set train.epochs=5"
        yield _from(
            override, Problem("not of the form key=value", key_of(override) or "--set", hint)
        )
        return
    node: Any = values
    while len(parts) > 1 and (inner := _inside(node, parts[0])) is not None:
        node, parts = inner, parts[1:]
    value = _value(text.strip())
    if isinstance(node, dict) and not any(part.isdecimal() for part in parts):
        for part in reversed(parts[1:]):  # sections that the file does not have
            value = {part: value}
        node[parts[0]] = value
    elif isinstance(node, list) and len(parts) == 1 and _inside(node, parts[0]) is not None:
        node[int(parts[0])] = value
    else:
        hint = "list positions are numbers from 0: --set scheduler.0.gamma=0.5"
        yield _from(override, Problem("there is no such place in the file", key.strip(), hint))


def named(problem: Problem, overrides: Iterable[str], *, whole: bool) -> Problem | None:
    """The problem told as one of `--set`, when that is where its value comes from; else None.

    `whole`: the file has no such key, so that an override of something inside it has made it.
    """
    for override in overrides:
        key = key_of(override)
        if f"{problem.key}.".startswith(f"{key}.") or (whole and key.startswith(f"{problem.key}.")):
            return _from(override, problem)
    return None


def _from(override: str, problem: Problem) -> Problem:
    suffix = f" (from --set {override if len(override) <= 80 else override[:79] + '…'})"
    if problem.message.endswith(suffix):
        return problem
    return replace(problem, message=problem.message + suffix)


def _inside(node: Any, part: str) -> Any:
    if isinstance(node, dict):
        return node.get(part)
    if isinstance(node, list) and part.isdecimal() and len(part) < 10 and int(part) < len(node):
        return node[int(part)]
    return None


def _value(text: str) -> Any:
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text  # a bare word, as one types it in a shell: --set model.backbone=resnet18
    return parsed["value"] if len(parsed) == 1 else text

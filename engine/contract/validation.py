"""Values → Experiment, or what pydantic found told to the person who wrote the file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from engine.contract.experiment import Experiment
from engine.contract.loss import DEPRECATED
from engine.contract.optimizer import REFUSED
from engine.contract.problems import Problem, did_you_mean

Keys = tuple[str | int, ...]


def validate(values: dict[str, Any]) -> tuple[Experiment | None, list[Problem]]:
    """The experiment, and every problem. No experiment where a field is wrong."""
    try:
        experiment = Experiment.model_validate(values)
    except ValidationError as error:
        return None, _distinct(_problem(values, detail) for detail in error.errors())
    return experiment, _group_problems(experiment)


def _group_problems(experiment: Experiment) -> list[Problem]:
    """A group's settings are the optimizer's own keywords: the same model validates them."""
    problems = []
    model = type(experiment.optimizer)
    for position, group in enumerate(experiment.optimizer.group):
        try:
            model.model_validate(group.options)
        except ValidationError as error:
            for detail in error.errors():
                problem = _problem(group.options, detail, model)
                key = f"optimizer.group.{position}.{problem.key}"
                problems.append(Problem(problem.message, key, problem.hint))
    return problems


def _problem(
    values: dict[str, Any], detail: ErrorDetails, root: type[BaseModel] = Experiment
) -> Problem:
    keys, models = _walk(values, detail["loc"], root)
    key = ".".join(str(part) for part in keys)
    name = str(keys[-1]) if keys else ""
    field = _field(models, name)
    match detail["type"]:
        case "missing":
            return Problem("is missing", key, _missing_hint(name, field))
        case "extra_forbidden":
            return Problem("unknown key", key, _unknown_hint(name, models))
        case "union_tag_invalid" | "union_tag_not_found":
            return _unknown_name(key, detail)
    message = re.sub(r"^(Value|Assertion) error, ", "", detail["msg"])
    message = re.sub(r"^Input should", "should", message)
    message = message[:1].lower() + message[1:] if message[1:2].islower() else message
    written = detail["input"]
    if detail["type"] != "value_error" and isinstance(written, str | int | float | bool):
        message += f", not {written!r}"[:90]
    hint = _literal_hint(detail) or _help(field)
    return Problem(message, key, hint)


def _walk(
    values: Any, loc: tuple[int | str, ...], model: type[BaseModel]
) -> tuple[Keys, list[type[BaseModel]]]:
    """The keys as they stand in the file, and the models that the last of them may be of.

    pydantic's location also names the members of unions that it tried: what is neither in the
    values nor the field that is missing there is such a name, and is left out.
    """
    keys: Keys = ()
    node, models = values, [model]
    for position, part in enumerate(loc):
        if isinstance(node, list) and isinstance(part, int) and part < len(node):
            node = node[part]
            keys = (*keys, part)
        elif isinstance(node, dict) and isinstance(part, str):
            # `name = "SGD"` picks the member "SGD"; a key of that name would be an unknown one.
            chosen = [m for m in models if m.__name__ == part]
            if chosen and part not in node:
                models = chosen
                continue
            last = position == len(loc) - 1
            if part not in node and not (last and _field(models, part) is not None):
                continue
            field = _field(models, part)
            keys = (*keys, part)
            node = node.get(part)
            if not last:
                models = _models(field.annotation) if field is not None else []
    return keys, models


def _field(models: list[type[BaseModel]], name: str) -> FieldInfo | None:
    return next((m.model_fields[name] for m in models if name in m.model_fields), None)


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The models inside an annotation such as `list[Annotated[A | B, Discriminator(…)]]`."""
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return [annotation] if issubclass(annotation, BaseModel) else []
    return [model for inner in get_args(annotation) for model in _models(inner)]


def _missing_hint(name: str, field: FieldInfo | None) -> str:
    if field is not None and _models(field.annotation):
        return f"write a section [{name}]"
    return f"write {name} = …  {_help(field)}"


def _unknown_hint(name: str, models: list[type[BaseModel]]) -> str:
    if name in DEPRECATED:
        return DEPRECATED[name]
    known = list(dict.fromkeys(key for model in models for key in model.model_fields))
    return did_you_mean(name, known) or "known here: " + ", ".join(known)


def _unknown_name(key: str, detail: ErrorDetails) -> Problem:
    context = detail.get("ctx", {})
    name = str(context.get("tag", ""))
    expected = re.findall(r"'([^']+)'", str(context.get("expected_tags", "")))
    if not isinstance(detail["input"], dict):
        return Problem("should be a table", key, f'write [{key}] with a name = "…"')
    key = f"{key}.name"
    if name in REFUSED:
        return Problem(REFUSED[name], key, "one of: " + ", ".join(expected))
    hint = did_you_mean(name, expected) or "one of: " + ", ".join(expected)
    return Problem(f'"{name}" is not known', key, hint)


def _literal_hint(detail: ErrorDetails) -> str:
    if detail["type"] != "literal_error":
        return ""
    expected = re.findall(r"'([^']+)'", str(detail.get("ctx", {}).get("expected", "")))
    return did_you_mean(str(detail["input"]), expected)


def _help(field: FieldInfo | None) -> str:
    return " ".join((field.description or "").split()) if field is not None else ""


def _distinct(problems: Iterator[Problem]) -> list[Problem]:
    """One problem a key: a union reports each member that failed, and the deepest knows best."""
    by_key: dict[str, Problem] = {}
    for problem in problems:
        earlier = by_key.get(problem.key)
        if earlier is None:
            by_key[problem.key] = problem
        elif problem.message not in earlier.message:
            message = f"{earlier.message}; or {problem.message}"
            by_key[problem.key] = Problem(message, problem.key, earlier.hint or problem.hint)
    return [
        problem
        for key, problem in by_key.items()
        if not any(other.startswith(f"{key}.") for other in by_key)
    ]

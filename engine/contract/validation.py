"""Values → Experiment, or what pydantic found told to the person who wrote the file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from engine.contract.experiment import Experiment
from engine.contract.loss import DEPRECATED, LOSSES
from engine.contract.loss import REFUSED as REFUSED_LOSSES
from engine.contract.loss import Custom as CustomLoss
from engine.contract.optimizer import OPTIMIZERS, REFUSED
from engine.contract.positions import DEEPEST, dotted
from engine.contract.problems import Problem, did_you_mean
from engine.contract.scheduler import SCHEDULERS, Custom
from engine.contract.type_words import models_of
from engine.contract.wording import help_of, told, written

Keys = tuple[str | int, ...]


def validate(values: dict[str, Any]) -> tuple[Experiment | None, list[Problem]]:
    """The experiment, and every problem. No experiment where a field is wrong."""
    problems = list(_beyond(values, ()))
    if problems:
        return None, problems
    problems = _group_problems(values)
    try:
        experiment = Experiment.model_validate(values)
    except ValidationError as error:
        # A default that is made of another key is not made where that one is wrong, and told.
        details = error.errors(include_url=False)
        told_first = [each for each in details if each["type"] != "default_factory_not_called"]
        found = (_problem(values, detail) for detail in told_first)
        return None, [*_distinct(found), *problems]
    return experiment, problems


def _beyond(value: Any, keys: Keys) -> Iterator[Problem]:
    """What TOML's reader lets pass and nothing after it could work with."""
    if len(keys) > DEEPEST:
        yield Problem(f"is more than {DEEPEST} levels deep", dotted(keys[:1]), "write it flatter")
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _beyond(inner, (*keys, key))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from _beyond(inner, (*keys, position))
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        yield Problem("is a number of more than 64 bits", dotted(keys), "write a smaller one")


def _group_problems(values: dict[str, Any]) -> list[Problem]:
    """A group's settings are the optimizer's own keywords: the same model validates them."""
    section = values.get("optimizer")
    if not isinstance(section, dict) or not isinstance(section.get("group"), list):
        return []
    model = OPTIMIZERS.get(str(section.get("name", "SGD")))
    problems: list[Problem] = []
    for position, group in enumerate(section["group"]):
        base: Keys = ("optimizer", "group", position)
        if model is None or not isinstance(group, dict):
            continue
        if "group" in group:
            message, hint = "a group has no groups", "write one more [[optimizer.group]]"
            problems.append(Problem(message, dotted((*base, "group")), hint))
        settings = {key: group[key] for key in group if key not in ("name", "match", "group")}
        try:
            model.model_validate(settings)
        except ValidationError as error:
            details = error.errors(include_url=False)
            problems += _distinct(_problem(settings, detail, model, base) for detail in details)
    return problems


def _problem(
    values: dict[str, Any],
    detail: ErrorDetails,
    root: type[BaseModel] = Experiment,
    base: Keys = (),
) -> Problem:
    keys, models, field = _walk(values, detail["loc"], root)
    key, name = dotted((*base, *keys)), str(keys[-1]) if keys else ""
    match detail["type"]:
        case "missing":
            return _missing(key, name, field)
        case "extra_forbidden":
            return Problem("unknown key", key, _unknown_hint((*base, *keys), models))
        case "union_tag_invalid" | "union_tag_not_found":
            return _unknown_name(key, detail)
    message, hint = told(detail, field)
    if field is None and detail["type"] == "value_error":
        return Problem(message, key, hint or "leave it out")
    return Problem(message, key, _table_hint(keys, detail, field) or hint)


def _walk(
    values: Any, loc: tuple[int | str, ...], model: type[BaseModel]
) -> tuple[Keys, list[type[BaseModel]], FieldInfo | None]:
    """The keys as they stand in the file, the models that the last of them may be of, its field.

    pydantic's location also names the members of unions that it tried: what is neither in the
    values nor the field that is missing there is such a name, and is left out.
    """
    keys: Keys = ()
    node, models, field = values, [model], None
    for position, part in enumerate(loc):
        if isinstance(node, list) and isinstance(part, int) and part < len(node):
            node, keys = node[part], (*keys, part)
        elif isinstance(node, dict) and isinstance(part, str):
            chosen = [member for member in models if member.__name__ == part]
            if chosen and len(models) > 1:  # the member that `name = "SGD"` picked
                models = chosen
                continue
            last = position == len(loc) - 1
            if part not in node and not (last and _field(models, part) is not None):
                continue
            known = _field(models, part)
            field = known if known is not None or models else field
            node, keys = node.get(part), (*keys, part)
            if not last:
                models = models_of(field.annotation) if field is not None else []
    return keys, models, field


def _field(models: list[type[BaseModel]], name: str) -> FieldInfo | None:
    return next((m.model_fields[name] for m in models if name in m.model_fields), None)


def _missing(key: str, name: str, field: FieldInfo | None) -> Problem:
    models = models_of(field.annotation) if field is not None else []
    if models:
        needed = [key for key, info in models[0].model_fields.items() if info.is_required()]
        return Problem("this section is missing", key, f"write [{name}] with {needed[0]} = …")
    if name == "name" and key.startswith("scheduler."):
        return Problem("is missing", key, "write name = …, one of: " + ", ".join(SCHEDULERS))
    return Problem("is missing", key, f"write {name} = …: {help_of(field)}".rstrip(": "))


def _table_hint(keys: Keys, detail: ErrorDetails, field: FieldInfo | None) -> str:
    """How to write a section, or a list of them, that is something else."""
    if field is None or not models_of(field.annotation):
        return ""
    where = ".".join(str(key) for key in keys if isinstance(key, str))
    listed = get_origin(field.annotation) is list
    if detail["type"] == "list_type":
        first = next(iter(models_of(field.annotation)[0].model_fields))
        return f"write [[{where}]] with {first} = …, once for each"
    if detail["type"] == "model_type" and not listed:
        return f"write [{where}] once, in single brackets, and its keys below it"
    return 'write { name = "…" }' if detail["type"] == "model_type" else ""


def _unknown_hint(keys: Keys, models: list[type[BaseModel]]) -> str:
    name = str(keys[-1])
    if "loss" in keys and name in DEPRECATED:
        return DEPRECATED[name]
    if name == "name" and (Custom in models or CustomLoss in models):
        return "`target` stands in place of a name: keep one of the two"
    known = [key for model in models for key in model.model_fields if key != "group"]
    known = sorted(dict.fromkeys(known), key=lambda key: {"name": 0, "lr": 1}.get(key, 2))
    if len(keys) == 4 and keys[1] == "group":
        known = ["name", "match", *known[1:]]
    elsewhere = _section_of(name) if name not in ("name", "group") else None
    if elsewhere is not None and elsewhere not in (keys[0], ""):
        return f"{did_you_mean(name, known)} {name} belongs in [{elsewhere}]".strip()
    if elsewhere == "":
        return f"{name} belongs above the first [section], or is a section of its own"
    return did_you_mean(name, known) or "known here: " + ", ".join(known)


def _section_of(name: str) -> str | None:
    """The section that has such a key; an empty text for the top of the file."""
    if name in Experiment.model_fields:
        return ""
    for section, field in Experiment.model_fields.items():
        if section != "scheduler" and _field(models_of(field.annotation)[:1], name) is not None:
            return section
    return None


def _unknown_name(key: str, detail: ErrorDetails) -> Problem:
    section = re.sub(r"\.\d+$", "", key)
    if not isinstance(detail["input"], dict):
        brackets = f"[{section}]" if section == key else f"[[{section}]]"
        message = f"should be a table, not {written(detail['input'])}"
        return Problem(message, key, f'write {brackets} with name = "…" below it')
    expected = {"scheduler": [*SCHEDULERS], "loss": [*LOSSES]}.get(section, [*OPTIMIZERS])
    key, name = f"{key}.name", detail["input"].get("name")
    one_of = "one of: " + ", ".join(expected)
    if not isinstance(name, str):
        return Problem(f"should be text in quotes, not {written(name)}", key, one_of)
    refused = REFUSED | REFUSED_LOSSES
    if name in refused:
        return Problem(refused[name], key, one_of)
    return Problem(f"{written(name)} is not known", key, did_you_mean(name, expected) or one_of)


def _distinct(problems: Iterable[Problem]) -> list[Problem]:
    """One problem a key: a union reports each member that failed, and the deepest knows best."""
    by_key: dict[str, Problem] = {}
    for problem in problems:
        earlier = by_key.get(problem.key)
        if earlier is None:
            by_key[problem.key] = problem
        elif problem.message not in earlier.message:
            shared = re.search(r", not [^;]*$", earlier.message)
            first = earlier.message
            if shared and problem.message.endswith(shared[0]):
                first = first[: shared.start()]
            second = problem.message.removeprefix("should be ")
            by_key[problem.key] = replace(
                earlier, message=f"{first} or {second}", hint=earlier.hint or problem.hint
            )
    return [
        problem
        for key, problem in by_key.items()
        if not any(other.startswith(f"{key}.") for other in by_key)
    ]

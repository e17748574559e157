"""What the contract's models say of a field: its words, its choices, what it is added with."""

from __future__ import annotations

import types
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from engine.contract.type_words import bounded, models_of, type_in_words

_LISTS = {float: "[1.0, 1.0]", int: "[1, 1]"}
Choices = tuple[tuple[str, str], ...]  # words, each with its help


@dataclass(frozen=True)
class Choice:
    """What can be added: a key, or a member of a list by its class's name."""

    name: str
    help: str
    value: Any  # what it is added with: for a member, its keys


def help_of(info: FieldInfo) -> str:
    """The docstring of a field, and what it can be."""
    try:
        words = bounded(type_in_words(info.annotation), info.metadata)
    except KeyError:
        words = ""
    return f"{in_one_line(info.description)} ({words})" if words else in_one_line(info.description)


def in_one_line(text: str | None) -> str:
    return " ".join((text or "").split())


def has_tables(info: FieldInfo) -> bool:
    """Whether it is a section, or a list of them; data.preprocess, which can be a name too, is a
    row."""
    if get_origin(info.annotation) is list:
        return bool(models_of(info.annotation))
    kinds = get_args(info.annotation) or (info.annotation,)
    return all(models_of(kind) and get_origin(kind) is not list for kind in kinds)


def plain_type(annotation: Any) -> Any:
    """Without bounds, and without None: a key that may be left out is one that stands there."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return plain_type(inner[0])
    if origin in (Union, types.UnionType):
        kinds = [kind for kind in inner if kind is not types.NoneType]
        return plain_type(kinds[0]) if len(kinds) == 1 else annotation
    return annotation


def literals(info: FieldInfo | None) -> Choices:
    bare = plain_type(info.annotation) if info is not None else None
    if get_origin(bare) is not Literal:
        return ()
    words = [word for word in get_args(bare) if isinstance(word, str)]
    return tuple((word, "") for word in words) if len(words) > 1 else ()


def words_beside(info: FieldInfo) -> Choices:
    """The words that a key can be beside numbers or a list, such as "balanced", and how the list
    is written."""
    kinds = get_args(plain_type(info.annotation))
    literal = [kind for kind in kinds if get_origin(kind) is Literal]
    words = [(str(word), "") for kind in literal for word in get_args(kind)]
    lists = [
        (written, f"{type_in_words(kind)}, as many as there are")
        for kind in kinds
        if get_origin(kind) is list and (written := _LISTS.get(get_args(kind)[0]))
    ]
    return (*words, *lists) if words else ()


def chosen_model(models: Sequence[type[BaseModel]], value: Any) -> type[BaseModel]:
    given = value if isinstance(value, dict) else {}
    name = "Custom" if "target" in given else given.get("name")
    return next((model for model in models if model.__name__ == name), models[0])


def member_of(model: type[BaseModel]) -> Choice:
    """A new member: with its name, and with what it can't be without."""
    own: dict[str, Any] = {}
    if len(get_args(_annotation(model, "name"))) == 1:
        own["name"] = model.__name__
    for name, info in model.model_fields.items():
        if info.is_required():
            own[name] = to_start_with(name, info)
    return Choice(model.__name__, in_one_line(model.__doc__), own)


def to_start_with(name: str, info: FieldInfo) -> Any:
    """The default, which adding a key then changes nothing by; else the simplest value."""
    default = None if info.is_required() else info.get_default()
    if default is not None and not isinstance(default, BaseModel):
        return default
    bare = plain_type(info.annotation)
    if get_origin(bare) is Literal:
        return get_args(bare)[0]
    if get_origin(bare) in (Union, types.UnionType):
        bare = plain_type(get_args(bare)[0])
    if name == "target":
        return "mine.py:name"
    simple = {int: 1, float: 0.1, str: "", bool: True, dict: {}, list: []}
    return simple.get(get_origin(bare) or bare, "")


def _annotation(model: type[BaseModel], name: str) -> Any:
    return model.model_fields[name].annotation if name in model.model_fields else None

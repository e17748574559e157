"""The type of a key in words: `whole number (≥ 1)`, `"min" or "max"`, `list of text`."""

from __future__ import annotations

import json
import types
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ByteSize

_WORDS: dict[Any, str] = {
    str: "text", int: "whole number", float: "number", bool: "true or false",
    ByteSize: 'bytes, or text such as "4GB"',
}  # fmt: skip
_BOUNDS = {"ge": "≥ {:g}", "gt": "> {:g}", "le": "≤ {:g}", "lt": "< {:g}"}
_LENGTHS = ("min_length", "max_length")


def type_in_words(annotation: Any) -> str:
    """Of a field's annotation; what may be left out is not said."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return bounded(type_in_words(inner[0]), inner[1:])
    if origin is Literal:
        *first, last = map(json.dumps, inner)
        return f"{', '.join(first)} or {last}" if first else last
    if origin in (Union, types.UnionType):
        kinds = [type_in_words(kind) for kind in inner if kind is not types.NoneType]
        return " or ".join(dict.fromkeys(kinds))
    if origin is list:
        kind = "tables" if models_of(annotation) else type_in_words(inner[0])
        return f"list of {kind.replace('number', 'numbers')}"
    return "table" if origin is dict else _WORDS[annotation]


def bounded(words: str, metadata: Iterable[Any]) -> str:
    """With the bounds that a field's metadata give."""
    bounds = _bounds(metadata)
    return f"{words} ({bounds})" if bounds else words


def _bounds(metadata: Iterable[Any]) -> str:
    metadata, told = list(metadata), []
    for each in metadata:
        for name, words in _BOUNDS.items():
            if isinstance(bound := getattr(each, name, None), int | float):
                told.append("< 2⁶³" if bound == 2**63 else words.format(bound))
        if (inner := getattr(each, "metadata", None)) is not None:
            told += [found for found in [_bounds(inner)] if found]
    lengths = {
        name: getattr(each, name) for each in metadata for name in _LENGTHS if hasattr(each, name)
    }
    least, most = (lengths.get(name) for name in _LENGTHS)
    if least is not None and least > 1:  # that there must be one is no news
        told.append(f"{least} of them" if least == most else f"at least {least} of them")
    return ", ".join(told)


def models_of(annotation: Any) -> list[type[BaseModel]]:
    """The tables that an annotation stands for."""
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return [annotation] if issubclass(annotation, BaseModel) else []
    return [model for inner in get_args(annotation) for model in models_of(inner)]

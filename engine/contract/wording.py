"""What pydantic found, in the words of the person who wrote the file."""

from __future__ import annotations

import datetime
import json
import re
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from engine.contract.problems import did_you_mean

_TYPES = {
    "string_type": "should be text in quotes",
    "int_type": "should be a whole number",
    "int_from_float": "should be a whole number",
    "float_type": "should be a number",
    "bool_type": "should be true or false",
    "list_type": "should be a list",
    "dict_type": "should be a table",
    "model_type": "should be a table",
    "model_attributes_type": "should be a table",
    "string_too_short": "is empty",
}
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")
_BOUNDS = {
    "greater_than": ("gt", "should be more than {}"),
    "greater_than_equal": ("ge", "should be at least {}"),
    "less_than": ("lt", "should be less than {}"),
    "less_than_equal": ("le", "should be at most {}"),
    "too_short": ("min_length", "should have at least {} items"),
    "too_long": ("max_length", "should have at most {} items"),
    "string_too_long": ("max_length", "should have at most {} characters"),
}


def told(detail: ErrorDetails, field: FieldInfo | None) -> tuple[str, str]:
    """The message and the hint for an error at a key of the file."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "value_error":
        return own_words(str(context["error"]), field)
    if kind == "literal_error":
        allowed = str(context["expected"]).replace("'", '"')
        names = re.findall(r'"([^"]+)"', allowed)
        near = did_you_mean(str(detail["input"]), names)
        return _not(f"should be {allowed}", detail["input"]), near or help_of(field)
    if kind in _BOUNDS:
        name, sentence = _BOUNDS[kind]
        bound = context[name]
        message = sentence.format(f"{bound:g}" if isinstance(bound, float) else bound)
        if "actual_length" in context:
            return message.replace("1 items", "1 item") + f", not {context['actual_length']}", (
                help_of(field)
            )
    else:
        message = _TYPES.get(kind) or re.sub(r"^Input should", "should", detail["msg"])
    if kind == "string_too_short":
        return message, help_of(field)
    return _not(message, detail["input"]), _repair(kind, detail["input"]) or help_of(field)


def own_words(text: str, field: FieldInfo | None) -> tuple[str, str]:
    """A validator of ours says `what is wrong; what to write instead`."""
    for found in re.finditer("; ", text):
        if text.count('"', 0, found.start()) % 2 == 0:  # not inside what the person wrote
            return text[: found.start()], text[found.end() :]
    return text, help_of(field)


def help_of(field: FieldInfo | None) -> str:
    """What the key does, as its declaration says it."""
    text = " ".join((field.description or "").split()) if field is not None else ""
    return "" if text.startswith("The class of torch") else text


def written(value: Any) -> str:
    """A value as it stands in the file, shortened."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        text = json.dumps(value, ensure_ascii=False)
    elif isinstance(value, dict):
        return "a table"
    elif isinstance(value, list):
        return f"a list of {len(value)}"
    elif isinstance(value, datetime.date | datetime.time):
        text = f"the date {value.isoformat()}"
    else:
        text = str(value)
    return text if len(text) <= 60 else text[:59] + "…"


def _not(message: str, value: Any) -> str:
    return f"{message}, not {written(value)}"


def _repair(kind: str, value: Any) -> str:
    """The same value as it should have been written, where that is plain."""
    match kind:
        case "list_type" if isinstance(value, str) and value:
            return f"write [{written(value)}]"
        case "float_type" | "int_type" if isinstance(value, str) and _NUMBER.fullmatch(value):
            return f"write {value} without quotes"
        case "int_type" if isinstance(value, float) and value.is_integer():
            return f"write {int(value)}"
        case "bool_type" if value in (0, 1, "true", "false", "True", "False", "yes", "no"):
            return f"write {'true' if value in (1, 'true', 'True', 'yes') else 'false'}"
    return ""

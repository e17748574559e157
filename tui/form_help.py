"""All that the contract says of a key or a section, for reading."""

from __future__ import annotations

import inspect
from contextlib import suppress

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from engine.contract.positions import dotted
from engine.contract.type_words import bounded, type_in_words
from tui.form_model import Row, Table
from tui.key_words import counted
from tui.toml_edit import toml_value


def title_of(row: Row | None, table: Table) -> str:
    return counted(dotted(row.path)) if row is not None else table.title


def help_on(row: Row | None, table: Table) -> str:
    """Of the row; without one, of the section and of each key that it can have."""
    if row is None:
        parts = [table.help]
        parts += [f"{each.label}: {each.help}" for each in table.rows if each.help]
        if table.addable:
            parts.append("It can have besides (f7 adds one):")
        parts += [f"{choice.name}: {choice.help}" for choice in table.addable]
        return "\n\n".join(filter(None, parts))
    if row.info is None:
        return "ptrain knows nothing of this key here: it is handed on, or is a mistake."
    parts = [_paragraphs(row.info.description), *_facts(row.info)]
    parts += [f"{word}: {help_}" for word, help_ in row.choices if help_]
    return "\n\n".join(filter(None, parts))


def _facts(info: FieldInfo) -> list[str]:
    facts = []
    with suppress(KeyError):  # a type of its own, which its docstring explains
        facts.append(f"Type: {bounded(type_in_words(info.annotation), info.metadata)}")
    default = None if info.is_required() else info.get_default(call_default_factory=True)
    if info.is_required():
        facts.append("It has to be given.")
    elif default is not None and not isinstance(default, BaseModel):
        facts.append(f"Default: {toml_value(default)}")
    else:
        facts.append("May be left out.")
    return ["\n".join(facts)]


def _paragraphs(text: str | None) -> str:
    """Without the line breaks of the source; paragraphs stay."""
    parts = inspect.cleandoc(text or "").split("\n\n")
    return "\n\n".join(" ".join(part.split()) for part in parts)

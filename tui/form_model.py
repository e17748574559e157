"""The form of an experiment as data: which sections, rows and choices, from the contract's models.

A row is a key that the file sets; what else a table can have is in `addable`, with its help.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from engine.contract.experiment import Experiment
from engine.contract.positions import dotted
from engine.contract.problems import Problem
from engine.contract.type_words import models_of
from tui.form_fields import (
    Choice,
    Choices,
    chosen_model,
    has_tables,
    help_of,
    in_one_line,
    literals,
    member_of,
    plain_type,
    to_start_with,
    words_beside,
)
from tui.toml_edit import toml_value

Path = tuple[str | int, ...]
Kind = Literal["text", "choice", "switch", "fixed"]  # fixed: only to be changed in the text
Offers = Literal["backbones", "weights", "targets"]  # values that are looked up when asked for


@dataclass(frozen=True)
class Row:
    """One key that the file sets. `toml` is its value as written there."""

    path: Path
    label: str
    toml: str
    kind: Kind = "text"
    choices: tuple[tuple[str, str], ...] = ()  # words, each with its help
    help: str = ""
    offers: Offers | None = None
    info: FieldInfo | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Table:
    """A section, a member of a list, or (with `is_list`) the head above the members."""

    path: Path
    title: str
    help: str = ""
    rows: tuple[Row, ...] = ()
    addable: tuple[Choice, ...] = ()
    is_list: bool = False
    member: tuple[int, int] | None = None  # its position, and of how many
    depth: int = 0

    @property
    def shape(self) -> object:
        """What has to be laid anew when it changes; values can change in place."""
        rows = tuple((row.path, row.kind, row.choices) for row in self.rows)
        return self.path, self.title, rows, self.addable, self.member


@dataclass
class Form:
    """Everything of a text that parses, in the contract's order."""

    tables: list[Table] = field(default_factory=list)

    @property
    def shape(self) -> object:
        return [table.shape for table in self.tables]


def form_of(values: Mapping[str, Any], texts: Mapping[Path, str]) -> Form:
    """Of the parsed file and the text of each of its values."""
    return Form(list(_Reader(texts).top(values)))


class _Reader:
    def __init__(self, texts: Mapping[Path, str]) -> None:
        self._texts = texts

    def top(self, values: Mapping[str, Any]) -> Iterator[Table]:
        fields = Experiment.model_fields
        plain = {name: info for name, info in fields.items() if not has_tables(info)}
        unknown = {key: value for key, value in values.items() if key not in fields}
        own = {key: values[key] for key in plain if key in values} | unknown
        yield self._table((), "Experiment", "", plain, own)
        for name, info in fields.items():
            if name not in plain:
                yield from self._section((name,), info, values.get(name), 0)

    def _section(self, path: Path, info: FieldInfo, value: Any, depth: int) -> Iterator[Table]:
        """A section, or the head of a list and its members."""
        models = models_of(info.annotation)
        if get_origin(info.annotation) is not list:
            model = chosen_model(models, value)
            yield from self._with_lists(path, str(path[-1]), models, model, value or {}, depth)
            return
        single = isinstance(value, dict)  # one [loss]
        members = [value] if single else value if isinstance(value, list) else []
        adds = tuple(member_of(model) for model in models)
        title = f"[[{'.'.join(part for part in path if isinstance(part, str))}]]"
        yield Table(path, title, in_one_line(info.description), (), adds, True, None, depth)
        for position, each in enumerate(members):
            if isinstance(each, dict):
                model = chosen_model(models, each)
                here = path if single else (*path, position)
                name = each.get("name") or each.get("target") or model.__name__
                told = f"{path[-1]} {position + 1}: {name}"
                place = None if single else (position, len(members))
                yield from self._with_lists(here, told, models, model, each, depth + 1, place)

    def _with_lists(
        self,
        path: Path,
        title: str,
        models: Sequence[type[BaseModel]],
        model: type[BaseModel],
        value: Any,
        depth: int,
        place: tuple[int, int] | None = None,
    ) -> Iterator[Table]:
        """A table, and the lists of tables inside it."""
        value = value if isinstance(value, dict) else {}
        lists = {
            name: info
            for name, info in model.model_fields.items()
            if has_tables(info) and not _is_mixed(value.get(name))
        }
        fields = {name: info for name, info in model.model_fields.items() if name not in lists}
        own = {key: item for key, item in value.items() if key not in lists}
        named = [each for each in models if "name" in each.model_fields]
        names = tuple((each.__name__, in_one_line(each.__doc__)) for each in named)
        choices = {"name": names} if len(models) > 1 else {}
        help_ = in_one_line(model.__doc__)
        yield self._table(path, title, help_, fields, own, choices, place, depth)
        for name, info in lists.items():
            yield from self._section((*path, name), info, value.get(name), depth)

    def _table(
        self,
        path: Path,
        title: str,
        help_: str,
        fields: Mapping[str, FieldInfo],
        own: Mapping[str, Any],
        choices: Mapping[str, Choices] | None = None,
        place: tuple[int, int] | None = None,
        depth: int = 0,
    ) -> Table:
        known = [key for key in ("name", "target") if key in own and key in fields]
        known += [key for key in fields if key in own and key not in known]
        rows = [
            row
            for key in [*known, *(key for key in own if key not in fields)]
            for row in self._rows((*path, key), key, fields.get(key), own[key], choices or {})
        ]
        adds = tuple(
            Choice(name, help_of(info), to_start_with(name, info))
            for name, info in fields.items()
            if name not in own
        )
        return Table(path, title, help_, tuple(rows), adds, False, place, depth)

    def _rows(
        self,
        path: Path,
        label: str,
        info: FieldInfo | None,
        value: Any,
        choices: Mapping[str, Choices],
    ) -> Iterator[Row]:
        text = self._texts.get(path)
        if text is None:  # spread over [data.args] or dotted keys: a row for each of its keys
            for key, item in value.items() if isinstance(value, dict) else ():
                yield from self._rows((*path, key), f"{label}.{key}", info, item, {})
            return
        known = choices.get(label) or literals(info)
        offers = offers_of(path)
        help_ = help_of(info) if info is not None else ""
        kind: Kind = "text"
        if isinstance(value, str) and (known or offers == "backbones"):
            kind = "choice"
        elif info is not None and isinstance(value, bool) and plain_type(info.annotation) is bool:
            kind = "switch"
        elif "\n" in text:
            kind, text = "fixed" if "#" in text else "text", one_line(text)
        if kind == "text" and info is not None:
            known = known or words_beside(info)
        yield Row(path, label, text, kind, known, help_, offers, info)


def offers_of(path: Path) -> Offers | None:
    """Of a key whose values are looked up: of files, or in a long table."""
    if path == ("model", "backbone"):
        return "backbones"
    if path == ("model", "weights"):
        return "weights"
    return "targets" if path[-1] == "target" else None


def one_line(text: str) -> str:
    """A value over several lines, as one that an entry can hold."""
    return toml_value(tomllib.loads(f"value = {text}")["value"])


def _is_mixed(value: Any) -> bool:
    """Of names and tables, as data.augment can be: one row for the whole list."""
    return isinstance(value, list) and not all(isinstance(item, dict) for item in value)


def beside(problems: Iterable[Problem], form: Form) -> dict[Path, list[Problem]]:
    """Each problem at the row, else at the table, that its key is in or nearest to."""
    places = _places(form)
    found: dict[Path, list[Problem]] = {}
    for problem in problems:
        found.setdefault(_nearest(problem.key, places), []).append(problem)
    return found


def place_of(problem: Problem, form: Form) -> Path:
    """The row, else the table, where it is told; () where the form has none for it."""
    return _nearest(problem.key, _places(form))


def _places(form: Form) -> dict[str, Path]:
    places = {dotted(row.path): row.path for table in form.tables for row in table.rows}
    return places | {dotted(table.path): table.path for table in reversed(form.tables)}


def _nearest(key: str, places: Mapping[str, Path]) -> Path:
    while key and key not in places:
        key = key.rpartition(".")[0]
    return places.get(key, ())

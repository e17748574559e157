"""The form of an experiment as data: which sections, rows and choices, from the contract's models.

A row is a key that the file sets; what else a table can have is in `addable`, with its help.
"""

from __future__ import annotations

import tomllib
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from engine.contract.backbones import BACKBONES
from engine.contract.experiment import Experiment
from engine.contract.positions import dotted
from engine.contract.problems import Problem
from engine.contract.type_words import bounded, models_of, type_in_words
from tui.toml_edit import toml_value

Path = tuple[str | int, ...]
Choices = tuple[tuple[str, str], ...]
Kind = Literal["text", "choice", "switch", "fixed"]  # fixed: only to be changed in the text


@dataclass(frozen=True)
class Row:
    """One key that the file sets. `toml` is its value as written there."""

    path: Path
    label: str
    toml: str
    kind: Kind = "text"
    choices: tuple[tuple[str, str], ...] = ()  # words, each with its help
    help: str = ""


@dataclass(frozen=True)
class Choice:
    """What can be added: a key, or a member of a list by its class's name."""

    name: str
    help: str
    value: Any  # what it is added with: for a member, its keys


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
        plain = {name: info for name, info in fields.items() if not _has_tables(info)}
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
            model = _chosen(models, value)
            yield from self._with_lists(path, str(path[-1]), models, model, value or {}, depth)
            return
        single = isinstance(value, dict)  # one [loss]
        members = [value] if single else value if isinstance(value, list) else []
        adds = tuple(_member(model) for model in models)
        title = f"[[{'.'.join(part for part in path if isinstance(part, str))}]]"
        yield Table(path, title, _line(info.description), (), adds, True, None, depth)
        for position, each in enumerate(members):
            if isinstance(each, dict):
                model = _chosen(models, each)
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
            if _has_tables(info) and not _is_mixed(value.get(name))
        }
        fields = {name: info for name, info in model.model_fields.items() if name not in lists}
        own = {key: item for key, item in value.items() if key not in lists}
        named = [each for each in models if "name" in each.model_fields]
        names = tuple((each.__name__, _line(each.__doc__)) for each in named)
        choices = {"name": names} if len(models) > 1 else {}
        help_ = _line(model.__doc__)
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
            Choice(name, help_of(info), _to_start_with(name, info))
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
        known = choices.get(label) or _literals(info)
        known = _backbones() if path == ("model", "backbone") else known
        help_ = help_of(info) if info is not None else ""
        if known and isinstance(value, str):
            yield Row(path, label, text, "choice", known, help_)
        elif info is not None and isinstance(value, bool) and _plain(info.annotation) is bool:
            yield Row(path, label, text, "switch", (), help_)
        elif "\n" in text:
            kind: Kind = "fixed" if "#" in text else "text"
            yield Row(path, label, one_line(text), kind, (), help_)
        else:
            yield Row(path, label, text, "text", (), help_)


def one_line(text: str) -> str:
    """A value over several lines, as one that an entry can hold."""
    return toml_value(tomllib.loads(f"value = {text}")["value"])


def help_of(info: FieldInfo) -> str:
    """The docstring of a field, and what it can be."""
    try:
        words = bounded(type_in_words(info.annotation), info.metadata)
    except KeyError:
        words = ""
    return f"{_line(info.description)} ({words})" if words else _line(info.description)


def _line(text: str | None) -> str:
    return " ".join((text or "").split())


def _has_tables(info: FieldInfo) -> bool:
    """Whether it is a section, or a list of them; data.preprocess, which can be a name too, is a
    row."""
    if get_origin(info.annotation) is list:
        return bool(models_of(info.annotation))
    kinds = get_args(info.annotation) or (info.annotation,)
    return all(models_of(kind) and get_origin(kind) is not list for kind in kinds)


def _is_mixed(value: Any) -> bool:
    """Of names and tables, as data.augment can be: one row for the whole list."""
    return isinstance(value, list) and not all(isinstance(item, dict) for item in value)


def _plain(annotation: Any) -> Any:
    """Without bounds, and without None: a key that may be left out is one that stands there."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _plain(inner[0])
    if origin in (Union, types.UnionType):
        kinds = [kind for kind in inner if kind is not types.NoneType]
        return _plain(kinds[0]) if len(kinds) == 1 else annotation
    return annotation


def _literals(info: FieldInfo | None) -> Choices:
    plain = _plain(info.annotation) if info is not None else None
    if get_origin(plain) is not Literal:
        return ()
    words = [word for word in get_args(plain) if isinstance(word, str)]
    return tuple((word, "") for word in words) if len(words) > 1 else ()


def _backbones() -> Choices:
    return tuple(
        (row.name, f"{row.parameters / 1e6:.1f} M parameters, {row.image_size} px, {row.task}")
        for row in BACKBONES.values()
    )


def _chosen(models: Sequence[type[BaseModel]], value: Any) -> type[BaseModel]:
    given = value if isinstance(value, dict) else {}
    name = "Custom" if "target" in given else given.get("name")
    return next((model for model in models if model.__name__ == name), models[0])


def _member(model: type[BaseModel]) -> Choice:
    """A new member: with its name, and with what it can't be without."""
    own: dict[str, Any] = {}
    if len(get_args(_annotation(model, "name"))) == 1:
        own["name"] = model.__name__
    for name, info in model.model_fields.items():
        if info.is_required():
            own[name] = _to_start_with(name, info)
    return Choice(model.__name__, _line(model.__doc__), own)


def _annotation(model: type[BaseModel], name: str) -> Any:
    return model.model_fields[name].annotation if name in model.model_fields else None


def _to_start_with(name: str, info: FieldInfo) -> Any:
    """The default, which adding a key then changes nothing by; else the simplest value."""
    default = None if info.is_required() else info.get_default()
    if default is not None and not isinstance(default, BaseModel):
        return default
    plain = _plain(info.annotation)
    if get_origin(plain) is Literal:
        return get_args(plain)[0]
    if get_origin(plain) in (Union, types.UnionType):
        plain = _plain(get_args(plain)[0])
    if name == "target":
        return "mine.py:name"
    simple = {int: 1, float: 0.1, str: "", bool: True, dict: {}, list: []}
    return simple.get(get_origin(plain) or plain, "")


def beside(problems: Iterable[Problem], form: Form) -> dict[Path, list[Problem]]:
    """Each problem at the row, else at the table, that its key is in or nearest to."""
    places = {dotted(row.path): row.path for table in form.tables for row in table.rows}
    places |= {dotted(table.path): table.path for table in reversed(form.tables)}
    found: dict[Path, list[Problem]] = {}
    for problem in problems:
        key = problem.key
        while key and key not in places:
            key = key.rpartition(".")[0]
        found.setdefault(places.get(key, ()), []).append(problem)
    return found

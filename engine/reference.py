"""docs/reference.md: every key of the experiment file, written from the contract's declarations.

python -m engine.reference > docs/reference.md
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Literal, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from engine.contract.experiment import Experiment
from engine.contract.loss import DEPRECATED, LOSSES
from engine.contract.loss import REFUSED as REFUSED_LOSSES
from engine.contract.loss_base import LossSection
from engine.contract.model import OWN_KEYS
from engine.contract.optimizer import REFUSED as REFUSED_OPTIMIZERS
from engine.contract.optimizer_base import Group
from engine.contract.scheduler import CONTAINER, CONTAINERS
from engine.contract.scheduler_base import SchedulerSection
from engine.contract.tasks import COLUMN_METRICS, DEFAULT_LOSS, DEFAULT_METRICS
from engine.contract.type_words import bounded, models_of, type_in_words

HEAD = """\
# Reference

Every key of the experiment file. This page is generated from the declarations that ptrain itself
reads by: `python -m engine.reference`. An editor has the same from `ptrain schema`.
"""
SHARED_BY = 3  # classes of a section that declare a key alike: then it stands once, above them

Row = tuple[str, str, str, str]  # key, type, default, help


def reference() -> str:
    """The page, as Markdown."""
    parts = [HEAD, *_tasks(), *_top()]
    for name, field in Experiment.model_fields.items():
        if models := models_of(field.annotation):
            parts += _section(name, field, models)
    return "\n".join(parts)


def _top() -> Iterator[str]:
    plain = {
        name: field
        for name, field in Experiment.model_fields.items()
        if not models_of(field.annotation)
    }
    yield "## Above the first section\n"
    yield _table(rows_of(plain))


def _section(name: str, field: FieldInfo, models: list[type[BaseModel]]) -> Iterator[str]:
    yield f"## {_brackets(name, field)}\n"
    if len(models) == 1:
        yield from _keys(models[0])
    else:
        yield f"{_line(field.description)} `name` is one of the classes below.\n"
        yield from _classes(name, models)
    for inner, kind in _inner_tables(models).items():
        yield f"### [[{name}.{inner}]]\n"
        yield from _keys(kind)
    yield from _refused(name)


def _keys(model: type[BaseModel]) -> Iterator[str]:
    """One table with all that a section can have."""
    help_ = re.sub(r"^\[\[[\w.]+\]\]: ", "", _line(model.__doc__))
    yield f"{help_[:1].upper()}{help_[1:]}\n"
    yield _table(rows_of(model.model_fields))
    if model.model_config.get("extra") == "allow":
        more = "any keyword of the chosen optimizer" if model is Group else "that class's keywords"
        yield f"Beside these: {more}.\n"


def _brackets(name: str, field: FieldInfo) -> str:
    if name == "loss":
        return "[loss], or [[loss]] for each term"
    return f"[[{name}]]" if get_origin(field.annotation) is list else f"[{name}]"


def _inner_tables(models: list[type[BaseModel]]) -> dict[str, type[BaseModel]]:
    """The lists of tables inside the sections, such as [[data.augment]], each kind once."""
    found: dict[type[BaseModel], str] = {}
    for model in models:
        for name, field in model.model_fields.items():
            for kind in models_of(field.annotation):
                found.setdefault(kind, name)
    return {name: kind for kind, name in found.items()}


def _classes(section: str, models: list[type[BaseModel]]) -> Iterator[str]:
    """What the classes have in common, then each with what it has besides."""
    rows = {model: rows_of(model.model_fields) for model in models}
    counted = Counter(row for each in rows.values() for row in each)
    ranked = [row for row, times in counted.most_common() if times >= SHARED_BY]
    most_common = {row[0]: row for row in reversed(ranked)}
    shared = [row for row in counted if row == most_common.get(row[0])]
    yield f"### Keys of several classes of [{section}]\n"
    yield _table(shared)
    for model in models:
        yield f"### {_heading(model)}\n"
        yield f"{_line(model.__doc__)}\n"
        if issubclass(model, LossSection):
            yield f"{_of_loss(model)}\n"
        own = [row for row in rows[model] if row not in shared and not _is_name(model, row)]
        if own:
            yield _table(own)
        common = [row[0] for row in rows[model] if row in shared]
        yield f"{'Besides, as' if own else 'As'} above: {', '.join(common)}.\n"
        if issubclass(model, SchedulerSection):
            yield from _bullets(
                {k: v for k, v in model.refused.items() if k not in SchedulerSection.refused}
            )


def _heading(model: type[BaseModel]) -> str:
    return "One's own: `target`" if model.__name__ == "Custom" else model.__name__


def _is_name(model: type[BaseModel], row: Row) -> bool:
    return row[0] == "`name`" and get_origin(model.model_fields["name"].annotation) is Literal


def _of_loss(model: type[LossSection]) -> str:
    tasks = f"For: {', '.join(model.tasks)}."
    if model.__name__ not in LOSSES:
        return tasks
    added = model().added_activation
    if added == "none":
        return f"{tasks} Takes the model's {model.expects}."
    return f"{tasks} Expects {model.expects}: {added} is added to the model's raw outputs."


def _tasks() -> Iterator[str]:
    yield "## Tasks\n"
    yield (
        "What the targets are decides the loss and the metrics of a file that names none. It is\n"
        "`data.task`, else what follows from the data set and the loss.\n"
    )
    rows = []
    for task, loss in DEFAULT_LOSS.items():
        losses = ", ".join(name for name, kind in LOSSES.items() if task in kind.tasks)
        metrics = ", ".join(f"`val/{name}`" for name in DEFAULT_METRICS[task])
        rows.append((task, loss, metrics, losses))
    yield _markdown(("task", "default loss", "metrics", "losses for it"), rows)
    columns = ", ".join(f"`val/{name}/COLUMN`" for name in COLUMN_METRICS)
    yield (
        f"Of a regression with several columns each has its own, {columns}, and `val/r2` is their\n"
        "mean.\n"
        "With several terms there are `val/loss/TERM` and `train/loss/TERM`.\n"
    )


def _refused(section: str) -> Iterator[str]:
    refused = {
        "model": {f"args.{key}": reason for key, reason in OWN_KEYS.items()},
        "loss": {**DEPRECATED, **REFUSED_LOSSES},
        "optimizer": REFUSED_OPTIMIZERS,
        "scheduler": {**dict.fromkeys(CONTAINERS, CONTAINER), **SchedulerSection.refused},
    }.get(section)
    if refused:
        yield f"### What [{section}] refuses\n"
        yield from _bullets(refused)


def _bullets(reasons: dict[str, str]) -> Iterator[str]:
    if reasons:
        # Its name, with which some reasons begin, is not said twice.
        told = {name: re.sub(rf"^{name} (?=\w)", "", reason) for name, reason in reasons.items()}
        yield "\n".join(f"- `{name}`: {reason}" for name, reason in told.items())
        yield ""


def rows_of(fields: dict[str, FieldInfo]) -> list[Row]:
    """A row for each key."""
    return [
        (
            f"`{name}`",
            bounded(type_in_words(field.annotation), field.metadata),
            _default(field),
            _line(field.description),
        )
        for name, field in fields.items()
    ]


def _default(field: FieldInfo) -> str:
    if field.is_required():  # of the experiment's name, read() knows better
        return "" if "Default:" in (field.description or "") else "needed"
    value = field.get_default()
    if (
        value is None or field.default_factory is not None
    ):  # one that is made: the help says of what
        return ""
    return f"`{value:g}`" if isinstance(value, float) else f"`{json.dumps(value)}`"


def _line(text: str | None) -> str:
    return " ".join((text or "").split())


def _table(rows: Iterable[Row]) -> str:
    return _markdown(("key", "type", "default", "what it is"), rows)


def _markdown(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [columns, ("---",) * len(columns), *rows]
    cells = ([cell.replace("|", "\\|") for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in cells) + "\n"


if __name__ == "__main__":
    print(reference(), end="")

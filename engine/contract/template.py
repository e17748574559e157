"""A new experiment: commented, from the contract's own declarations, or a copy of an example."""

from __future__ import annotations

import itertools
import json
import re
import textwrap
import tomllib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import tomli_w

from engine.contract.data import Data
from engine.contract.experiment import Experiment
from engine.contract.loss_classes import CrossEntropyLoss
from engine.contract.model import Model
from engine.contract.optimizer import SGD
from engine.contract.problems import InputError, Problem, did_you_mean
from engine.contract.section import Section
from engine.contract.training import Checkpoint, Train

# What a first experiment says; every other key is there as a comment with its help.
FIRST: dict[str, dict[str, Any]] = {
    "data": {"dataset": "ImageFolder", "root": "data", "train": "train", "val": "val"},
    "model": {"backbone": "resnet18", "weights": "DEFAULT", "freeze": ["*"]},
    "loss": {"name": "CrossEntropyLoss"},
    "optimizer": {"name": "SGD", "lr": 1e-3, "momentum": 0.9},
    "train": {"epochs": 25},
    "checkpoint": {},
}
SECTIONS: dict[str, type[Section]] = {
    "data": Data,
    "model": Model,
    "loss": CrossEntropyLoss,
    "optimizer": SGD,
    "train": Train,
    "checkpoint": Checkpoint,
}
# Keys of [data] that are no keys of an ImageFolder, which the file begins with.
OTHER_DATA = ("target", "args", "task", "image_column", "targets", "classes", "mask_values",
              "standardize")  # fmt: skip
OTHERS = "Of other data sets:"
LOSSES = """\
# Any loss of torch.nn by its name, or your own: target = "losses.py:DiceLoss" instead of a name.
# For a sum of terms write [[loss]] for each, and how much it counts: scale = 0.5.
"""
METRICS = """\
# Each [[metric]] is a class of torchmetrics with its own keywords, beside accuracy and f1.
#
# [[metric]]
# name = "AUROC"
"""
CHAIN = """\
# The schedule is a chain: each [[scheduler]] is a class of torch.optim.lr_scheduler with its own
# keywords, applied back to back in this order. `begin` and `end` give a member a window.

[[scheduler]]
name = "LinearLR"                # warm up during the first epochs
start_factor = 0.1
total_iters = 3
end = 3

[[scheduler]]
name = "StepLR"
step_size = 7
gamma = 0.1
"""


def templates() -> dict[str, str]:
    """The examples by name, each with what it says of itself at its top."""
    return {name: _first_words(path.read_text()) for name, path in sorted(_all_examples().items())}


def _first_words(text: str) -> str:
    """The first paragraph of the comments at the top, without the command that runs it."""
    lines = itertools.takewhile(lambda line: line.strip("# "), text.splitlines())
    words = " ".join(line.strip("# ") for line in lines if line.startswith("#"))
    return re.sub(r" `ptrain run [^`]*`$", "", words)


def write_new(file: Path, example: str | None) -> dict[str, str]:
    """Write the file, and beside it the code that an example names. Nothing is overwritten: code
    that is there already, the same, is left as it is. Raises InputError.
    """
    texts = {file: commented(file.stem)} if example is None else _copies(file, example)
    taken = [path for path in texts if path.exists()]
    if taken:
        hint = "give another name: nothing is overwritten"
        if file not in taken:
            hint = f"{example} needs its own {taken[0].name} beside it: give another folder"
        raise InputError(*(Problem("is there already", hint=hint, file=path) for path in taken))
    for path, text in texts.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x") as out:
                out.write(text)
        except OSError as error:
            raise InputError(Problem(f"can't be written: {error.strerror}", file=path)) from None
    code = [path.name for path in texts if path != file]
    beside = {"code": ", ".join(code)} if code else {}
    return {"file": str(file), **beside, "next": f"edit it, then: ptrain check {file}"}


def _copies(file: Path, example: str) -> dict[Path, str]:
    """The example as `file`, and the code that it names, where that is not there already."""
    source = _example(example)
    text = source.read_text()
    code = {file.with_name(name): source.with_name(name) for name in _named_code(text)}
    return {file: text} | {
        path: own.read_text()
        for path, own in code.items()
        if not (path.is_file() and path.read_bytes() == own.read_bytes())
    }


def _named_code(text: str) -> list[str]:
    """The files that the example's `target`s are in, each once."""
    targets = [value for value in _targets(tomllib.loads(text)) if ".py:" in value]
    return list(dict.fromkeys(target.rpartition(":")[0] for target in targets))


def _targets(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("target"), str):
            yield value["target"]
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _targets(inner)


def commented(name: str) -> str:
    """A whole experiment: what a first one says, and every other key as a comment."""
    parts = [f"# {name}: an experiment of ptrain. `ptrain check` tells what is wrong with it.\n"]
    help_ = " ".join((Experiment.model_fields["seed"].description or "").split())
    parts.append(f"# {help_}\nseed = 42\n")
    for section, model in SECTIONS.items():
        help_ = " ".join((model.__doc__ or "").split())
        lines = [f"# {help_}", f"[{section}]", *_fields(model, FIRST[section])]
        parts.append("\n".join(lines) + "\n")
        parts += {"loss": [LOSSES, METRICS], "optimizer": [CHAIN]}.get(section, [])
    return "\n".join(parts)


def _fields(model: type[Section], given: dict[str, Any]) -> Iterator[str]:
    """Each key with its help above it, as a comment where its default will do."""
    rest = [name for name in model.model_fields if name not in given]
    others = [name for name in OTHER_DATA if model is Data]
    for name in (*given, *(name for name in rest if name not in others), *others):
        if name in others[:1]:
            yield f"# {OTHERS}"
        info = model.model_fields[name]
        text = " ".join((info.description or "").split())
        yield from textwrap.wrap(text, 96, initial_indent="# ", subsequent_indent="# ")
        if name in given:
            yield _assignment(name, given[name])
        elif info.default is None or info.is_required():
            yield f"# {name} ="
        else:
            yield f"# {_assignment(name, info.get_default(call_default_factory=True))}"


def _assignment(name: str, value: Any) -> str:
    if isinstance(value, list | dict):  # tomli_w would give each element a line
        return f"{name} = {json.dumps(value)}"
    return tomli_w.dumps({name: value}).strip()


def _example(name: str) -> Path:
    examples = _all_examples()
    if name.removesuffix(".toml") not in examples:
        hint = did_you_mean(name, examples) or "there are: " + ", ".join(sorted(examples))
        raise InputError(Problem(f'no example "{name}"', "--from", hint))
    return examples[name.removesuffix(".toml")]


def _all_examples() -> dict[str, Path]:
    return {path.stem: path for path in _examples().glob("*.toml")}


def _examples() -> Path:
    """In an installed package beside the engine; in a checkout at its top."""
    installed = Path(str(resources.files("engine"))) / "experiments"
    return installed if installed.is_dir() else installed.parent.parent / "experiments"

"""[optimizer] against torch's own signatures: they cannot drift."""

import inspect
import itertools
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from engine.contract.optimizer import OPTIMIZERS, REFUSED, SGD, Adam
from engine.contract.optimizer_base import Group, OptimizerSection
from engine.contract.problems import InputError
from engine.contract.toml_file import read, resolved_text

OURS = {"name", "group"}  # no keywords of torch's: the class itself, and the parameter groups
TORCH = {
    name: kind
    for name, kind in vars(torch.optim).items()
    if isinstance(kind, type) and issubclass(kind, torch.optim.Optimizer)
} | {}
TORCH.pop("Optimizer")
# What a torch older than the newest may lack; leaving the key out is then no mistake.
NEWER = {"Muon", "Adam.decoupled_weight_decay", "LBFGS.maximize"}


def keywords(kind: type) -> dict[str, Any]:
    """torch's keywords and their defaults; `params` is the model's, never typed."""
    parameters = inspect.signature(kind).parameters.items()
    return {key: value.default for key, value in parameters if key != "params"}


def fields(model: type[OptimizerSection]) -> dict[str, Any]:
    return {
        key: info.get_default(call_default_factory=True)
        for key, info in model.model_fields.items()
        if key not in OURS
    }


def test_every_optimizer_of_torch_is_declared_or_refused_with_a_reason() -> None:
    assert set(TORCH) - NEWER == {*OPTIMIZERS, *REFUSED} - NEWER
    assert set(TORCH) <= {*OPTIMIZERS, *REFUSED}
    assert not set(OPTIMIZERS) & set(REFUSED)


@pytest.mark.parametrize("name", sorted(set(OPTIMIZERS) & set(TORCH)))
def test_every_keyword_and_default_is_torchs_own(name: str) -> None:
    declared, theirs = fields(OPTIMIZERS[name]), keywords(TORCH[name])
    declared = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in declared.items()
        if key in theirs or f"{name}.{key}" not in NEWER
    }
    assert declared == theirs


def candidates(default: Any, annotation: str) -> list[Any]:
    numbers = [-1.0, 0.0, 0.25, 0.5, 0.999, 1.0, 1.5, 3.0]
    if isinstance(default, list):
        return [list(pair) for pair in itertools.product(numbers, repeat=len(default))]
    if isinstance(default, bool) or "bool" in annotation or "Literal" in annotation:
        return []
    return numbers if "float" in annotation else [-1, 0, 1, 2, 99, 100]


def accepted(section: OptimizerSection) -> bool:
    given = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in section.keywords().items()
    }
    try:
        TORCH[section.name](torch.nn.ParameterList([torch.zeros(2, 2)]).parameters(), **given)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("name", sorted(set(OPTIMIZERS) & set(TORCH)))
def test_what_is_accepted_here_torch_accepts_too(name: str) -> None:
    model, tried = OPTIMIZERS[name], 0
    for key in fields(model):
        if f"{name}.{key}" in NEWER:
            continue
        for value in candidates(fields(model)[key], str(model.model_fields[key].annotation)):
            try:
                section = model.model_validate({key: value})
            except ValidationError:
                continue
            tried += 1
            assert accepted(section), f"{key} = {value}"
    assert tried > 5


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        (name, key, -1)
        for name, model in OPTIMIZERS.items()
        for key in fields(model)
        if key in ("lr", "momentum", "weight_decay", "alpha", "lambd", "rho", "lr_decay")
        or (key == "eps" and name not in ("Adafactor", "Muon"))
    ]
    + [
        ("Adam", "betas", [0.9, 1.0]),
        ("Adam", "betas", [0.9]),
        ("Adadelta", "rho", 1.5),
        ("Adafactor", "d", 0.5),
        ("Adafactor", "eps", [-1.0, 1.0]),
        ("Rprop", "etas", [1.2, 0.5]),
        ("SGD", "lr", float("nan")),
        ("SGD", "lr", float("inf")),
        ("SGD", "lr", True),
        ("SGD", "nesterov", 1),
        ("LBFGS", "line_search_fn", "wolfe"),
    ],
)
def test_what_cannot_be_meant_is_refused(name: str, key: str, value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        OPTIMIZERS[name].model_validate({key: value})
    assert caught.value.errors()[0]["loc"][0] == key


def test_torch_is_given_the_lr_and_what_differs_from_its_defaults() -> None:
    assert SGD().keywords() == {"lr": 1e-3}
    assert SGD(momentum=0.9, nesterov=True).keywords() == {
        "lr": 1e-3, "momentum": 0.9, "nesterov": True
    }  # fmt: skip
    assert Adam(lr=1, betas=[0.9, 0.99]).keywords() == {"lr": 1.0, "betas": [0.9, 0.99]}


def test_a_group_is_called_by_its_first_match_unless_it_has_a_name(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    text = '[model]\nbackbone = "resnet18"\n[train]\nepochs = 1\n[optimizer]\nlr = 1e-3\n'
    path.write_text(text + 'group = [{ match = ["fc", "bn1"], lr = 1e-2 }]\n')
    experiment = read(path).experiment
    (group,) = experiment.optimizer.group
    assert (group.name, group.options) == ("fc", {"lr": 1e-2})
    assert "name" not in Group.model_json_schema()["required"]
    path.write_text(resolved_text(experiment))
    assert read(path).experiment == experiment


def test_two_groups_that_begin_with_the_same_match_are_told_apart_by_names(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    text = '[model]\nbackbone = "resnet18"\n[train]\nepochs = 1\n'
    group = '[[optimizer.group]]\nmatch = ["fc"]\n'
    path.write_text(text + group + group)
    with pytest.raises(InputError) as caught:
        read(path)
    assert [(p.key, p.line) for p in caught.value.problems] == [("optimizer.group.1.name", 7)]
    path.write_text(f"{text}[[optimizer.group]]\nmatch = []\n")
    with pytest.raises(InputError) as caught:
        read(path)
    assert [p.key for p in caught.value.problems] == ["optimizer.group.0.match"]


def test_an_integer_stands_for_a_number() -> None:
    betas = Adam(betas=[0, 0]).betas  # torch's Adam refuses integers here
    assert [type(beta) for beta in betas] == [float, float]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_key_has_its_help(name: str) -> None:
    fields = OPTIMIZERS[name].model_fields.items()
    assert [key for key, info in fields if not info.description] == []

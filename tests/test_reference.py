"""docs/reference.md and `ptrain schema` say what the declarations say, and nothing is left out."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from engine.contract.experiment import Experiment
from engine.contract.loss import DEPRECATED, LOSSES
from engine.contract.loss import REFUSED as REFUSED_LOSSES
from engine.contract.optimizer import OPTIMIZERS, REFUSED
from engine.contract.scheduler import CONTAINERS, SCHEDULERS
from engine.contract.tasks import DEFAULT_METRICS
from engine.contract.type_words import models_of, type_in_words
from engine.reference import reference
from tests.training import TOP

PAGE = reference()


def every_model(root: type[BaseModel] = Experiment) -> list[type[BaseModel]]:
    """Each section, each class that it can be of, and each table inside of it."""
    inner = [m for info in root.model_fields.values() for m in models_of(info.annotation)]
    return [root, *(model for each in inner for model in every_model(each))]


def words(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


def test_the_page_in_docs_is_the_generated_one() -> None:
    written = (TOP / "docs" / "reference.md").read_text()
    assert written == PAGE, "write it anew: python -m engine.reference > docs/reference.md"


def test_the_page_is_printed_without_importing_torch() -> None:
    code = (
        "import runpy, sys; runpy.run_module('engine.reference', run_name='__main__'); "
        "assert 'torch' not in sys.modules"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=TOP)
    assert (ran.returncode, ran.stdout) == (0, PAGE), ran.stderr


def test_there_are_models_enough_for_the_tests_below_to_mean_something() -> None:
    names = {model.__name__ for model in every_model()}
    assert {*LOSSES, *OPTIMIZERS, *SCHEDULERS} <= names
    assert {"Data", "Transform", "Model", "Unfreeze", "Group", "Metric", "Custom"} <= names


@pytest.mark.parametrize("model", dict.fromkeys(every_model()), ids=lambda model: model.__name__)
def test_every_key_is_on_the_page_and_in_the_schema_with_its_help(model: type[BaseModel]) -> None:
    rows = [line for line in PAGE.split("\n") if line.startswith("| `")]
    schema = model.model_json_schema()
    schema = schema["$defs"][model.__name__] if "$ref" in schema else schema
    for name, info in model.model_fields.items():
        assert schema["properties"][name]["description"] == info.description
        if name == "name" and "const" in schema["properties"][name]:
            assert f"### {model.__name__}\n" in PAGE
        elif model is Experiment and models_of(info.annotation):
            assert f"## [{name}]" in PAGE or f"## [[{name}]]" in PAGE
        else:
            assert any(
                row.startswith(f"| `{name}` |") and row.endswith(f"| {words(info.description)} |")
                for row in rows
            ), name


@pytest.mark.parametrize("kinds", [LOSSES, OPTIMIZERS, SCHEDULERS], ids=["loss", "opt", "lr"])
def test_every_class_names_each_of_its_keys(kinds: dict[str, type[BaseModel]]) -> None:
    for name, kind in kinds.items():
        section = PAGE.split(f"### {name}\n")[1].partition("\n#")[0]
        missing = [key for key in kind.model_fields if f"`{key}`" not in section]
        assert missing in (["name"], []), name


def test_a_key_that_differs_from_the_shared_one_stands_with_its_class() -> None:
    shared, nadam = (PAGE.split(f"### {at}\n")[1].split("\n#")[0] for at in
                     ("Keys of several classes of [optimizer]", "NAdam"))  # fmt: skip
    assert "| `lr` | number (≥ 0) | `0.001` |" in shared
    assert "| `lr` | number (≥ 0) | `0.002` |" in nadam
    labels = PAGE.split("### BCELoss\n")[1].split("\n#")[0]
    assert "in the order of the labels" in labels


def test_what_is_refused_is_there_with_its_reason() -> None:
    for name in (*DEPRECATED, *REFUSED_LOSSES, *REFUSED, *CONTAINERS, "last_epoch", "scale_fn"):
        (line,) = (row for row in PAGE.split("\n") if row.startswith(f"- `{name}`: "))
        assert len(line) > len(name) + 20


def test_each_task_has_its_loss_and_its_metrics() -> None:
    table = PAGE.split("## Tasks\n")[1].split("\n## ")[0]
    for task, metrics in DEFAULT_METRICS.items():
        (row,) = (line for line in table.split("\n") if line.startswith(f"| {task} |"))
        assert all(f"`val/{metric}`" in row for metric in metrics)
    assert "| regression | MSELoss |" in table
    assert "| multilabel | BCEWithLogitsLoss |" in table


@pytest.mark.parametrize(
    ("name", "added"),
    [
        ("CrossEntropyLoss", "Takes the model's raw outputs."),
        ("BCEWithLogitsLoss", "Takes the model's raw outputs."),
        ("NLLLoss", "Expects log-probabilities: log_softmax is added"),
        ("BCELoss", "Expects probabilities: sigmoid is added"),
        ("HingeEmbeddingLoss", "Expects distances: softplus is added"),
    ],
)
def test_each_loss_says_what_it_is_for_and_what_is_added(name: str, added: str) -> None:
    section = PAGE.split(f"### {name}\n")[1].partition("\n#")[0]
    assert added in section
    assert all(task in section for task in LOSSES[name].tasks)


class Inner(BaseModel):
    key: int


@pytest.mark.parametrize(
    ("annotation", "told"),
    [
        (str, "text"),
        (int | None, "whole number"),
        (Annotated[float, Field(gt=0, lt=1)] | str | None, "number (> 0, < 1) or text"),
        (Literal["min", "max"], '"min" or "max"'),
        (Literal["a", "b", "c"], '"a", "b" or "c"'),
        (Literal["balanced"] | list[float], '"balanced" or list of numbers'),
        (list[Annotated[int, Field(ge=0)]], "list of whole numbers (≥ 0)"),
        (dict[str, Any], "table"),
        (list[Inner], "list of tables"),
        (Annotated[list[float], Field(min_length=2, max_length=2)], "list of numbers (2 of them)"),
        (Annotated[list[str], Field(min_length=1)], "list of text"),
        (Annotated[list[str], Field(min_length=2)], "list of text (at least 2 of them)"),
    ],
)
def test_a_type_is_told_in_plain_words(annotation: Any, told: str) -> None:
    assert type_in_words(annotation) == told

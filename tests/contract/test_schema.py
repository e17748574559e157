"""`ptrain schema`: what an editor takes and refuses is what ptrain does."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from engine.contract.experiment import Experiment
from engine.contract.loss import LOSSES
from engine.contract.problems import InputError
from engine.contract.tasks import DEFAULT_LOSS
from engine.contract.toml_file import read
from tests.contract.good_files import EACH, GOOD, SHORT
from tests.training import TOP

SCHEMA = Experiment.model_json_schema()
EDITOR = Draft202012Validator(SCHEMA)
EXAMPLES = {path.stem: path.read_text() for path in (TOP / "experiments").glob("*.toml")}
OWN = '[[loss]]\ntarget = "losses.py:DiceLoss"\nargs = { smooth = 1.0 }\nscale = 0.5\n'
LOSS = {
    "a term without a name": f"{SHORT}[loss]\nlabel_smoothing = 0.1\n",
    "an empty term": f"{SHORT}[loss]\n",
    "a term of labels": f'{SHORT}[loss]\npos_weight = "balanced"\n'.replace(
        "[data]\n", '[data]\ntarget = "mine.py:build"\ntask = "multilabel"\n'
    ),
    "several terms": f'{SHORT}[[loss]]\nname = "NLLLoss"\nweight = [1, 2.5]\n{OWN}',
    "several without a name": f"{SHORT}[[loss]]\nscale = 2\n{OWN}",
    "one's own": SHORT + OWN.replace("[[loss]]", "[loss]"),
    "keywords of torch's": (
        f'{SHORT}[[metric]]\nname = "AUROC"\naverage = "weighted"\n'
        '[[data.augment]]\nname = "RandomRotation"\ndegrees = 10\n'
        '[optimizer]\nname = "AdamW"\n[[optimizer.group]]\nname = "h"\nmatch = ["fc"]\nlr = 1\n'
    ),
    **{
        name: f'{SHORT}[loss]\nname = "{name}"\n'.replace(
            "[data]\n", f'[data]\ntarget = "mine.py:build"\ntask = "{kind.tasks[0]}"\n'
        )
        for name, kind in LOSSES.items()
    },
}
FILES = {**GOOD, **EACH, **EXAMPLES, **LOSS}


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("text", FILES.values(), ids=list(FILES))
def test_what_ptrain_reads_an_editor_takes(text: str, tmp_path: Path) -> None:
    assert list(EDITOR.iter_errors(tomllib.loads(text))) == []
    (tmp_path / "it.toml").write_text(text)
    read(tmp_path / "it.toml")


@pytest.mark.parametrize(
    "wrong",
    [
        "sead = 1",
        "seed = -1",
        'loss = "MSELoss"',
        "loss = []",
        '[loss]\nname = "MSELos"',
        '[loss]\nname = "MSELoss"\nlabel_smoothing = 0.1',
        "[loss]\nlabel_smoothing = 1.5",
        '[loss]\nreduction = "avg"',
        '[loss]\nname = "CrossEntropyLoss"\nreduce = true',
        '[loss]\nname = "MSELoss"\ntarget = "losses.py:f"',
        '[loss]\nname = "HuberLoss"\ndelta = 0',
        '[[loss]]\n[[loss]]\nname = "CTCLoss"',
        '[[loss]]\nweight = "balance"',
        '[optimizer]\nname = "Lion"',
        "[optimizer]\nmomentun = 0.9",
        '[[optimizer.group]]\nname = "h"\nmatch = "fc"',
        "[[scheduler]]\ngamma = 0.9",
        '[[scheduler]]\nname = "StepLR"',
        '[[scheduler]]\nname = "OneCycleLR"\ntotal_steps = 5',
        '[[scheduler]]\nname = "SequentialLR"',
        "[[metric]]\naverage = 'macro'",
        "[checkpoint]\nkeep = -1",
    ],
)
def test_what_ptrain_refuses_an_editor_marks(wrong: str, tmp_path: Path) -> None:
    text = f"{SHORT}{wrong}\n" if wrong.startswith("[") else f"{wrong}\n{SHORT}"
    assert not EDITOR.is_valid(tomllib.loads(text))
    (tmp_path / "it.toml").write_text(text)
    with pytest.raises(InputError):
        read(tmp_path / "it.toml")


@pytest.mark.parametrize(
    "text", [SHORT.replace("[model]\n", "[modell]\n"), SHORT.replace("epochs = 1", "epochs = 0")]
)
def test_what_is_needed_is_needed_in_an_editor_too(text: str) -> None:
    assert not EDITOR.is_valid(tomllib.loads(text))


def tables(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {"Experiment": schema, **schema["$defs"]}


@pytest.mark.parametrize("name", tables(SCHEMA))
def test_an_editor_shows_the_help_of_every_key(name: str) -> None:
    keys = tables(SCHEMA)[name]["properties"]
    assert [key for key, shown in keys.items() if not shown.get("description")] == []


def test_an_editor_shows_defaults_and_bounds() -> None:
    keys = SCHEMA["$defs"]["CrossEntropyLoss"]["properties"]
    assert keys["ignore_index"]["default"] == -100
    smoothing = keys["label_smoothing"]
    assert (smoothing["minimum"], smoothing["maximum"], smoothing["default"]) == (0, 1, 0.0)


def test_only_the_usual_loss_of_a_task_and_the_usual_optimizer_go_without_a_name() -> None:
    without = {
        name
        for name, table in SCHEMA["$defs"].items()
        if "const" in table["properties"].get("name", {})
        and "name" not in table.get("required", [])
    }
    assert without == {*DEFAULT_LOSS.values(), "SGD"}

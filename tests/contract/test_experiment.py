"""One declaration for each fact: what the whole file's model says of itself."""

import json
import os
from typing import Any

import pytest

from engine.contract.experiment import Experiment, metric_names
from engine.contract.model import Model
from engine.contract.optimizer import SGD
from engine.contract.training import Checkpoint, Train


def experiment(**sections: Any) -> Experiment:
    needed = {"name": "x", "model": {"backbone": "resnet18"}, "train": {"epochs": 1}}
    return Experiment.model_validate(needed | sections)


def test_a_backbone_and_the_epochs_are_enough() -> None:
    short = experiment()
    assert short.data.dataset == "digits"
    assert [term.name for term in short.loss] == ["CrossEntropyLoss"]
    assert isinstance(short.optimizer, SGD)
    assert (short.optimizer.lr, short.optimizer.momentum) == (1e-3, 0.9)
    assert short.scheduler == []
    assert short.train == Train(epochs=1)


def test_an_experiment_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        experiment().seed = 3  # type: ignore[misc]
    assert experiment().seed == 0


def test_two_experiments_share_nothing() -> None:
    assert experiment().scheduler is not experiment().scheduler
    assert experiment() == experiment()
    assert experiment() != experiment(seed=1)


@pytest.mark.parametrize(
    ("monitor", "mode", "better"),
    [
        ("val/loss", None, "min"),
        ("train/loss", None, "min"),
        ("val/accuracy", None, "max"),
        ("val/f1", None, "max"),
        ("val/loss", "max", "max"),
        ("val/accuracy", "min", "min"),
        ("val/loss/DiceLoss", None, "min"),
        ("val/mae", None, "min"),
        ("val/rmse/age", None, "min"),
        ("val/r2", None, "max"),
        ("val/r2/error_mm", None, "max"),
        ("val/miou", None, "max"),
        ("val/MeanAbsoluteError", None, "min"),
        ("val/MulticlassCalibrationError", None, "min"),
        ("val/HammingDistance", None, "min"),
        ("val/AUROC", None, "max"),
    ],
)
def test_less_loss_or_error_is_better_and_more_of_anything_else(
    monitor: str, mode: Any, better: str
) -> None:
    assert Checkpoint(monitor=monitor, mode=mode).better == better


@pytest.mark.parametrize(
    ("loss", "task", "names"),
    [
        ([{}], "classification", ["val/loss", "val/accuracy", "val/f1", "train/loss"]),
        ([{}], "multilabel", ["val/loss", "val/f1", "val/accuracy", "train/loss"]),
        ([{}], "regression", ["val/loss", "val/r2", "val/mae", "val/rmse", "train/loss"]),
        (
            [{}, {"name": "MultiMarginLoss"}],
            "classification",
            [
                *("val/loss", "val/accuracy", "val/f1", "val/AUROC"),
                *("val/loss/CrossEntropyLoss", "val/loss/MultiMarginLoss", "train/loss"),
                *("train/loss/CrossEntropyLoss", "train/loss/MultiMarginLoss"),
            ],
        ),
    ],
)
def test_what_is_measured_follows_from_the_task_the_terms_and_the_metrics(
    loss: list[dict[str, Any]], task: str, names: list[str]
) -> None:
    metric = [{"name": "AUROC"}] if len(loss) > 1 else []
    data = {"target": "mine.py:build", "task": task}
    assert metric_names(experiment(loss=loss, data=data, metric=metric)) == names


@pytest.mark.parametrize("device", ["auto", "cpu", "mps", "cuda", "cuda:0", "cuda:15"])
def test_a_device_is_named_as_torch_names_it(device: str) -> None:
    assert Train(epochs=1, device=device).device == device


@pytest.mark.parametrize(
    "device", ["", "gpu", "cuda:", "cuda:x", "cuda:-1", "cpu:0", "CUDA", "auto "]
)
def test_anything_else_is_no_device(device: str) -> None:
    with pytest.raises(ValueError, match="is no device"):
        Train(epochs=1, device=device)


@pytest.mark.parametrize("name", ["a", "ants-vs-bees", "a b", "ü" * 100, "a.b", "_"])
def test_a_name_is_one_that_a_folder_can_have(name: str, tmp_path: Any) -> None:
    assert experiment(name=name).name == name
    if len(os.fsencode(name)) < 255:
        (tmp_path / name).mkdir()


@pytest.mark.parametrize("name", ["", " a", ".", "..", "a/b", "a\\b", "a\nb", "\x00", "a" * 101])
def test_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="can't be the name of a folder"):
        experiment(name=name)


def test_the_schema_has_every_section_with_its_help() -> None:
    schema = json.loads(json.dumps(Experiment.model_json_schema()))
    assert set(schema["properties"]) == set(Experiment.model_fields)
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["model", "train"], "the file's name is the default of `name`"
    epochs = schema["$defs"]["Train"]["properties"]["epochs"]
    assert epochs["minimum"] == 1
    assert epochs["description"] == Train.model_fields["epochs"].description


@pytest.mark.parametrize("section", [Experiment, Model, Train, Checkpoint])
def test_every_key_has_its_help(section: Any) -> None:
    assert [key for key, info in section.model_fields.items() if not info.description] == []

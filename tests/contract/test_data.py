import re
import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

from engine.contract.data import Data


def error_of(**keys):
    with pytest.raises(ValidationError) as caught:
        Data.model_validate(keys)
    (error,) = caught.value.errors()
    return error["loc"], error["msg"]


def test_a_section_left_empty_is_the_bundled_digits():
    data = Data()
    assert (data.dataset, data.val, data.batch_size, data.workers) == ("digits", None, 32, "auto")


@pytest.mark.parametrize("val", [0, 1, 1.5, -0.1, 0.0, 1.0])
def test_a_fraction_of_nothing_or_of_everything_is_refused(val):
    loc, message = error_of(val=val)
    assert loc == ("val",)
    assert "more than 0 and less than 1" in message


@pytest.mark.parametrize("val", [True, "", ["val"]])
def test_val_is_a_fraction_or_a_name(val):
    assert error_of(val=val)[0] == ("val",)


def test_validating_on_the_training_samples_is_refused():
    loc, message = error_of(val="train")
    assert loc == ("val",)
    assert "trained on" in message


@pytest.mark.parametrize("workers", [-1, 1.5, "many", True])
def test_workers_are_a_count_or_auto(workers):
    loc, message = error_of(workers=workers)
    assert loc == ("workers",)
    assert '"auto"' in message


def test_an_image_folder_needs_its_folder():
    assert error_of(dataset="ImageFolder")[0] == ("root",)


def test_the_digits_take_neither_folder_nor_keywords():
    assert error_of(root="data")[0] == ("root",)
    assert error_of(args={"download": True})[0] == ("args",)


def test_a_target_of_ones_own_replaces_the_dataset():
    assert error_of(dataset="CIFAR10", target="mydata.py:build")[0] == ("target",)
    data = Data(target="mydata.py:build", args={"size": 3})
    assert data.args == {"size": 3}


def test_a_transform_keeps_all_keywords_of_its_class():
    data = Data.model_validate(
        {"augment": [{"name": "RandomResizedCrop", "size": 224, "scale": [0.5, 1.0]}]}
    )
    assert data.augment[0].name == "RandomResizedCrop"
    assert data.augment[0].keywords == {"size": 224, "scale": [0.5, 1.0]}


def test_a_transform_without_a_name_is_refused():
    assert error_of(augment=[{"size": 224}])[0] == ("augment", 0, "name")


@pytest.mark.parametrize("dataset", ["ImageFolder", "ImageTable", "ImageMaskFolder"])
def test_data_in_files_needs_its_place_and_takes_no_keywords(dataset):
    assert error_of(dataset=dataset)[0] == ("root",)
    assert error_of(dataset=dataset, root="x", args={"download": True})[0] == ("args",)


@pytest.mark.parametrize(
    ("keys", "at"),
    [
        ({"task": "regression"}, "task"),
        ({"dataset": "ImageFolder", "root": "x", "task": "multilabel"}, "task"),
        ({"dataset": "ImageMaskFolder", "root": "x", "task": "classification"}, "task"),
        ({"dataset": "ImageTable", "root": "x", "task": "segmentation"}, "task"),
        ({"task": "regressoin"}, "task"),
        ({"image_column": "file"}, "image_column"),
        ({"target": "a.py:b", "image_column": "file"}, "image_column"),
        ({"targets": ["age"]}, "targets"),
        ({"dataset": "ImageTable", "root": "x", "targets": []}, "targets"),
        ({"dataset": "ImageTable", "root": "x", "targets": ["a", "a"]}, "targets"),
        (
            {"dataset": "ImageTable", "root": "x", "image_column": "a", "targets": ["a"]},
            "targets",
        ),
        ({"classes": ["a", "b"]}, "classes"),
        ({"dataset": "ImageFolder", "root": "x", "classes": ["a", "b"]}, "classes"),
        ({"target": "a.py:b", "classes": ["a", "a"]}, "classes"),
        ({"target": "a.py:b", "task": "regression", "classes": ["a"]}, "classes"),
        ({"dataset": "ImageTable", "root": "x", "mask_values": [0, 255]}, "mask_values"),
        ({"target": "a.py:b", "task": "regression", "mask_values": [0, 1]}, "mask_values"),
        ({"dataset": "ImageMaskFolder", "root": "x", "mask_values": [0, 0]}, "mask_values"),
        (
            {
                "dataset": "ImageMaskFolder",
                "root": "x",
                "mask_values": [0, 1],
                "classes": ["a", "b", "c"],
            },
            "mask_values",
        ),
        ({"standardize": True}, "standardize"),
        ({"target": "a.py:b", "task": "multilabel", "standardize": True}, "standardize"),
    ],
)
def test_a_key_that_does_not_fit_the_data_is_refused(keys, at):
    assert error_of(**keys)[0] == (at,)


@pytest.mark.parametrize("value", [-1, 65536])
def test_the_value_of_a_pixel_has_at_most_16_bits(value):
    keys = {"dataset": "ImageMaskFolder", "root": "x", "mask_values": [0, value]}
    assert error_of(**keys)[0] == ("mask_values", 1)


def test_what_fits_is_read():
    table = Data(dataset="ImageTable", root="x.csv", targets=["age"], standardize=True)
    assert (table.targets, table.standardize, table.task) == (["age"], True, None)
    own = Data(target="a.py:b", task="segmentation", classes=["a", "b"], mask_values=[0, 255])
    assert own.mask_values == [0, 255]
    assert Data(dataset="CelebA", root="x", task="multilabel").task == "multilabel"


def test_the_section_reads_back_from_what_it_writes():
    data = Data.model_validate({"val": 0.25, "augment": [{"name": "RandomCrop", "size": 8}]})
    assert Data.model_validate(data.model_dump()) == data


def test_every_field_has_a_help_text():
    assert all(field.description for field in Data.model_fields.values())


def test_the_data_sections_in_the_guide_are_valid():
    guide = (Path(__file__).parents[2] / "docs" / "guide.md").read_text()
    blocks = map(tomllib.loads, re.findall(r"```toml\n(.*?)```", guide, flags=re.DOTALL))
    sections = [Data.model_validate(block["data"]) for block in blocks if "data" in block]
    assert {section.dataset for section in sections} >= {"ImageTable", "ImageMaskFolder"}

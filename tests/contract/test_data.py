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


def test_the_section_reads_back_from_what_it_writes():
    data = Data.model_validate({"val": 0.25, "augment": [{"name": "RandomCrop", "size": 8}]})
    assert Data.model_validate(data.model_dump()) == data


def test_every_field_has_a_help_text():
    assert all(field.description for field in Data.model_fields.values())

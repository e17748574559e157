from pathlib import Path

import pytest
from pydantic import ValidationError

from engine.contract.backbones import BACKBONES
from engine.contract.model import Model, Unfreeze, never_unfrozen, weights_file
from engine.contract.problems import InputError
from engine.contract.toml_file import read


def told(**values: object) -> str:
    """What pydantic says about these values."""
    with pytest.raises(ValidationError) as caught:
        Model(**values)
    return str(caught.value)


def test_a_backbone_is_enough_and_trains_from_random_weights_with_nothing_frozen():
    model = Model(backbone="resnet18")
    assert (model.weights, model.freeze, model.freeze_norm) == ("none", [], True)
    assert (model.weights_dir, model.outputs, model.args) == (None, None, {})


def test_a_misspelt_backbone_is_told_with_its_nearest_names():
    assert 'did you mean "resnet18"' in told(backbone="resnet81")


def test_a_backbone_may_be_one_for_segmentation():
    assert Model(backbone="fcn_resnet50", aux_weight=0.3).aux_weight == 0.3
    message = told(backbone="deeplabv3_resnet")
    assert "is not a torchvision classification or segmentation model" in message
    assert '"deeplabv3_resnet50"' in message


def test_an_auxiliary_loss_cannot_count_negatively():
    assert "greater than or equal to 0" in told(backbone="googlenet", aux_weight=-0.1)


def test_a_backbone_that_resembles_none_is_pointed_to_the_list():
    assert "ptrain backbones" in told(backbone="yolo")


@pytest.mark.parametrize("weights", ["none", "DEFAULT", "IMAGENET1K_V2", "./a/b", "x.safetensors"])
def test_weights_are_a_name_of_the_backbones_own_or_a_file_or_none(weights: str):
    assert Model(backbone="resnet50", weights=weights).weights == weights


def test_weights_that_the_backbone_lacks_are_told_with_those_that_it_has():
    message = told(backbone="resnet18", weights="IMAGENET1K_V2")
    assert 'did you mean "IMAGENET1K_V1"' in message
    assert "known: IMAGENET1K_V1, DEFAULT, none, or a file" in message


def test_with_a_wrong_backbone_only_the_backbone_is_a_problem():
    with pytest.raises(ValidationError) as caught:
        Model(backbone="nothing", weights="IMAGENET1K_V9")
    assert [error["loc"] for error in caught.value.errors()] == [("backbone",)]


@pytest.mark.parametrize("value", ["a.pth", "A.PT", "m.safetensors", "folder/file", "c\\d"])
def test_a_suffix_or_a_separator_makes_weights_a_file(value: str):
    assert weights_file(value)


@pytest.mark.parametrize("value", ["none", "DEFAULT", "IMAGENET1K_SWAG_E2E_V1"])
def test_a_name_is_no_file(value: str):
    assert not weights_file(value)


@pytest.mark.parametrize("pattern", ["", "!", " fc"])
def test_a_freeze_pattern_that_names_nothing_is_told_with_its_position(pattern: str):
    with pytest.raises(ValidationError) as caught:
        Model(backbone="resnet18", freeze=["*", pattern])
    assert [error["loc"] for error in caught.value.errors()] == [("freeze", 1)]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"epoch": 0, "layers": ["fc"]}, "greater than or equal to 1"),
        ({"epoch": 1, "layers": []}, "at least 1 item"),
        ({"epoch": 1, "layers": ["!fc"]}, 'takes nothing out again; write "fc"'),
        ({"epoch": 1, "layers": [" fc"]}, "has spaces around it"),
        ({"epoch": 1}, "Field required"),
    ],
)
def test_a_stage_needs_a_later_epoch_and_layers(values: dict[str, object], words: str):
    assert words in told(backbone="resnet18", freeze=["*"], unfreeze=[values])


def test_stages_that_do_not_follow_one_another_are_told_with_their_line(tmp_path: Path):
    stage = '[[model.unfreeze]]\nepoch = {}\nlayers = ["layer4"]\n'
    text = '[model]\nbackbone = "resnet18"\n[train]\nepochs = 9\n'
    path = tmp_path / "a.toml"
    path.write_text(text + stage.format(3) + stage.format(3) + stage.format(2))
    with pytest.raises(InputError) as caught:
        read(path)
    found = [(p.key, p.line, p.message) for p in caught.value.problems]
    assert found == [
        ("model.unfreeze.1.epoch", 9, "3 comes after 3"),
        ("model.unfreeze.2.epoch", 12, "2 comes after 3"),
    ]


def test_a_stage_beyond_the_last_epoch_is_a_warning():
    stages = [Unfreeze(epoch=epoch, layers=["layer4"]) for epoch in (4, 5)]
    (problem,) = never_unfrozen(Model(backbone="resnet18", unfreeze=stages), 5)
    assert (problem.key, problem.severity) == ("model.unfreeze.1.epoch", "warning")
    assert "the last of the 5 epochs is number 4" in problem.message


def test_one_table_in_place_of_a_list_of_stages_says_how_to_write_it(tmp_path: Path):
    path = tmp_path / "a.toml"
    path.write_text('model = { backbone = "resnet18", unfreeze = { epoch = 1 } }\ntrain.epochs = 9')
    with pytest.raises(InputError, match=r"write \[\[model.unfreeze\]\] with epoch = …"):
        read(path)


def test_arguments_that_have_keys_of_their_own_are_refused_with_that_key():
    assert "write model.outputs instead" in told(backbone="resnet18", args={"num_classes": 2})


def test_no_outputs_at_all_are_refused():
    assert "greater than or equal to 1" in told(backbone="resnet18", outputs=0)


def test_every_field_has_a_help_text():
    assert all(field.description for field in Model.model_fields.values())


def test_the_table_knows_heads_sizes_and_weights():
    inception = BACKBONES["inception_v3"]
    assert inception.heads == ("fc", "AuxLogits.fc")
    assert inception.auxiliary == ("AuxLogits",)
    assert (inception.image_size, inception.resize_size, inception.smallest) == (299, 342, 299)
    assert inception.aux_weight == 0.4
    assert BACKBONES["googlenet"].aux_weight == 0.3
    assert BACKBONES["resnet50"].default == "IMAGENET1K_V2"
    assert BACKBONES["resnet18"].weights["IMAGENET1K_V1"].file == "resnet18-f37072fd.pth"
    assert BACKBONES["vit_b_16"].weights["IMAGENET1K_SWAG_E2E_V1"].image_size == 384


def test_both_heads_of_lraspp_are_main_ones():
    lraspp, fcn = BACKBONES["lraspp_mobilenet_v3_large"], BACKBONES["fcn_resnet50"]
    both = ("classifier.low_classifier", "classifier.high_classifier")
    assert (lraspp.main_heads, lraspp.auxiliary) == (both, ())
    assert lraspp.in_heads("classifier.high_classifier.weight")
    assert not lraspp.in_heads("classifier.cbr.0.weight")
    assert (fcn.main_heads, fcn.auxiliary) == (("classifier.4",), ("aux_classifier",))
    assert fcn.in_heads("aux_classifier.0.weight")
    assert not fcn.in_heads("classifier.0.weight")


def test_entries_of_heads_and_auxiliary_branches_are_told_from_the_rest():
    googlenet = BACKBONES["googlenet"]
    assert googlenet.in_heads("fc.weight")
    assert googlenet.in_heads("aux1.conv.conv.weight")
    assert not googlenet.in_heads("inception3a.branch1.conv.weight")

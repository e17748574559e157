from pathlib import Path

import pytest
import torch
import torchvision
from torch import nn
from torchvision import models

from engine.contract.backbones import BACKBONES
from engine.contract.model import Model
from engine.contract.problems import InputError, Problem
from engine.parts import backbone_table
from engine.parts.backbones import (
    _open_end,
    aux_weight,
    build_model,
    build_skeleton,
    main_and_auxiliary,
)
from engine.parts.builders import builder_args, skeleton
from engine.parts.presets import preset_of
from engine.parts.weights import fingerprint

HERE = Path()


def problem_of(call: object, *args: object) -> Problem:
    with pytest.raises(InputError) as caught:
        call(*args)  # type: ignore[operator]
    assert len(caught.value.problems) == 1
    return caught.value.problems[0]


def test_the_table_has_the_models_of_the_installed_torchvision():
    installed = {*models.list_models(models), *models.list_models(models.segmentation)}
    advice = "run `python -m engine.parts.backbone_table`"
    assert not installed - set(BACKBONES), f"torchvision has more than the table: {advice}"
    assert not set(BACKBONES) - installed, f"torchvision {torchvision.__version__} lacks models"


@pytest.mark.parametrize("name", BACKBONES)
def test_the_table_tells_each_model_as_torchvision_builds_it(name: str):
    row = BACKBONES[name]
    written = {key: vars(value) for key, value in row.weights.items()}
    weights = models.get_model_weights(name)
    assert written == {each.name: backbone_table.weights_row(each) for each in weights}
    assert row.default == weights["DEFAULT"].name
    size = weights["DEFAULT"].transforms()
    cropped = size.crop_size if row.task == "classification" else size.resize_size
    assert (row.image_size, row.resize_size) == (cropped[0], size.resize_size[0])
    if name not in ("googlenet", "inception_v3"):  # theirs are told without auxiliary branches
        assert row.parameters == weights["DEFAULT"].meta["num_params"]


@pytest.mark.parametrize("name", BACKBONES)
def test_every_head_is_replaced_in_kind_and_the_rest_is_as_the_table_tells(name: str):
    row = BACKBONES[name]
    built = build_skeleton(Model(backbone=name), 7)
    heads = [built.model.get_submodule(head) for head in built.heads]
    convolutional = name.startswith("squeezenet") or row.task == "segmentation"
    kind = nn.Conv2d if convolutional else nn.Linear
    assert built.heads == list(row.heads)
    assert [type(head) for head in heads] == [kind] * len(heads)
    assert {head.weight.shape[0] for head in heads} == {7}
    # Each of the outputs that went had a weight for every input, and mostly a bias.
    outputs = 21 if row.task == "segmentation" else 1000
    gone = sum((outputs - 7) * (head.weight[0].numel() + (head.bias is not None)) for head in heads)
    assert sum(p.numel() for p in built.model.parameters()) == row.parameters - gone
    assert fingerprint(built.model.state_dict(), row) == (row.entries, row.elements)


@pytest.mark.parametrize("name", ["alexnet", "squeezenet1_1", "vgg11", "googlenet", "densenet121"])
def test_the_smallest_size_passes_in_training_and_one_pixel_less_does_not(name: str):
    model = skeleton(name, backbone_table.args(name))
    smallest = BACKBONES[name].smallest
    assert backbone_table.passes(model, smallest)
    assert not backbone_table.passes(model, smallest - 1)


def test_no_two_backbones_have_the_same_fingerprint():
    assert len({(row.entries, row.elements) for row in BACKBONES.values()}) == len(BACKBONES)


SMALL = [
    ("squeezenet1_1", 32),
    ("mobilenet_v3_small", 32),
    ("shufflenet_v2_x0_5", 32),
    ("mnasnet0_5", 32),
    ("googlenet", 32),
]


@pytest.mark.parametrize(("name", "size"), SMALL)
def test_a_built_model_gives_the_outputs_in_training_and_evaluation(name: str, size: int):
    built = build_model(Model(backbone=name), 3, HERE)
    images = torch.rand(2, 3, size, size)
    main, auxiliary = main_and_auxiliary(built.model.train()(images))
    assert [tuple(logits.shape) for logits in (main, *auxiliary)] == [(2, 3)] * len(built.heads)
    assert built.model.eval()(images).shape == (2, 3)
    assert built.weights_report is None


@pytest.mark.parametrize("name", models.list_models(models.segmentation))
def test_a_model_for_segmentation_gives_the_outputs_of_every_pixel(name: str):
    built = build_skeleton(Model(backbone=name), 3)
    for size in (8, 61):
        images = torch.empty(2, 3, size, size, device="meta")
        for mode in (True, False):
            main, auxiliary = main_and_auxiliary(built.model.train(mode)(images))
            shapes = [tuple(logits.shape) for logits in (main, *auxiliary)]
            assert shapes == [(2, 3, size, size)] * (1 if name.startswith("lraspp") else 2)


def test_a_built_model_for_segmentation_trains_its_main_and_its_auxiliary_head():
    built = build_model(Model(backbone="deeplabv3_mobilenet_v3_large"), 3, HERE)
    main, (extra,) = main_and_auxiliary(built.model.train()(torch.rand(2, 3, 32, 32)))
    assert main.shape == extra.shape == (2, 3, 32, 32)
    extra.sum().backward()
    assert built.model.get_parameter("aux_classifier.4.weight").grad is not None
    assert built.model.get_parameter("classifier.4.weight").grad is None


def test_the_auxiliary_head_of_a_segmentation_can_be_left_out():
    section = Model(backbone="fcn_resnet50", args={"aux_loss": False})
    built = build_skeleton(section, 3)
    assert built.heads == ["classifier.4"]
    images = torch.empty(1, 3, 16, 16, device="meta")
    assert list(built.model.eval()(images)) == ["out"]
    assert not [name for name in built.model.state_dict() if name.startswith("aux")]


def test_the_weight_of_an_auxiliary_loss_is_the_tables_or_the_persons():
    assert aux_weight(Model(backbone="fcn_resnet50")) == 0.5  # torchvision's references
    assert aux_weight(Model(backbone="fcn_resnet50", aux_weight=0)) == 0.0
    assert aux_weight(Model(backbone="googlenet", aux_weight=0.7)) == 0.7


def test_the_same_seed_gives_the_same_model():
    first, second = (_seeded("shufflenet_v2_x0_5").state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def _seeded(name: str) -> nn.Module:
    torch.manual_seed(5)
    return build_model(Model(backbone=name), 3, HERE).model


def test_a_new_head_has_torchs_own_initialization():
    built = build_model(Model(backbone="squeezenet1_1", args={"dropout": 0.1}), 4, HERE)
    head = built.model.get_submodule("classifier.1")
    assert isinstance(head, nn.Conv2d)
    # kaiming_uniform with a = sqrt(5) is bounded by 1 / sqrt(fan_in); torchvision's own is normal.
    assert head.weight.abs().max() <= 512**-0.5
    assert built.model.num_classes == 4
    assert built.model.get_submodule("classifier.0").p == 0.1


def test_auxiliary_heads_can_be_left_out():
    built = build_model(Model(backbone="googlenet", args={"aux_logits": False}), 2, HERE)
    assert built.heads == ["fc"]
    assert isinstance(built.model.train()(torch.rand(2, 3, 32, 32)), torch.Tensor)


@pytest.mark.parametrize(
    ("backbone", "args", "key", "hint"),
    [
        ("squeezenet1_1", {"droput": 0.1}, "model.args.droput", 'did you mean "dropout"?'),
        ("convnext_tiny", {"dropout": 0.1}, "model.args.dropout", "known: "),
        ("squeezenet1_1", {"dropout": 5}, "model.args.dropout", "documentation"),
        ("vit_b_32", {"image_size": 33, "dropout": 0.1}, "model.args.image_size", ""),
        ("fcn_resnet50", {"aux_los": False}, "model.args.aux_los", 'did you mean "aux_loss"?'),
        ("deeplabv3_resnet50", {"aux_loss": "no"}, "model.args.aux_loss", "false leaves"),
        ("googlenet", {"aux_logits": 0}, "model.args.aux_logits", "false leaves"),
        ("lraspp_mobilenet_v3_large", {"aux_loss": True}, "model.args.aux_loss", "known: none"),
        ("fcn_resnet50", {"backbone": "resnet18"}, "model.args.backbone", "known: aux_loss"),
    ],
)
def test_wrong_arguments_are_told_each_by_its_key(backbone, args, key, hint):
    problem = problem_of(build_model, Model(backbone=backbone, args=args), 2, HERE)
    assert problem.key == key
    assert hint in problem.hint


def test_a_preset_is_what_the_chosen_weights_were_trained_with():
    preset = preset_of(Model(backbone="efficientnet_v2_l", weights="IMAGENET1K_V1"))
    assert (preset.image_size, preset.resize_size) == (480, 480)
    assert preset.mean == preset.std == (0.5, 0.5, 0.5)
    assert preset.interpolation == "bicubic"
    first = preset_of(Model(backbone="resnet50", weights="IMAGENET1K_V1"))
    assert (first.image_size, first.resize_size) == (224, 256)


@pytest.mark.parametrize("weights", ["none", "DEFAULT", "mine.pth"])
def test_a_preset_for_no_weights_or_a_file_is_that_of_the_default_weights(weights: str):
    preset = preset_of(Model(backbone="resnet50", weights=weights))
    assert (preset.image_size, preset.resize_size, preset.antialias) == (224, 232, True)
    assert preset.mean == (0.485, 0.456, 0.406)
    assert preset.std == (0.229, 0.224, 0.225)


def test_a_segmentation_is_resized_only():
    preset = preset_of(Model(backbone="fcn_resnet50"))
    assert (preset.image_size, preset.resize_size) == (520, 520)
    assert preset.mean == (0.485, 0.456, 0.406)
    smaller = preset_of(Model(backbone="fcn_resnet50", weights="DEFAULT"), 96)
    assert (smaller.image_size, smaller.resize_size) == (96, 96)
    problem = problem_of(preset_of, Model(backbone="fcn_resnet50"), 7)
    assert problem.hint == "write 8 or more"


def test_another_image_size_keeps_the_proportion_of_resize_to_crop():
    preset = preset_of(Model(backbone="resnet18"), 112)  # trained at 256 to 224
    assert (preset.image_size, preset.resize_size) == (112, 128)


def test_images_that_are_too_small_are_told_with_the_smallest_size():
    problem = problem_of(preset_of, Model(backbone="inception_v3"), 128)
    assert problem.key == "data.image_size"
    assert "299" in problem.hint
    assert "aux_logits = false" in problem.hint


def test_a_backbone_of_one_size_takes_no_other_and_says_how_to_build_for_it():
    problem = problem_of(preset_of, Model(backbone="vit_b_16"), 64)
    assert "224 px, not 64" in problem.message
    assert "image_size = 64" in problem.hint
    small = Model(backbone="vit_b_16", args={"image_size": 64})
    assert preset_of(small).image_size == preset_of(small, 64).image_size == 64


def test_weights_that_were_trained_at_a_size_decide_the_size_that_is_built():
    section = Model(backbone="vit_b_16", weights="IMAGENET1K_SWAG_E2E_V1")
    assert builder_args(section) == {"image_size": 384}


def test_pretrained_inception_transforms_its_input_as_torchvision_does():
    assert builder_args(Model(backbone="inception_v3", weights="DEFAULT"))["transform_input"]
    assert not builder_args(Model(backbone="inception_v3"))["transform_input"]


def test_outputs_in_a_dictionary_are_main_and_auxiliary_in_its_order():
    first, second = torch.zeros(1, 2), torch.ones(1, 2)
    assert main_and_auxiliary({"out": first, "aux": second}) == (first, [second])
    assert main_and_auxiliary((first, None, second)) == (first, [second])


def test_a_squeezenet_can_give_negative_outputs_where_the_loss_needs_them():
    torch.manual_seed(0)
    images = torch.randn(4, 3, 64, 64)
    for signed in (False, True):
        built = build_model(Model(backbone="squeezenet1_1"), 1, HERE, signed=signed)
        head = built.model.get_submodule("classifier.1")
        nn.init.constant_(head.weight, -0.1)
        with torch.no_grad():
            outputs = built.model.eval()(images)
        assert bool((outputs < 0).all()) == signed
        assert built.opened == (("classifier.2",) if signed else ())
    models.squeezenet1_1(num_classes=1).load_state_dict(built.model.state_dict())


@pytest.mark.parametrize("name", [name for name, row in BACKBONES.items()])
def test_only_squeezenets_end_in_an_activation(name: str):
    row = BACKBONES[name]
    model = build_skeleton(Model(backbone=name), 2).model
    assert bool(_open_end(model, row)) == name.startswith("squeezenet")

from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision import models
from torchvision.models.convnext import CNBlockConfig

from engine.contract.model import Model
from engine.contract.problems import InputError, Problem
from engine.parts.backbones import build_model, build_skeleton, main_and_auxiliary
from engine.parts.freezing import Freezing, freeze


def skeleton_frozen(
    backbone: str, *patterns: str, freeze_norm: bool = True
) -> tuple[nn.Module, Freezing]:
    built = build_skeleton(Model(backbone=backbone), 2)
    return built.model, freeze(built.model, list(patterns), built.heads, freeze_norm)


def problems(backbone: str, *patterns: str) -> list[Problem]:
    with pytest.raises(InputError) as caught:
        skeleton_frozen(backbone, *patterns)
    return list(caught.value.problems)


def trains(model: nn.Module) -> set[str]:
    """The outermost modules that hold a parameter that trains."""
    return {name.split(".")[0] for name, p in model.named_parameters() if p.requires_grad}


def test_without_patterns_everything_trains():
    model, freezing = skeleton_frozen("resnet18")
    assert all(p.requires_grad for p in model.parameters())
    freezing.train_mode(model)
    assert all(module.training for module in model.modules())
    assert freezing.frozen == []


def test_a_star_freezes_everything_but_the_new_head():
    model, freezing = skeleton_frozen("resnet18", "*")
    assert freezing.trainable == ["fc"]
    assert freezing.trainable_count == 512 * 2 + 2
    assert freezing.total == 11_176_512 + 512 * 2 + 2  # ResNet-18 without its head, and the head
    assert freezing.frozen_norms == 20
    assert trains(model) == {"fc"}


def test_an_exclamation_mark_takes_a_module_out_again_and_the_last_match_wins():
    model, freezing = skeleton_frozen("resnet18", "*", "!layer4", "layer4.1")
    assert freezing.trainable == ["layer4.0", "fc"]
    assert "layer4.1" in freezing.frozen
    model, _ = skeleton_frozen("resnet18", "!layer4", "*")
    assert trains(model) == {"fc"}


def test_naming_a_module_takes_its_whole_subtree():
    model, freezing = skeleton_frozen("resnet18", "layer1")
    assert not any(p.requires_grad for p in model.get_submodule("layer1").parameters())
    assert freezing.frozen == ["layer1"]


def test_a_star_crosses_dots_and_an_ancestors_match_counts():
    model, _ = skeleton_frozen("resnet18", "layer*.bn1")
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    expected = {
        f"layer{i}.{j}.bn1.{k}" for i in range(1, 5) for j in (0, 1) for k in ("weight", "bias")
    }
    assert frozen == expected


@pytest.mark.parametrize("pattern", ["fc", "fc.*", "fc*"])
def test_the_head_is_frozen_by_its_own_name(pattern: str):
    model, _ = skeleton_frozen("resnet18", pattern)
    assert "fc" not in trains(model)


def test_the_head_is_not_frozen_by_an_ancestor():
    _, freezing = skeleton_frozen("vgg11", "features", "classifier")
    assert freezing.trainable == ["classifier.6"]


def test_a_name_that_only_begins_like_the_head_is_another_name():
    model = nn.ModuleDict({"fc": nn.Linear(2, 2), "fc2": nn.Linear(2, 2)})
    freeze(model, ["fc2"], ["fc"])
    assert trains(model) == {"fc"}


def test_auxiliary_heads_are_heads_too():
    _, freezing = skeleton_frozen("googlenet", "*")
    assert set(freezing.trainable) == {"fc", "aux1.fc2", "aux2.fc2"}


def test_a_vits_own_parameters_freeze_with_it_and_by_name():
    model, freezing = skeleton_frozen("vit_b_32", "*")
    assert freezing.trainable == ["heads"]  # which holds the head and nothing else
    assert {"class_token", "conv_proj", "encoder"} <= set(freezing.frozen)
    model, freezing = skeleton_frozen("vit_b_32", "encoder.pos_embedding")
    assert freezing.frozen == ["encoder.pos_embedding"]
    freezing.train_mode(model)
    assert model.get_submodule("encoder").training


def test_a_pattern_that_matches_nothing_is_told_with_its_place_and_the_nearest_names():
    first, second = problems("resnet18", "layr4", "*", "!backbone.*")
    assert (first.key, second.key) == ("model.freeze.0", "model.freeze.2")
    assert '"layer4"' in first.hint
    assert "the outermost modules are: conv1, bn1" in second.hint


def test_a_pattern_that_holds_the_new_head_only_is_told_the_heads_name():
    (problem,) = problems("vit_b_32", "heads")
    assert problem.key == "model.freeze.0"
    assert "heads.head" in problem.hint


def test_nothing_left_to_train_is_an_error_that_names_the_head():
    (problem,) = problems("resnet18", "*", "fc")
    assert (problem.key, problem.message) == ("model.freeze", "nothing is left to train")
    assert "fc" in problem.hint


def test_frozen_modules_stay_in_evaluation_mode_after_every_train():
    model, freezing = skeleton_frozen("efficientnet_b0", "features")
    for _ in range(2):
        model.eval()
        freezing.train_mode(model)
        assert not any(module.training for module in model.get_submodule("features").modules())
        assert model.training
        assert model.get_submodule("classifier.0").training  # the dropout before the head


def test_dropout_that_was_named_stays_in_evaluation_mode_and_can_be_taken_out():
    model, freezing = skeleton_frozen("efficientnet_b0", "*")
    freezing.train_mode(model)
    assert not model.get_submodule("classifier.0").training
    model, freezing = skeleton_frozen("efficientnet_b0", "*", "!classifier.0")
    freezing.train_mode(model)
    assert model.get_submodule("classifier.0").training


def test_statistics_are_still_where_every_parameter_was_frozen_one_by_one():
    model, freezing = skeleton_frozen("resnet18", "*.weight", "*.bias")
    freezing.train_mode(model)
    assert not model.get_submodule("layer1.0.bn1").training


def test_a_partly_frozen_module_trains_where_it_is_not_frozen():
    model, freezing = skeleton_frozen("densenet121", "features", "!features.denseblock4")
    freezing.train_mode(model)
    assert model.get_submodule("features.denseblock4.denselayer1").training
    assert not model.get_submodule("features.denseblock1.denselayer1").training


@pytest.mark.parametrize(
    ("backbone", "norm", "neighbour"),
    [
        ("resnet18", "layer1.0.bn1", "layer1.0.conv1"),
        ("convnext_tiny", "features.0.1", "features.0.0"),
        ("swin_t", "features.1.0.norm1", "features.1.0.attn"),
    ],
)
def test_norm_layers_can_be_left_training_inside_frozen_modules(backbone, norm, neighbour):
    model, freezing = skeleton_frozen(backbone, "*", freeze_norm=False)
    freezing.train_mode(model)
    for name, alive in ((norm, True), (neighbour, False)):
        module = model.get_submodule(name)
        assert module.training == alive
        assert {p.requires_grad for p in module.parameters()} == {alive}
    assert freezing.frozen_norms == 0
    assert norm in freezing.trainable


def test_a_module_with_two_names_is_frozen_by_either():
    shared = nn.Linear(2, 2)
    model = nn.ModuleDict({"first": shared, "second": shared, "head": nn.Linear(2, 2)})
    freezing = freeze(model, ["second"], ["head"])
    assert not shared.weight.requires_grad
    assert freezing.total == 12


def test_freezing_again_gives_what_the_new_patterns_say():
    built = build_skeleton(Model(backbone="resnet18"), 2)
    freeze(built.model, ["*"], built.heads)
    freeze(built.model, ["conv1"], built.heads)
    assert built.model.get_parameter("layer1.0.conv1.weight").requires_grad


def test_the_report_says_what_trains_and_how_much():
    _, freezing = skeleton_frozen("resnet18", "*", "!layer4")
    first, second = freezing.describe().splitlines()
    assert first.startswith("trains 8,394,754 of 11,177,538 parameters (75.1 %): layer4, fc")
    assert second.startswith("frozen: conv1, bn1")
    assert "norm layers among them: 15" in second


def assert_only_heads_move(model: nn.Module, heads: list[str], size: int) -> None:
    """One step of everything but the heads frozen, with a large learning rate, in training mode."""
    freezing = freeze(model, ["*"], heads)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    freezing.train_mode(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0, weight_decay=0.1)
    main, auxiliary = main_and_auxiliary(model(torch.rand(2, 3, size, size)))
    targets = torch.tensor([0, 2])
    losses = [nn.functional.cross_entropy(logits, targets) for logits in (main, *auxiliary)]
    torch.stack(losses).sum().backward()
    optimizer.step()
    after = model.state_dict()
    moved = {name for name in after if not torch.equal(before[name], after[name])}
    assert moved == {name for name in after if name.rpartition(".")[0] in heads}


STEPPED = [
    ("squeezenet1_1", 64, {}),
    ("mobilenet_v2", 64, {}),
    ("mobilenet_v3_small", 64, {}),
    ("shufflenet_v2_x0_5", 64, {}),
    ("mnasnet0_5", 64, {}),
    ("regnet_y_400mf", 64, {}),
    ("efficientnet_b0", 64, {}),
    ("densenet121", 64, {"drop_rate": 0.5}),
    ("resnet18", 64, {}),
    ("googlenet", 64, {}),
    ("inception_v3", 75, {"aux_logits": False, "init_weights": False}),
]


@pytest.mark.parametrize(("backbone", "size", "args"), STEPPED)
def test_a_training_step_of_the_head_leaves_every_frozen_number_bit_for_bit(backbone, size, args):
    built = build_model(Model(backbone=backbone, args=args), 3, Path())
    assert_only_heads_move(built.model, built.heads, size)


def small_vit() -> nn.Module:
    return models.VisionTransformer(32, 16, 2, 2, 16, 32, dropout=0.5, num_classes=3)


def small_swin() -> nn.Module:
    return models.SwinTransformer(
        [4, 4], 8, [1, 2], [1, 2], [2, 2], attention_dropout=0.5, num_classes=3
    )


def small_convnext() -> nn.Module:
    blocks = [CNBlockConfig(8, 16, 1), CNBlockConfig(16, None, 2)]
    return models.ConvNeXt(blocks, stochastic_depth_prob=0.5, num_classes=3)


@pytest.mark.parametrize(
    ("make", "head"),
    [(small_vit, "heads.head"), (small_swin, "head"), (small_convnext, "classifier.2")],
)
def test_frozen_transformers_and_convnexts_neither_move_nor_draw_random_numbers(make, head):
    torch.manual_seed(1)
    model = make()
    nn.init.normal_(model.get_submodule(head).weight)  # torchvision starts ViT's at zero
    assert_only_heads_move(model, [head], 32)
    images = torch.rand(2, 3, 32, 32)
    assert torch.equal(model(images), model(images))
    model.train()  # plain: the dropout of the frozen part acts
    assert not torch.equal(model(images), model(images))


def test_inception_v3_trains_its_heads_at_its_own_size():
    model, freezing = skeleton_frozen("inception_v3", "*")
    freezing.train_mode(model)
    main, auxiliary = main_and_auxiliary(model(torch.empty(1, 3, 299, 299, device="meta")))
    assert [tuple(logits.shape) for logits in (main, *auxiliary)] == [(1, 2), (1, 2)]
    assert main.requires_grad

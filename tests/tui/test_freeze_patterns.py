"""The patterns that are written for what a person froze: exact, and as short as one would write."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from engine.contract.problems import InputError
from engine.parts.freezing import Freezing, freeze
from tests.tui.module_trees import of_backbone, of_model
from tui.freeze_patterns import shortest
from tui.freeze_tree import ModuleTree, all_but_heads, state, toggled

NAMES = ["conv1", "conv2", "conv3", "bn1", "layer1", "layer2", "0", "1", "2", "10", "11", "fc", "f"]
LEAVES = [
    lambda: nn.Linear(1, 2),
    lambda: nn.Linear(1, 1, bias=False),
    lambda: nn.BatchNorm1d(1),
    lambda: nn.BatchNorm1d(1, affine=False),
    nn.Dropout,
    nn.ReLU,
]


@st.composite
def models(draw: st.DrawFn, depth: int = 0) -> nn.Module:
    model = nn.Module()
    for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique=True)):
        if depth < 2 and draw(st.booleans()):
            model.add_module(name, draw(models(depth + 1)))
        else:
            model.add_module(name, draw(st.sampled_from(LEAVES))())
    if draw(st.booleans()):
        model.register_parameter("token", nn.Parameter(nn.Linear(1, 1).weight.detach()))
    return model


@st.composite
def models_and_heads(draw: st.DrawFn) -> tuple[nn.Module, list[str]]:
    """A model, and one of the modules with parameters in it, or none, as the new head."""
    model = draw(models())
    able = [name for name, m in model.named_modules() if name and list(m.parameters())]
    return model, draw(st.lists(st.sampled_from(able), max_size=1)) if able else []


def frozen_in(tree: ModuleTree, model: nn.Module, freezing: Freezing) -> frozenset[str]:
    """What the engine froze."""
    trains = {name for name, p in model.named_parameters() if p.requires_grad}
    evaluating = {name for name, m in model.named_modules() if m in set(freezing.evaluating)}
    return frozenset(
        leaf.name
        for leaf in tree.leaves
        if (leaf.name not in trains if leaf.is_parameter else leaf.name in evaluating)
    )


@given(st.data())
@settings(max_examples=150)
def test_the_engine_freezes_exactly_what_was_chosen_by_the_patterns_that_are_written(
    data: st.DataObject,
) -> None:
    model, heads = data.draw(models_and_heads())
    tree = of_model(model, heads)
    if not any(leaf.is_parameter for leaf in tree.leaves):
        return
    frozen = data.draw(st.sets(st.sampled_from([leaf.name for leaf in tree.leaves])))
    frozen -= {data.draw(st.sampled_from([x.name for x in tree.leaves if x.is_parameter]))}
    written = shortest(tree, frozen)
    assert frozen_in(tree, model, freeze(model, written, heads)) == frozen
    assert tree.frozen_by(written) == frozen


@given(st.data())
@settings(max_examples=100)
def test_they_are_never_more_than_the_topmost_frozen_modules_by_their_names(
    data: st.DataObject,
) -> None:
    model, heads = data.draw(models_and_heads())
    tree = of_model(model, heads)
    names = [node.name for node in tree.root.walk() if node.name and node.leaves]
    if not names:
        return
    naive = data.draw(st.lists(st.sampled_from(names), unique=True, max_size=5))
    written = shortest(tree, tree.frozen_by(naive))
    assert len(written) <= len(naive)


@given(st.data())
@settings(max_examples=100)
def test_what_patterns_freeze_is_known_as_the_engine_does_it(data: st.DataObject) -> None:
    model, heads = data.draw(models_and_heads())
    tree = of_model(model, heads)
    some = [name for name, _ in model.named_modules() if name] + ["*", "*bn1", "*.0", "conv?"]
    signed = some + [f"!{name}" for name in some]
    patterns = data.draw(st.lists(st.sampled_from(signed), max_size=5))
    patterns = [each for each in patterns if not tree.unmatched([each])]
    try:
        freezing = freeze(model, patterns, heads)
    except InputError:  # nothing is left to train
        return
    assert tree.frozen_by(patterns) == frozen_in(tree, model, freezing)


@pytest.mark.parametrize(
    ("backbone", "meant", "expected"),
    [
        ("resnet18", [], []),
        ("resnet18", ["*"], ["*"]),
        ("resnet18", ["conv1", "bn1", "layer[123]"], ["*", "!layer4"]),
        ("resnet18", ["layer[12]"], ["layer1", "layer2"]),
        ("resnet18", ["layer1", "layer2", "layer3"], ["layer[1-3]"]),
        ("resnet18", ["layer1", "layer2", "layer3", "layer4"], ["layer*"]),
        ("resnet18", ["layer1.0", "layer1.1"], ["layer1"]),
        ("resnet18", ["*", "fc"], ["*", "fc"]),
        ("resnet18", ["fc.weight"], ["fc.weight"]),
        ("resnet18", ["*", "!layer4.1.conv2"], ["*", "!layer4.1.conv2"]),
        ("resnet18", ["*", "!*.bn*", "!bn1"], ["*", "!*bn?"]),
        ("vgg11", ["classifier.0", "!classifier.2"], ["classifier.0"]),
        ("vgg11", ["*", "!features.1?"], ["*", "!features.1[1-8]"]),  # 10, a pool, is no matter
        ("mobilenet_v2", ["features.?", "features.1[0-3]"], ["features", "!features.1[4-8]"]),
        ("vit_b_16", ["conv_proj", *(f"encoder.layers.encoder_layer_{i}" for i in range(8))],
         ["conv_proj", "encoder.layers.encoder_layer_[0-7]"]),
    ],
)  # fmt: skip
def test_a_backbones_patterns_are_those_that_a_person_would_write(
    backbone: str, meant: list[str], expected: list[str]
) -> None:
    tree = of_backbone(backbone)
    assert shortest(tree, tree.frozen_by(meant)) == expected


def test_dropout_between_frozen_layers_can_go_on_acting() -> None:
    model = nn.Sequential(nn.Sequential(nn.Linear(1, 1), nn.Dropout(), nn.Linear(1, 1)))
    model.append(nn.Linear(1, 1))
    tree = of_model(model, ["1"])
    assert shortest(tree, tree.frozen_by(["*", "!0.1"])) == ["0", "!0.1"]


def test_a_head_inside_of_a_frozen_module_is_not_frozen_with_it() -> None:
    tree = of_backbone("vgg11")
    assert tree.heads == ["classifier.6"]
    assert shortest(tree, all_but_heads(tree)) == ["*"]
    classifier = tree.by_name["classifier"]
    everything = toggled(tree.root, frozenset())
    assert state(classifier, everything) == "frozen"
    assert shortest(tree, everything) == ["*", "classifier.6"]
    assert state(classifier, all_but_heads(tree)) == "part"

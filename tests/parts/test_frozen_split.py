"""Prefix and tail together are the model, bit for bit, and the tail draws the same random numbers.

One backbone of each of torchvision's families, at a small size.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from engine.contract.backbones import BACKBONES
from engine.contract.model import Model
from engine.parts.backbones import build_skeleton
from engine.parts.frozen_split import FrozenSplit, UnsplitError, shape_only, split_frozen
from engine.parts.unfreezing import build_stages
from tests.parts.test_every_backbone import filled

pytestmark = pytest.mark.usefixtures("one_thread")

FAMILIES = [
    "alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_v2_s", "googlenet",
    "inception_v3", "maxvit_t", "mnasnet0_5", "mobilenet_v2", "mobilenet_v3_small",
    "regnet_y_400mf", "resnet18", "resnext50_32x4d", "shufflenet_v2_x0_5", "squeezenet1_1",
    "swin_t", "swin_v2_t", "vgg11_bn", "vit_b_32", "wide_resnet50_2",
    "deeplabv3_mobilenet_v3_large", "fcn_resnet50", "lraspp_mobilenet_v3_large",
]  # fmt: skip


def built(name: str) -> tuple[nn.Module, list[str], Tensor]:
    """The backbone with small numbers in it, its heads, and a batch of two images for it."""
    row = BACKBONES[name]
    size = 224 if row.size_argument else max(64, row.smallest)
    made = build_skeleton(Model(backbone=name, weights="none"), 3)
    generator = torch.Generator().manual_seed(1)
    return filled(made.model), made.heads, torch.randn(2, 3, size, size, generator=generator)


def frozen(model: nn.Module, name: str, heads: list[str], patterns: list[str]) -> None:
    section = Model(backbone=name, weights="none", freeze=patterns)
    build_stages(model, section, heads).enter(0).train_mode(model)


def leaves_with_parameters(model: nn.Module, heads: list[str]) -> list[str]:
    return [
        name
        for name, module in model.named_modules()
        if name
        and next(module.children(), None) is None
        and next(module.parameters(), None) is not None
        and name not in heads
    ]


def patterns_for(model: nn.Module, heads: list[str], which: str) -> list[str]:
    leaves = leaves_with_parameters(model, heads)
    match which:
        case "the head trains":
            return ["*"]
        case "the head and its dropout train":
            noise = [n for n, m in model.named_modules() if isinstance(m, nn.Dropout)]
            return ["*", *(f"!{name}" for name in noise[-1:])]
        case "the last layers train":
            return ["*", f"!{leaves[-1]}", f"!{leaves[-2]}"]
    return leaves[:3]


@pytest.mark.parametrize(
    "which",
    ["the head trains", "the head and its dropout train", "the last layers train", "most trains"],
)
@pytest.mark.parametrize("name", FAMILIES)
def test_prefix_and_tail_are_the_model(name: str, which: str) -> None:
    model, heads, inputs = built(name)
    frozen(model, name, heads, patterns_for(model, heads, which))
    attributes = set(vars(model))
    for training in (True, False):
        if not training:
            model.eval()
        statistics = {n: b.clone() for n, b in model.named_buffers()}
        torch.manual_seed(3)
        expected = tensors_in(model(inputs))
        drawn = torch.rand(1)
        for entry, buffer in model.named_buffers():  # what BatchNorm has moved
            buffer.copy_(statistics[entry])

        split = split_frozen(model)
        torch.manual_seed(3)
        given = through(split, inputs)

        assert [torch.equal(*pair) for pair in zip(expected, given, strict=True)] == [True] * len(
            given
        )
        assert torch.equal(drawn, torch.rand(1)), "as many random numbers were drawn"
        assert all(part.isfinite().all() for part in given)
    assert set(vars(model)) == attributes, "nothing is left on the model"


def through(split: FrozenSplit, inputs: Tensor) -> list[Tensor]:
    """By features that were copied away, as from a store: no graph, and no more than their shape of
    what is only asked for that."""
    with torch.no_grad():
        made = split.prefix(inputs)
    features = [part.clone() for part in made[: split.features]]
    shapes = [shape_only(part.shape) for part in made[split.features :]]
    assert all(len(feature) == len(inputs) for feature in features)
    return tensors_in(split.tail(*features, *shapes))


def tensors_in(output: Any) -> list[Tensor]:
    if isinstance(output, Tensor):
        return [output]
    parts = output.values() if isinstance(output, dict) else output
    return [part for part in parts if part is not None]


def test_the_gradients_of_what_trains_are_the_models() -> None:
    model, heads, inputs = built("resnet18")
    frozen(model, "resnet18", heads, ["*", "!layer4"])
    split = split_frozen(model)
    assert split.last == ["layer3.1.relu_1"]
    found = []
    for output in (model(inputs), split.tail(*split.prefix(inputs))):
        model.zero_grad()
        output.square().sum().backward()
        found.append({n: p.grad for n, p in model.named_parameters() if p.grad is not None})
    assert found[0].keys() == found[1].keys()
    assert {name.partition(".")[0] for name in found[0]} == {"layer4", "fc"}


def test_where_the_first_layer_trains_nothing_is_computed_once() -> None:
    model, heads, _ = built("resnet18")
    frozen(model, "resnet18", heads, ["layer1", "layer2"])
    with pytest.raises(UnsplitError, match="what comes first trains"):
        split_frozen(model)


def test_nor_where_nothing_before_it_has_weights() -> None:
    """Such as the input that GoogLeNet and Inception shift to other means."""
    model = nn.Sequential(nn.Flatten(), nn.ReLU(), nn.Linear(12, 2))
    with pytest.raises(UnsplitError, match="has no weights"):
        split_frozen(model)


def test_norms_that_go_on_training_are_no_part_of_it() -> None:
    model, heads, _ = built("resnet18")
    section = Model(backbone="resnet18", weights="none", freeze=["*"], freeze_norm=False)
    build_stages(model, section, heads).enter(0).train_mode(model)
    assert split_frozen(model).last == ["conv1"]


def test_a_model_that_cant_be_traced_is_told() -> None:
    class Branching(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            return inputs if inputs.sum() > 0 else -inputs

    with pytest.raises(UnsplitError, match="can't trace"):
        split_frozen(Branching())

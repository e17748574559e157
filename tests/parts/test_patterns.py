"""What a name or glob takes."""

from __future__ import annotations

import pytest
from torch import nn

from engine.parts.patterns import known_names, matches


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("layer4", "layer4"),
        ("layer4", "layer4.0.bn1.weight"),
        ("layer4.0", "layer4.0.bn1.weight"),
        ("*", "fc.bias"),
        ("*.bias", "layer4.0.bn1.bias"),
        ("layer?", "layer1.0.conv1.weight"),
        ("layer[34]", "layer3.0"),
        ("*bn*", "layer4.0.bn1.weight"),
    ],
)
def test_a_pattern_takes_what_it_names_and_all_inside(pattern, name):
    assert matches(pattern, name)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("layer4", "layer40.weight"),
        ("layer4", "backbone.layer4"),
        ("layer4.0.bn1", "layer4"),
        ("FC", "fc"),
        ("layer[34]", "layer2.0"),
        ("*.bias", "bias"),
    ],
)
def test_a_pattern_takes_nothing_else(pattern, name):
    assert not matches(pattern, name)


def test_known_names_are_modules_and_parameters_without_the_model_itself():
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.ReLU())
    assert known_names(model) == ["0", "1", "0.weight"]

"""What a name or glob takes."""

from __future__ import annotations

import pytest

from engine.contract.freezing import decision, is_still, matches, takes


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


def test_a_head_is_taken_by_a_pattern_that_begins_with_its_own_name_only():
    assert not takes("*", "fc.weight", ["fc"])
    assert not takes("f*", "fc", ["fc"])
    assert takes("fc", "fc.weight", ["fc"])
    assert takes("!fc.*", "fc.weight", ["fc"])
    assert not takes("fcx", "fc", ["fc"])


def test_the_last_match_decides_and_what_is_never_named_is_undecided():
    patterns = ["layer*", "!layer4", "layer4.1"]
    assert decision(["layer1.0"], patterns, []) is True
    assert decision(["layer4.0"], patterns, []) is False
    assert decision(["layer4.1.bn1"], patterns, []) is True
    assert decision(["conv1"], patterns, []) is None


def test_a_module_is_still_when_all_its_parameters_are_frozen_and_nothing_was_taken_out():
    assert is_still([True, True], [None], None)
    assert not is_still([True, None], [True], True)
    assert not is_still([True], [False], None)
    assert not is_still([], [], None)  # without parameters, only when it is named
    assert is_still([], [], True)

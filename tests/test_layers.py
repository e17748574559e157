"""`ptrain layers`: the module tree of a backbone and of an experiment."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from engine.contract.backbones import BACKBONES
from engine.contract.problems import InputError
from engine.layers import print_layers
from tests.training import TOP

EXPERIMENT = """
[data]
dataset = "ImageFolder"
root = "images"

[model]
backbone = "resnet18"
freeze = ["*"]
unfreeze = [{ epoch = 3, layers = ["layer4"] }]

[optimizer]
name = "SGD"
lr = 1e-3

[[optimizer.group]]
name = "head"
match = ["fc"]
lr = 1e-2

[train]
epochs = 5
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "a.toml").write_text(EXPERIMENT)
    return tmp_path / "a.toml"


def tree(named: object, capsys: pytest.CaptureFixture[str], *overrides: str) -> dict[str, Any]:
    print_layers(str(named), list(overrides), None, json=True)
    plain: dict[str, Any] = json.loads(capsys.readouterr().out)
    return plain | {"layers": {layer["name"]: layer for layer in plain["layers"]}}


def test_a_backbone_is_shown_as_torchvision_builds_it(capsys: pytest.CaptureFixture[str]) -> None:
    plain = tree("resnet18", capsys)
    layers = plain["layers"]
    assert (plain["outputs"], plain["image_size"]) == (1000, 224)
    assert plain["parameters"] == 11_689_512  # torchvision's num_params
    assert layers["conv1"] == {
        "name": "conv1", "type": "Conv2d", "depth": 1, "in": [1, 3, 224, 224],
        "out": [1, 64, 112, 112], "parameters": 64 * 3 * 7 * 7,
        "own": {"weight": 64 * 3 * 7 * 7}, "norm": False, "state": "trains",
        "from_epochs": [0], "groups": [], "lr": [],
    }  # fmt: skip
    assert layers["layer4.0.downsample.0"]["out"] == [1, 512, 7, 7]
    assert layers["relu"]["state"] == ""
    assert layers["bn1"]["norm"]
    assert plain["heads"] == ["fc"]
    assert list(layers)[:4] == ["", "conv1", "bn1", "relu"]


@pytest.mark.parametrize(
    ("name", "layer", "kind", "shapes"),
    [
        ("fcn_resnet50", "aux_classifier.4", "Conv2d", ([1, 256, 65, 65], [1, 21, 65, 65])),
        ("fcn_resnet50", "", "FCN", ([1, 3, 520, 520], [1, 21, 520, 520])),
        ("lraspp_mobilenet_v3_large", "classifier.low_classifier", "Conv2d",
         ([1, 40, 65, 65], [1, 21, 65, 65])),
        ("inception_v3", "AuxLogits.fc", "Linear", ([1, 768], [1, 1000])),
        ("googlenet", "aux1.fc2", "Linear", ([1, 1024], [1, 1000])),
        ("vit_b_32", "encoder.pos_embedding", "Parameter", (None, [1, 50, 768])),
        ("swin_t", "head", "Linear", ([1, 768], [1, 1000])),
    ],
)  # fmt: skip
def test_auxiliary_heads_masks_and_single_parameters_have_their_shapes(
    name: str, layer: str, kind: str, shapes: object, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = tree(name, capsys)
    assert plain["parameters"] == BACKBONES[name].parameters
    found = plain["layers"][layer]
    assert (found["type"], (found["in"], found["out"])) == (kind, shapes)


def test_an_experiment_shows_what_trains_from_when_in_which_group_at_what_lr(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layers = tree(path, capsys, "model.outputs=2")["layers"]

    def told(name: str) -> tuple[object, ...]:
        return tuple(layers[name][key] for key in ("state", "from_epochs", "groups", "lr"))

    assert told("layer3") == ("frozen", [None], [], [])
    assert told("layer4") == ("later", [3], ["default"], [0.001])
    assert told("fc") == ("trains", [0], ["head"], [0.01])
    assert told("") == ("partly", [None, 3, 0], ["default", "head"], [0.001, 0.01])
    assert told("maxpool")[0] == "frozen", "held in evaluation mode"
    assert layers["fc"]["out"] == [1, 2]


def test_the_outputs_are_the_datas_where_it_can_be_listed(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("train/ant", "train/bee", "train/cat", "val/ant", "val/bee", "val/cat"):
        folder = path.parent / "images" / name
        folder.mkdir(parents=True)
        (folder / "a.png").write_bytes(b"never read")
    assert tree(path, capsys)["outputs"] == 3


def test_without_its_data_the_tree_is_shown_and_the_note_goes_to_standard_error(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    print_layers(str(path), [], 1, json=False)
    told = capsys.readouterr()
    assert "the data can't be read" in told.err
    assert "shown with 1000 outputs" in told.err
    assert "layer4" in told.out


def test_a_problem_of_the_model_or_the_groups_is_told_with_its_line(path: Path) -> None:
    for wrong, key, line in (
        ('freeze = ["layr4"]', "model.freeze.0", 8),
        ('freeze = ["layer1"]', "model.unfreeze.0.layers.0", 9),
    ):
        path.write_text(EXPERIMENT.replace('freeze = ["*"]', wrong))
        with pytest.raises(InputError) as caught:
            print_layers(str(path), ["model.outputs=2"], None, json=False)
        (problem,) = caught.value.problems
        assert (problem.key, problem.line) == (key, line)


def test_a_word_that_is_neither_a_file_nor_a_backbone_has_its_nearest_names() -> None:
    with pytest.raises(InputError, match='did you mean "resnet18"'):
        print_layers("resnet81", [], None, json=False)
    with pytest.raises(InputError, match="no such file"):
        print_layers("missing.toml", [], None, json=False)
    with pytest.raises(InputError, match="no keys to set"):
        print_layers("resnet18", ["model.outputs=2"], None, json=False)


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()]


def test_a_pipe_gets_every_column(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    print_layers(str(path), ["model.outputs=2"], 1, json=False)
    told = lines(capsys.readouterr().out)
    assert told[0].split() == [
        "layer", "type", "in", "out", "parameters", "state", "group", "base", "lr"
    ]  # fmt: skip
    by_name = {line.split()[0]: line.split()[1:] for line in told}
    assert by_name["fc"] == ["Linear", "512", "2", "1,026", "trains", "head", "0.01"]
    assert by_name["layer4"][1:5] == ["256x14x14", "512x7x7", "8,393,728", "from"]
    assert told[2].startswith("  conv1")


@pytest.mark.parametrize("width", [80, 120])
def test_a_terminal_gets_as_many_columns_as_fit_and_is_told_which_do_not(
    path: Path, width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(width))
    print_layers(str(path), ["model.outputs=2"], None, json=False)
    captured = capsys.readouterr()
    told = lines(captured.out)
    assert max(len(line) for line in told) <= width
    assert "…" not in captured.out
    assert {"layer", "out", "parameters", "state"} <= set(told[0].split())
    assert ("left out for 80 columns: in" in captured.err) == (width == 80)


def test_the_examples_have_a_tree(capsys: pytest.CaptureFixture[str]) -> None:
    assert tree(TOP / "experiments" / "digits.toml", capsys)["outputs"] == 10


def test_text_can_stand_for_what_the_file_holds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "ants.toml"
    text = b'[data]\n[model]\nbackbone = "alexnet"\noutputs = 3\n[train]\nepochs = 1\n'
    print_layers(str(path), [], 0, text, json=True)
    said = json.loads(capsys.readouterr().out)
    assert (said["backbone"], said["outputs"]) == ("alexnet", 3)

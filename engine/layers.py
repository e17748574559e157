"""`ptrain layers`: the module tree of an experiment or a backbone, without weights or memory."""

from __future__ import annotations

import json as json_module
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.cells import cell_len
from rich.table import Table

from engine.build import outputs_of
from engine.contract.backbones import BACKBONES
from engine.contract.experiment import Experiment
from engine.contract.model import Model
from engine.contract.problems import InputError, Problem, did_you_mean
from engine.contract.toml_file import read
from engine.parts.backbones import build_skeleton
from engine.parts.datasets import build_sources
from engine.parts.module_tree import Layer, Shape, module_tree
from engine.parts.presets import preset_of
from engine.parts.unfreezing import build_stages
from engine.terminal import console

# Data sets whose number of outputs is known without running code or downloading anything.
LISTED = ("digits", "ImageFolder", "ImageTable")
# On a narrow terminal these go first.
DROPPED = ("in", "type", "base lr", "group")


@dataclass(frozen=True)
class Tree:
    """What is printed. `note` says what could not be known."""

    backbone: str
    outputs: int
    image_size: int
    layers: list[Layer]
    heads: list[str]
    note: str = ""


def print_layers(
    named: str,
    overrides: list[str],
    depth: int | None,
    text: bytes | None = None,
    *,
    json: bool,
) -> None:
    """`named` is a file or a backbone; `depth` the deepest level shown, all without one. With
    `text`, that is read in the place of what the file holds.

    Raises InputError for what is neither, and for what a file gets wrong in [model], the image size
    or the groups.
    """
    of_backbone = text is None and _is_backbone(named, overrides)
    tree = _of_backbone(named) if of_backbone else _of_file(named, overrides, text)
    shown = [layer for layer in tree.layers if depth is None or layer.depth <= depth]
    if tree.note:
        print(tree.note, file=sys.stderr)
    if json:
        print(json_module.dumps(_as_json(tree, shown)))
    else:
        _print(tree, shown)


def _is_backbone(named: str, overrides: list[str]) -> bool:
    if named in BACKBONES:
        if overrides:
            hint = "write an experiment with that backbone: ptrain new FILE"
            raise InputError(Problem("a bare backbone has no keys to set", "--set", hint))
        return True
    if not Path(named).exists() and Path(named).name == named and not Path(named).suffix:
        near = did_you_mean(named, BACKBONES) or "`ptrain backbones` lists those that there are"
        raise InputError(Problem(f'"{named}" is neither a file nor a backbone', hint=near))
    return False


def _of_backbone(name: str) -> Tree:
    """As torchvision builds it, all of it training."""
    section, outputs = Model(backbone=name), _own_outputs(name)
    size = preset_of(section).image_size
    built = build_skeleton(section, outputs)
    return Tree(name, outputs, size, module_tree(built.model, size), built.heads)


def _of_file(named: str, overrides: list[str], text: bytes | None) -> Tree:
    file = read(Path(named), overrides, text)
    experiment = file.experiment
    outputs, note = _outputs(experiment, file.folder)
    try:
        size = preset_of(experiment.model, experiment.data.image_size).image_size
        built = build_skeleton(experiment.model, outputs)
        stages = build_stages(built.model, experiment.model, built.heads)
        layers = module_tree(built.model, size, stages, experiment.optimizer)
    except InputError as error:
        raise InputError(*file.locate(error.problems)) from None
    return Tree(experiment.model.backbone, outputs, size, layers, built.heads, note)


def _outputs(experiment: Experiment, folder: Path) -> tuple[int, str]:
    """The head's outputs, and a note where the data would decide and can't be asked."""
    if experiment.model.outputs is not None:
        return experiment.model.outputs, ""
    why = "its data set is not read for this"
    data = experiment.data
    # Without `classes`, every mask would be read to count them.
    listed = data.dataset in LISTED or (data.dataset == "ImageMaskFolder" and data.classes)
    if data.target is None and listed:
        try:
            sources = build_sources(
                data,
                folder,
                experiment.seed,
                task=experiment.task,
                ignore_index=experiment.ignore_index,
            )
            return outputs_of(experiment, sources.train.classes), ""
        except InputError as error:
            why = f"the data can't be read: {error.problems[0].message}"
    outputs = _own_outputs(experiment.model.backbone)
    return outputs, f"{why}; the head is shown with {outputs} outputs"


def _own_outputs(backbone: str) -> int:
    return 21 if BACKBONES[backbone].task == "segmentation" else 1000


def _as_json(tree: Tree, shown: list[Layer]) -> dict[str, Any]:
    whole = tree.layers[0]
    return {
        "backbone": tree.backbone,
        "outputs": tree.outputs,
        "image_size": tree.image_size,
        "parameters": whole.parameters,
        "heads": tree.heads,
        "layers": [
            {
                "name": layer.name,
                "type": layer.kind,
                "depth": layer.depth,
                "in": layer.shape_in,
                "out": layer.shape_out,
                "parameters": layer.parameters,
                "own": layer.own,
                "norm": layer.norm,
                "state": layer.state,
                "from_epochs": layer.epochs,
                "groups": layer.groups,
                "lr": layer.lrs,
            }
            for layer in shown
        ],
    }


def _print(tree: Tree, shown: list[Layer]) -> None:
    """All of it in a pipe; on a terminal that is too narrow some columns are left out, and said."""
    out = console()
    rows = [_row(tree, layer) for layer in shown]
    columns = [name for name in rows[0] if any(row[name] for row in rows)]
    left_out = []
    for name in DROPPED:
        if _width(rows, columns) > out.width and name in columns:
            columns.remove(name)
            left_out.append(name)
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in columns:
        right = name == "parameters"
        table.add_column(
            name, no_wrap=True, justify="right" if right else "left", overflow="ellipsis"
        )
    for layer, row in zip(shown, rows, strict=True):
        style = "dim" if layer.state == "frozen" else ""
        table.add_row(*(row[name] for name in columns), style=style)
    out.print(table)
    if left_out:
        wide = _width(rows, [name for name in rows[0] if any(row[name] for row in rows)])
        message = f"left out for {out.width} columns: {', '.join(left_out)}"
        print(f"{message}; {wide} columns or a pipe show all", file=sys.stderr)


def _width(rows: list[dict[str, str]], columns: list[str]) -> int:
    longest = (max(cell_len(name), *(cell_len(row[name]) for row in rows)) for name in columns)
    return sum(longest) + 2 * (len(columns) - 1)


def _row(tree: Tree, layer: Layer) -> dict[str, str]:
    later = [epoch for epoch in layer.epochs if epoch]
    state = f"from epoch {later[0]}" if layer.state == "later" else layer.state
    return {
        "layer": "  " * layer.depth + (layer.name.rpartition(".")[2] or tree.backbone),
        "type": layer.kind,
        "in": _shape(layer.shape_in),
        "out": _shape(layer.shape_out),
        "parameters": f"{layer.parameters:,}" if layer.parameters else "",
        "state": state,
        "group": ", ".join(layer.groups),
        "base lr": ", ".join(f"{lr:g}" for lr in layer.lrs),
    }


def _shape(shape: Shape | None) -> str:
    """Of one image: 64x56x56. The first number of a batch of one says nothing."""
    if shape is None:
        return ""
    of_one = shape[1:] if len(shape) > 1 and shape[0] == 1 else shape
    return "x".join(str(size) for size in of_one)

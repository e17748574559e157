"""torchvision's models with a new head and the weights that training starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torchvision import models

from engine.contract.backbones import BACKBONES, Backbone
from engine.contract.model import Model, weights_file
from engine.parts.builders import AllocateOnMeta, construct
from engine.parts.weights import WeightsReport, copy_into
from engine.parts.weights_files import fetch, read, verified


@dataclass(frozen=True)
class Built:
    """`heads` are the dotted names of the layers whose outputs are the classes, main ones first."""

    model: nn.Module
    heads: list[str]
    weights_report: WeightsReport | None
    opened: tuple[str, ...] = ()
    """The layers after the head that kept its outputs from being negative, and are no more."""


def build_model(
    section: Model,
    outputs: int,
    folder: Path,
    *,
    pretrained: bool = True,
    refetch: bool = False,
    signed: bool = False,
) -> Built:
    """The backbone with `outputs` outputs, for images of (batch, 3, H, W).

    A classification model gives (batch, outputs), while training with auxiliary heads a tuple of
    them; one for segmentation a dictionary: `out`, and `aux` with an auxiliary head, each
    (batch, outputs, H, W). `main_and_auxiliary` takes both apart.

    New heads have torch's default initialization, drawn from the global generator. `folder` is
    what relative paths are relative to. With `pretrained` false no weights are looked for, since a
    checkpoint follows that holds them all. Auxiliary branches are built also with pretrained
    weights, unless `args.aux_logits` (googlenet, inception_v3) or `args.aux_loss` (segmentation)
    is false. `refetch`: download again what was damaged on disk. `signed`: the outputs must be able
    to be negative, which SqueezeNet's are not: it ends in a ReLU.
    Errors: InputError at `model.backbone`, `model.args.…` or `model.weights`.
    """
    row = BACKBONES[section.backbone]
    model = _with_heads(section, row, outputs)
    opened = _open_end(model, row) if signed else ()
    report = _load(model, section, row, folder, refetch) if pretrained else None
    return replace(_finished(model, section, row, report), opened=opened)


def build_skeleton(section: Model, outputs: int) -> Built:
    """As `build_model`, on the meta device: names and shapes at once, without memory or weights."""
    row = BACKBONES[section.backbone]
    with AllocateOnMeta():
        model = _with_heads(section, row, outputs)
    return _finished(model.to("meta"), section, row, None)


def _with_heads(section: Model, row: Backbone, outputs: int) -> nn.Module:
    model = construct(section, row)
    for head in row.heads:
        _replace_head(model, head, outputs)
    if hasattr(model, "num_classes"):
        model.num_classes = outputs  # type: ignore[assignment]  # ViT, Swin, SqueezeNet say it
    return model


def _finished(
    model: nn.Module, section: Model, row: Backbone, report: WeightsReport | None
) -> Built:
    if row.auxiliary and section.args.get(row.aux_argument) is False:
        if row.task == "classification":
            model.aux_logits = False  # type: ignore[assignment]
        for branch in row.auxiliary:
            setattr(model, branch, None)
        return Built(model, list(row.main_heads), report)
    return Built(model, list(row.heads), report)


def _open_end(model: nn.Module, row: Backbone) -> tuple[str, ...]:
    """Takes away the activation after the main head, where there is one (only SqueezeNet's). It has
    no entries, so that a state dict fits with it and without."""
    parent, _, last = row.heads[0].rpartition(".")
    inside = model.get_submodule(parent)
    layers = [*inside.named_children()] if isinstance(inside, nn.Sequential) else []
    place = [name for name, _ in layers].index(last) if layers else 0
    ends = [name for name, layer in layers[place:] if isinstance(layer, nn.ReLU)]
    for name in ends:
        setattr(inside, name, nn.Identity())
    return tuple(f"{parent}.{name}" for name in ends)


def aux_weight(section: Model) -> float:
    """What the loss of each auxiliary head is multiplied with."""
    own = section.aux_weight
    return BACKBONES[section.backbone].aux_weight if own is None else own


def main_and_auxiliary(output: Any) -> tuple[Tensor, list[Tensor]]:
    """A forward's output as the main logits and those of auxiliary heads; (batch, outputs) each, or
    (batch, outputs, H, W).

    googlenet and inception_v3 return tuples while training, and a tensor in evaluation; the models
    for segmentation return dictionaries in both.
    """
    if isinstance(output, Tensor):
        return output, []
    parts = list(output.values()) if isinstance(output, Mapping) else list(output)
    main, *auxiliary = (part for part in parts if part is not None)
    return main, auxiliary


def _replace_head(model: nn.Module, name: str, outputs: int) -> None:
    parent, _, last = name.rpartition(".")
    old = model.get_submodule(name)
    bias = getattr(old, "bias", None) is not None
    new: nn.Module
    if isinstance(old, nn.Conv2d):
        new = nn.Conv2d(old.in_channels, outputs, kernel_size=1, bias=bias)
    else:
        assert isinstance(old, nn.Linear), f"{name} is a {type(old).__name__}"
        new = nn.Linear(old.in_features, outputs, bias=bias)
    setattr(model.get_submodule(parent), last, new)


def _load(
    model: nn.Module, section: Model, row: Backbone, folder: Path, refetch: bool
) -> WeightsReport | None:
    if section.weights == "none":
        return None
    if weights_file(section.weights):
        path = folder / Path(section.weights).expanduser()
        entries = read(path)  # which says what is wrong with a file that is none
        return copy_into(model, entries, row, path, verified(path))
    cache = folder / Path(section.weights_dir).expanduser() if section.weights_dir else None
    path, digest = fetch(row.name, section.weights, cache, refetch=refetch)
    # torchvision's word for weights that stop before the classifier.
    partial = models.get_model_weights(row.name)[section.weights].meta["categories"] is None
    return copy_into(model, read(path), row, path, digest, partial=partial)

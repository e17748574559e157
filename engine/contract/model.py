"""`[model]`: the backbone, its weights, and what of it is frozen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from engine.contract.backbones import BACKBONES
from engine.contract.problems import Problem, did_you_mean
from engine.contract.section import ExperimentPath, Section

WEIGHTS_SUFFIXES = (".pth", ".pt", ".safetensors")

# What the builder must not be told, because a key of its own says it.
OWN_KEYS = {
    "num_classes": "write model.outputs instead",
    "weights": "write model.weights instead",
    "weights_backbone": "write model.weights instead",
    "pretrained": "write model.weights instead",
    "progress": "the progress of a download is always shown",
}


def weights_file(value: str) -> bool:
    """Whether `model.weights` names a file, and not a set of torchvision's weights."""
    return value.lower().endswith(WEIGHTS_SUFFIXES) or "/" in value or "\\" in value


def _pattern(value: str) -> str:
    if value.strip() in ("", "!"):
        raise ValueError("names nothing; write a module's name or a glob, such as `layer1` or `*`")
    if value != value.strip():
        raise ValueError(f'has spaces around it; write "{value.strip()}"')
    return value


def _layer(value: str) -> str:
    if value.startswith("!"):
        raise ValueError(f'takes nothing out again; write "{value[1:]}"')
    return value


def _argument(key: str) -> str:
    if key in OWN_KEYS:
        raise ValueError(f"is not for model.args: {OWN_KEYS[key]}")
    return key


class Unfreeze(Section):
    """[[model.unfreeze]]: layers that begin to train in the middle of a run."""

    epoch: int = Field(ge=1)
    """When they begin: at the start of this epoch, counted from 0, so after that many epochs."""
    layers: list[Annotated[str, AfterValidator(_pattern), AfterValidator(_layer)]] = Field(
        min_length=1
    )
    """Names or globs as in `freeze`, which they are taken out of."""


class Model(Section):
    """The network: a backbone with a new head, its first weights, and what of it is frozen."""

    backbone: str
    """A torchvision model by its name, such as `resnet18`; `ptrain backbones` lists them."""
    weights: str = "none"
    """What training starts from: torchvision's name such as `IMAGENET1K_V1`, `DEFAULT` for the
    best of them, a .pth, .pt or .safetensors file, or `none` for random weights (the default)."""
    weights_dir: Annotated[str | None, ExperimentPath] = Field(default=None, min_length=1)
    """The folder for downloaded weights. Default: torch hub's cache."""
    freeze: list[Annotated[str, AfterValidator(_pattern)]] = []
    """Modules that don't train, by name or glob. `!` takes out again and the last match wins; the
    new head is frozen by its own name only. Default: everything trains."""
    freeze_norm: bool = True
    """Whether the norm layers inside frozen modules are frozen too. `false` leaves them training
    and their statistics moving."""
    unfreeze: list[Unfreeze] = []
    """Frozen layers that begin to train later, in the order of their epochs: [[model.unfreeze]]
    with `epoch = 3` and `layers = ["layer4"]`. Default: what is frozen stays so."""
    outputs: int | None = Field(default=None, ge=1)
    """The outputs of the new head. Default: what the data needs, such as one a class."""
    aux_weight: float | None = Field(default=None, ge=0)
    """How much the loss of each auxiliary head counts beside the main one's. Default: what the
    backbone's authors used: 0.3 for googlenet, 0.4 for inception_v3, 0.5 for segmentation."""
    args: dict[Annotated[str, AfterValidator(_argument)], Any] = {}
    """Further keywords of the torchvision model, such as `dropout`."""

    @field_validator("backbone")
    @classmethod
    def _known_backbone(cls, value: str) -> str:
        if value not in BACKBONES:
            near = did_you_mean(value, BACKBONES) or "`ptrain backbones` lists those that are"
            raise ValueError(
                f'"{value}" is not a torchvision classification or segmentation model; {near}'
            )
        return value

    @field_validator("weights")
    @classmethod
    def _known_weights(cls, value: str, info: ValidationInfo) -> str:
        backbone = info.data.get("backbone")  # absent when it is itself wrong
        if value in ("none", "DEFAULT") or weights_file(value) or backbone is None:
            return value
        known = [*BACKBONES[backbone].weights, "DEFAULT", "none"]
        if value not in known:
            near = did_you_mean(value, known)
            raise ValueError(
                f'{backbone} has no weights "{value}"; {near + " " if near else ""}'
                f"known: {', '.join(known)}, or a file ({', '.join(WEIGHTS_SUFFIXES)})"
            )
        return value


def unordered(model: Model) -> Iterator[Problem]:
    """The stages of `unfreeze` follow one another."""
    for position in range(1, len(model.unfreeze)):
        before, now = (stage.epoch for stage in model.unfreeze[position - 1 : position + 1])
        if now <= before:
            hint = "write the layers of one epoch in one list, and the earlier epochs first"
            key = f"model.unfreeze.{position}.epoch"
            yield Problem(f"{now} comes after {before}", key, hint)


def never_unfrozen(model: Model, epochs: int) -> Iterator[Problem]:
    """Stages beyond the last epoch: a warning, since a trial or a resumed run may be shorter."""
    for position, stage in enumerate(model.unfreeze):
        if stage.epoch >= epochs:
            key = f"model.unfreeze.{position}.epoch"
            yield Problem(
                f"never happens: the last of the {epochs} epochs is number {epochs - 1}",
                key,
                f"write an epoch below {epochs}, or more train.epochs",
                severity="warning",
            )

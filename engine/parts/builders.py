"""torchvision's model builders, called with the person's keywords, or what is wrong with these."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
import torchvision
from torch import nn
from torch.overrides import TorchFunctionMode
from torchvision import models

from engine.contract.backbones import BACKBONES, Backbone
from engine.contract.model import Model
from engine.contract.problems import InputError, Problem, did_you_mean
from engine.parts.presets import preset_of


def skeleton(backbone: str, args: Mapping[str, Any]) -> nn.Module:
    """The model on the meta device, at torchvision's own classes: names and shapes, without memory.

    Building wholly under `torch.device("meta")` fails for RegNet, which computes its widths with
    tensors; so only what layers allocate is taken there first.
    """
    with AllocateOnMeta():
        model: nn.Module = models.get_model(backbone, weights=None, **args)
    return model.to("meta")


class AllocateOnMeta(TorchFunctionMode):
    """What layers allocate has shapes and no memory."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        meta = {"device": "meta"} if func in (torch.empty, torch.zeros, torch.ones) else {}
        return func(*args, **{**(kwargs or {}), **meta})


def construct(section: Model, row: Backbone) -> nn.Module:
    """The model at torchvision's own number of classes, without weights.

    Raises InputError at `model.backbone` or `model.args.…`.
    """
    if section.backbone not in models.list_models():
        message = f"the installed torchvision {torchvision.__version__} has no {row.name}"
        raise InputError(Problem(message, "model.backbone", "install a newer torchvision"))
    _check_names(section)
    args = builder_args(section)
    try:
        model: nn.Module = models.get_model(section.backbone, weights=None, **args)
    except Exception as error:  # whatever a builder raises is about the keywords it was given
        if not section.args:
            raise
        raise InputError(*_wrong_args(section, error)) from error
    return model


def builder_args(section: Model) -> dict[str, Any]:
    """The person's keywords, and those that keep weights and model in step."""
    row = BACKBONES[section.backbone]
    args = dict(section.args)
    if row.auxiliary:
        args[row.aux_argument] = True  # the files hold them; dropped after loading if unwanted
    if row.task == "segmentation":
        args["weights_backbone"] = None  # or torchvision downloads some, whatever `weights` says
    elif row.auxiliary:
        # Where weights follow, the initialization (0.4 s) would be lost.
        args.setdefault("init_weights", section.weights == "none")
        args.setdefault("transform_input", section.weights != "none")  # as torchvision does
    if row.size_argument and row.size_argument not in args:
        size = preset_of(section).image_size
        args[row.size_argument] = size if row.size_argument == "image_size" else (size, size)
    return args


# What the builder takes, and not the class. MobileNetV3 and ConvNeXt swallow unknown keywords in
# silence, as the builders for segmentation do, so that building is no test of them.
_BUILDER_ONLY = {"MobileNetV3": ["width_mult", "reduced_tail", "dilated"]}


def _check_names(section: Model) -> None:
    row = BACKBONES[section.backbone]
    made, known = _keywords(row)
    problems = [
        Problem(
            f"{made} has no keyword {key}",
            f"model.args.{key}",
            did_you_mean(key, known) or f"known: {', '.join(known) or 'none'}",
        )
        for key in section.args
        if key not in known
    ]
    if row.auxiliary and not isinstance(section.args.get(row.aux_argument, True), bool):
        message = f"should be true or false, not {section.args[row.aux_argument]!r}"
        hint = "false leaves the auxiliary heads out"
        problems.append(Problem(message, f"model.args.{row.aux_argument}", hint))
    if problems:
        raise InputError(*problems)


def _keywords(row: Backbone) -> tuple[str, list[str]]:
    """The class that is built, and the keywords that a person may give."""
    made = inspect.signature(models.get_model_builder(row.name)).return_annotation
    if row.task == "segmentation":  # whose classes take modules that the builder makes
        return made.__name__, [row.aux_argument] if row.auxiliary else []
    known = list(inspect.signature(made.__init__).parameters)[1:]
    known = [name for name in known if name not in ("num_classes", "kwargs")]
    return made.__name__, known + _BUILDER_ONLY.get(made.__name__, [])


def _wrong_args(section: Model, error: Exception) -> list[Problem]:
    """Each keyword is tried by itself; where none fails alone, they fail together."""
    problems = []
    for key, value in section.args.items():
        alone = section.model_copy(update={"args": {key: value}})
        try:
            skeleton(section.backbone, builder_args(alone))
        except Exception as why:
            problems.append(_wrong_arg(section, f"model.args.{key}", why))
    return problems or [_wrong_arg(section, "model.args", error)]


def _wrong_arg(section: Model, key: str, why: Exception) -> Problem:
    message = f"{section.backbone} cannot be built with it: {why or type(why).__name__}"
    return Problem(message, key, "its keywords are those of torchvision's documentation")

"""torchvision's classification models with a new head and the weights that training starts from."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torchvision
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torchvision import models

from engine.contract.backbones import BACKBONES, Backbone
from engine.contract.model import Model, weights_file
from engine.contract.problems import InputError, Problem, did_you_mean
from engine.parts.transforms import Preset
from engine.parts.weights import WeightsReport, copy_into
from engine.parts.weights_files import fetch, read, sha256


@dataclass(frozen=True)
class Built:
    """`heads` are the dotted names of the layers whose outputs are the classes, main one first."""

    model: nn.Module
    heads: list[str]
    weights_report: WeightsReport | None


def build_model(section: Model, outputs: int, folder: Path, *, pretrained: bool = True) -> Built:
    """The backbone with `outputs` outputs: (batch, 3, size, size) → (batch, outputs).

    New heads have torch's default initialization, drawn from the global generator. `folder` is
    what relative paths are relative to. With `pretrained` false no weights are looked for, since a
    checkpoint follows that holds them all. Auxiliary branches (googlenet, inception_v3) are built
    also with pretrained weights, unless `args.aux_logits` is false.
    Errors: InputError at `model.backbone`, `model.args.…` or `model.weights`.
    """
    row = BACKBONES[section.backbone]
    model = _with_heads(section, row, outputs)
    report = _load(model, section, row, folder) if pretrained else None
    return _finished(model, section, row, report)


def build_skeleton(section: Model, outputs: int) -> Built:
    """As `build_model`, on the meta device: names and shapes at once, without memory or weights."""
    row = BACKBONES[section.backbone]
    with _AllocateOnMeta():
        model = _with_heads(section, row, outputs)
    return _finished(model.to("meta"), section, row, None)


def _with_heads(section: Model, row: Backbone, outputs: int) -> nn.Module:
    model = _construct(section, row)
    for head in row.heads:
        _replace_head(model, head, outputs)
    if hasattr(model, "num_classes"):
        model.num_classes = outputs  # type: ignore[assignment]  # ViT, Swin, SqueezeNet say it
    return model


def _finished(
    model: nn.Module, section: Model, row: Backbone, report: WeightsReport | None
) -> Built:
    if row.auxiliary and section.args.get("aux_logits") is False:
        model.aux_logits = False  # type: ignore[assignment]
        for branch in row.auxiliary:
            setattr(model, branch, None)
        return Built(model, [row.heads[0]], report)
    return Built(model, list(row.heads), report)


def preset_of(section: Model, data_image_size: int | None = None) -> Preset:
    """How to prepare images: as the chosen weights saw them (a file or none: as DEFAULT's did).

    Another image size keeps the proportion of resize to crop. Errors: InputError at
    `data.image_size` for a size that the backbone cannot take.
    """
    row = BACKBONES[section.backbone]
    own_name = section.weights == "none" or weights_file(section.weights)
    name = "DEFAULT" if own_name else section.weights
    seen = models.get_model_weights(row.name)[name].transforms()
    trained = seen.crop_size[0]
    fixed = _fixed_size(section, row, trained)
    size = data_image_size or fixed or trained
    if problem := _size_problem(section, row, size, fixed):
        raise InputError(problem)
    return Preset(
        image_size=size,
        resize_size=max(size, round(seen.resize_size[0] * size / trained)),
        mean=tuple(seen.mean),
        std=tuple(seen.std),
        interpolation=seen.interpolation.value,
        antialias=bool(seen.antialias),
    )


def _fixed_size(section: Model, row: Backbone, trained: int) -> int | None:
    """The only size that this model will take, in pixels; None where it takes many."""
    if row.size_argument is None:
        return None
    given = section.args.get(row.size_argument)
    given = given[0] if isinstance(given, list) and given else given
    return given if isinstance(given, int) else trained


def _size_problem(section: Model, row: Backbone, size: int, fixed: int | None) -> Problem | None:
    key = "data.image_size"
    if fixed is not None and size != fixed:
        value = size if row.size_argument == "image_size" else [size, size]
        return Problem(
            f"{row.name} is built for images of {fixed} px, not {size}",
            key,
            f"leave it out, or build for that size with weights of that size: "
            f"write args = {{ {row.size_argument} = {value} }} in [model]",
        )
    auxiliary = row.auxiliary and section.args.get("aux_logits") is not False
    if fixed is None and size < row.smallest and (auxiliary or not row.auxiliary):
        hint = f"write {row.smallest} or more"
        if auxiliary:
            hint += ", or args = { aux_logits = false } in [model] for a smaller one"
        return Problem(f"{row.name} cannot train on images of {size} px", key, hint)
    return None


def main_and_auxiliary(output: Any) -> tuple[Tensor, list[Tensor]]:
    """A forward's output as the main logits (batch, classes) and those of auxiliary heads.

    Some models return tuples or dictionaries while training, and a tensor in evaluation.
    """
    if isinstance(output, Tensor):
        return output, []
    parts = list(output.values()) if isinstance(output, Mapping) else list(output)
    main, *auxiliary = (part for part in parts if part is not None)
    return main, auxiliary


def skeleton(backbone: str, args: Mapping[str, Any]) -> nn.Module:
    """The model on the meta device, at 1000 classes: names and shapes, without memory.

    Building wholly under `torch.device("meta")` fails for RegNet, which computes its widths with
    tensors; so only what layers allocate is taken there first.
    """
    with _AllocateOnMeta():
        model: nn.Module = models.get_model(backbone, weights=None, **args)
    return model.to("meta")


class _AllocateOnMeta(TorchFunctionMode):
    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        meta = {"device": "meta"} if func in (torch.empty, torch.zeros, torch.ones) else {}
        return func(*args, **{**(kwargs or {}), **meta})


def _construct(section: Model, row: Backbone) -> nn.Module:
    if section.backbone not in models.list_models(module=models):
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
        args["aux_logits"] = True  # the files hold them; dropped after loading if unwanted
        # Where weights follow, the initialization (0.4 s) would be lost.
        args.setdefault("init_weights", section.weights == "none")
        args.setdefault("transform_input", section.weights != "none")  # as torchvision does
    if row.size_argument and row.size_argument not in args:
        size = preset_of(section).image_size
        args[row.size_argument] = size if row.size_argument == "image_size" else (size, size)
    return args


# What the builder takes, and not the class. MobileNetV3 and ConvNeXt swallow unknown keywords in
# silence, so that building is no test of them.
_BUILDER_ONLY = {"MobileNetV3": ["width_mult", "reduced_tail", "dilated"]}


def _check_names(section: Model) -> None:
    made = inspect.signature(models.get_model_builder(section.backbone)).return_annotation
    known = list(inspect.signature(made.__init__).parameters)[1:]
    known = [name for name in known if name not in ("num_classes", "kwargs")]
    known += _BUILDER_ONLY.get(made.__name__, [])
    problems = [
        Problem(
            f"{made.__name__} has no keyword {key}",
            f"model.args.{key}",
            did_you_mean(key, known) or f"known: {', '.join(known)}",
        )
        for key in section.args
        if key not in known
    ]
    if problems:
        raise InputError(*problems)


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


def _load(model: nn.Module, section: Model, row: Backbone, folder: Path) -> WeightsReport | None:
    if section.weights == "none":
        return None
    if weights_file(section.weights):
        path = folder / Path(section.weights).expanduser()
        return copy_into(model, read(path), row, path, sha256(path))
    cache = folder / Path(section.weights_dir).expanduser() if section.weights_dir else None
    path, digest = fetch(row.name, section.weights, cache)
    # torchvision's word for weights that stop before the classifier.
    partial = models.get_model_weights(row.name)[section.weights].meta["categories"] is None
    return copy_into(model, read(path), row, path, digest, partial=partial)

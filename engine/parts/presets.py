"""How images are prepared for a backbone: as the weights that training starts from saw them."""

from __future__ import annotations

from typing import Any

from torchvision import models

from engine.contract.backbones import BACKBONES, Backbone
from engine.contract.model import Model, weights_file
from engine.contract.problems import InputError, Problem
from engine.parts.transforms import Preset


def preset_of(section: Model, data_image_size: int | None = None) -> Preset:
    """How to prepare images: as the chosen weights saw them (a file or none: as DEFAULT's did).

    Another image size keeps the proportion of resize to crop; for segmentation, where nothing is
    cropped, both are the same. Errors: InputError at
    `data.image_size` for a size that the backbone cannot take.
    """
    row = BACKBONES[section.backbone]
    own_name = section.weights == "none" or weights_file(section.weights)
    name = "DEFAULT" if own_name else section.weights
    seen = models.get_model_weights(row.name)[name].transforms()
    trained, resized = sizes_of(seen)
    fixed = _fixed_size(section, row, trained)
    size = data_image_size or fixed or trained
    if problem := _size_problem(section, row, size, fixed):
        raise InputError(problem)
    return Preset(
        image_size=size,
        resize_size=max(size, round(resized * size / trained)),
        mean=tuple(seen.mean),
        std=tuple(seen.std),
        interpolation=seen.interpolation.value,
        antialias=bool(seen.antialias),
    )


def sizes_of(transforms: Any) -> tuple[int, int]:
    """What the transforms of torchvision's weights crop to, and resize the shorter side to before;
    in pixels. Those of segmentation only resize."""
    resized = int(transforms.resize_size[0])
    return int(getattr(transforms, "crop_size", [resized])[0]), resized


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
    # The auxiliary branches of classification models need larger images than the rest.
    branches = row.auxiliary if row.task == "classification" else ()
    auxiliary = branches and section.args.get(row.aux_argument) is not False
    if fixed is None and size < row.smallest and (auxiliary or not branches):
        hint = f"write {row.smallest} or more"
        if auxiliary:
            hint += ", or args = { aux_logits = false } in [model] for a smaller one"
        return Problem(f"{row.name} cannot train on images of {size} px", key, hint)
    return None

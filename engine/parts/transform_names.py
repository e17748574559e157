"""Names and keywords of the file → objects of torchvision.transforms.v2."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torchvision import tv_tensors
from torchvision.transforms import v2

from engine.contract.data import Transform
from engine.contract.problems import Problem, did_you_mean

KNOWN: dict[str, type[v2.Transform]] = {
    name: value
    for name, value in vars(v2).items()
    if inspect.isclass(value) and issubclass(value, v2.Transform) and value is not v2.Transform
}
# The random ones are the many; a new one of torchvision's counts as random.
DETERMINISTIC = {
    "CenterCrop",
    "ConvertImageDtype",
    "Grayscale",
    "Identity",
    "Normalize",
    "Pad",
    "PILToTensor",
    "RGB",
    "Resize",
    "ToDtype",
    "ToImage",
    "ToPureTensor",
}
CONTAINERS = {"Compose", "RandomApply", "RandomChoice", "RandomOrder"}
_MIXES = "mixes the images and the targets of a whole batch; augment changes one image at a time"
_SEVERAL = "gives several images for one"
_BOXES = "is for bounding boxes or key points, which a classification has none of"
REFUSED = {
    "CutMix": _MIXES,
    "MixUp": _MIXES,
    "FiveCrop": _SEVERAL,
    "TenCrop": _SEVERAL,
    "Lambda": "takes a function, which can't be written in the file",
    "LinearTransformation": "takes matrices, which can't be written in the file",
    "ToTensor": "is deprecated in torchvision, and images become tensors anyway",
    "ToPILImage": "is not needed: the model takes tensors",
    "UniformTemporalSubsample": "is for videos",
    **dict.fromkeys(
        (
            "ClampBoundingBoxes",
            "ClampKeyPoints",
            "ConvertBoundingBoxFormat",
            "RandomIoUCrop",
            "SanitizeBoundingBoxes",
            "SanitizeKeyPoints",
            "SetClampingMode",
        ),
        _BOXES,
    ),
}

# What a segmentation can't have: its mask would stay as it was.
_POLICY = "moves and turns images, but torchvision's can't do that to their masks"
REFUSED_WITH_MASKS = {
    **dict.fromkeys(("AutoAugment", "RandAugment", "TrivialAugmentWide", "AugMix"), _POLICY),
    "ToPureTensor": "makes the mask look like any tensor, so that what follows leaves it as it is",
}


class _OfImageAlone(v2.Transform):  # type: ignore[misc]
    """Erasing hides a part of the image; what was there stays the answer. torchvision's does the
    same, with a warning each time."""

    def __init__(self, inner: v2.Transform) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, pair: tuple[Any, Any]) -> tuple[Any, Any]:
        return self.inner(pair[0]), pair[1]


@dataclass(frozen=True)
class Step:
    """One thing that is done to an image. `key` is where it stands in the file, if it does."""

    key: str
    name: str
    transform: Callable[[Any], Any]


def is_random(transform: object) -> bool:
    """Whether it draws random numbers. Only torchvision's transforms can: ours never do."""
    if isinstance(transform, v2.Compose):
        return any(is_random(inner) for inner in transform.transforms)
    return isinstance(transform, v2.Transform) and type(transform).__name__ not in DETERMINISTIC


def read_steps(
    sections: list[Transform],
    key: str,
    image_size: int,
    problems: list[Problem],
    mask_fill: int | None = None,
) -> list[Step]:
    """Builds each; what is wrong is appended to `problems`, and that step is left out.

    `image_size` is only for the hint of a crop without its size. `mask_fill`: the steps will get
    images with their masks, and give the mask that value where there is no image.
    """
    steps = []
    for position, section in enumerate(sections):
        at = f"{key}.{position}"
        transform = _build(section.name, section.keywords, at, image_size, problems, mask_fill)
        if transform is not None:
            steps.append(Step(at, section.name, transform))
    return steps


def _build(
    name: str,
    keywords: dict[str, Any],
    key: str,
    image_size: int,
    problems: list[Problem],
    mask_fill: int | None,
) -> v2.Transform | None:
    refused = REFUSED if mask_fill is None else REFUSED | REFUSED_WITH_MASKS
    if name in refused:
        problems.append(Problem(f"{name} {refused[name]}", f"{key}.name", "take it out"))
        return None
    if name not in KNOWN:
        hint = did_you_mean(name, KNOWN.keys() - REFUSED.keys())
        message = f'torchvision.transforms.v2 has no transform "{name}"'
        problems.append(Problem(message, f"{key}.name", hint or "see torchvision's documentation"))
        return None
    before = len(problems)
    problems += _keyword_problems(name, keywords, key, image_size)
    values = {
        keyword: _value(keyword, value, f"{key}.{keyword}", image_size, problems, mask_fill)
        for keyword, value in keywords.items()
    }
    if len(problems) > before:
        return None
    if mask_fill is not None and "fill" in inspect.signature(KNOWN[name]).parameters:
        fill = values.get("fill", 0)  # which is torchvision's own default
        values["fill"] = {tv_tensors.Mask: mask_fill, "others": fill}
    try:
        built = KNOWN[name](**values)
        return _OfImageAlone(built) if mask_fill is not None and name == "RandomErasing" else built
    except Exception as error:  # whatever a constructor of torchvision's raises for a bad value
        problems.append(Problem(f"torchvision refuses this {name}: {error}", key))
        return None


def _keyword_problems(
    name: str, keywords: dict[str, Any], key: str, image_size: int
) -> list[Problem]:
    known = inspect.signature(KNOWN[name]).parameters
    problems = [
        Problem(
            f"{name} has no keyword `{keyword}`",
            f"{key}.{keyword}",
            did_you_mean(keyword, known) or f"{name} takes: {', '.join(known) or 'none'}",
        )
        for keyword in keywords.keys() - known.keys()
    ]
    missing = [
        parameter.name
        for parameter in known.values()
        if parameter.default is parameter.empty and parameter.name not in keywords
    ]
    for keyword in missing:
        hint = f"write {keyword} = {image_size}" if keyword == "size" else f"write {keyword} = …"
        problems.append(Problem(f"{name} needs `{keyword}`", f"{key}.{keyword}", hint))
    return problems


def _value(
    keyword: str,
    value: Any,
    key: str,
    image_size: int,
    problems: list[Problem],
    mask_fill: int | None,
) -> Any:
    """A value of TOML as torchvision wants it: words for enumerations and dtypes, tuples."""
    if isinstance(value, str) and keyword in ("interpolation", "policy", "dtype"):
        return _word(keyword, value, key, problems)
    if not isinstance(value, list):
        return value
    if keyword != "transforms":
        return tuple(value)
    inner = []
    for position, item in enumerate(value):
        at = f"{key}.{position}"
        if not isinstance(item, dict) or not isinstance(item.get("name"), str):
            problems.append(Problem('should be a table such as { name = "ColorJitter" }', at))
            continue
        rest = {k: v for k, v in item.items() if k != "name"}
        inner.append(_build(item["name"], rest, at, image_size, problems, mask_fill))
    return inner


def _word(keyword: str, value: str, key: str, problems: list[Problem]) -> Any:
    if keyword == "dtype":
        known: dict[str, Any] = {"float32": torch.float32, "uint8": torch.uint8}
    else:
        enumeration = v2.InterpolationMode if keyword == "interpolation" else v2.AutoAugmentPolicy
        known = {member.value: member for member in enumeration}
    word = value.lower().removeprefix("torch.")
    if word not in known:
        hint = did_you_mean(word, known) or "one of: " + ", ".join(f'"{name}"' for name in known)
        problems.append(Problem(f'"{value}" is not known', key, hint))
    return known.get(word)

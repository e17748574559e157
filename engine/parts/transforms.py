"""[data] and what the backbone's weights expect → how an image becomes the model's input.

    image ─▶ RGB ─▶ resize, crop ─▶ uint8 ─▶ augment ─▶ batch ─▶ float, normalize    training
    image ─▶ RGB ─▶ resize, crop ─▶ uint8 ────────────▶ batch ─▶ float, normalize    validation

The geometry runs on the Pillow image where there is one, with the functions that torchvision's own
weights use, so that validation gives bit for bit what `weights.transforms()` gives. Augmentation
runs on tensors: all of torchvision.transforms.v2 works there, and RandomResizedCrop of a photo
takes half the time that it takes on a Pillow image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PIL import Image
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as F

from engine.contract.data import Data
from engine.contract.problems import InputError, Problem
from engine.parts.finish import TO_FLOAT, Finish, finish_steps, of_batches
from engine.parts.images import AnyImage, as_tensor
from engine.parts.pipeline import TO_TENSOR, Pipeline, height_width
from engine.parts.randomness import generators_kept, seed_generators
from engine.parts.transform_names import Step, is_random, read_steps

RESIZERS = {"Resize", "RandomResizedCrop", "RandomResize", "RandomShortestSize", "ScaleJitter"}
CROPPERS = {"CenterCrop", "RandomCrop"}


@dataclass(frozen=True)
class Preset:
    """What the backbone's weights were trained with. Sizes in pixels; `resize_size` is the short
    side, of which the middle `image_size` square is kept."""

    image_size: int
    resize_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: str = "bilinear"
    antialias: bool = True


class Transforms:
    """The two pipelines, from an image to a float tensor (3, H, W), and their common end.

    `random`: whether the training pipeline draws random numbers. `train_shape` and `eval_shape`:
    what comes out of each.
    """

    def __init__(self, train: list[Step], eval: list[Step], finish: list[Step]) -> None:
        alone, of_batch = of_batches(finish)
        self.finish = Finish(of_batch)
        self.train = Pipeline([*train, *alone], self.finish)
        self.eval = Pipeline([*eval, *alone], self.finish)
        self.random = any(is_random(step.transform) for step in train)
        self.train_shape = probe([*train, *finish])
        self.eval_shape = probe([*eval, *finish])


def build_transforms(data: Data, preset: Preset) -> Transforms:
    """Raises InputError, with every problem of `data.augment` and `data.preprocess`."""
    image_size = data.image_size or preset.image_size
    augment, own = steps_of(data, image_size)
    tensor = Step("", TO_TENSOR, as_tensor)
    if data.preprocess is None:
        geometry, floats = _preset_geometry(preset, image_size), list[Step]()
        training = training_geometry(geometry, {step.name for step in augment})
    else:
        geometry, floats = before_floats(own)
        training = geometry
    finish = finish_steps(floats, preset.mean, preset.std)
    return Transforms([*training, tensor, *augment], [*geometry, tensor], finish)


def steps_of(
    data: Data, image_size: int, mask_fill: int | None = None
) -> tuple[list[Step], list[Step]]:
    """`augment` and `preprocess`, built. Raises InputError with all that is wrong with them."""
    problems: list[Problem] = []
    augment = read_steps(data.augment, "data.augment", image_size, problems, mask_fill)
    own = read_steps(data.preprocess or [], "data.preprocess", image_size, problems, mask_fill)
    problems += [
        Problem(
            f"{step.name} draws random numbers, and validation has to be the same each time",
            key=step.key,
            hint="move it to data.augment",
        )
        for step in own
        if is_random(step.transform)
    ]
    if problems:
        raise InputError(*problems)
    return augment, own


def before_floats(own: list[Step]) -> tuple[list[Step], list[Step]]:
    """`preprocess` in two: what works on the image, and what makes it floating-point numbers."""
    cut = next((i for i, step in enumerate(own) if step.name in TO_FLOAT), len(own))
    return own[:cut], own[cut:]


def _preset_geometry(preset: Preset, image_size: int) -> list[Step]:
    """Another image size than the weights' keeps the share of the image that the crop shows."""
    resize_size = round(preset.resize_size * image_size / preset.image_size)
    mode = InterpolationMode(preset.interpolation)
    return [
        Step("data.image_size", "Resize", _Resize(resize_size, mode, preset.antialias)),
        Step("data.image_size", "CenterCrop", _CenterCrop(image_size)),
    ]


def training_geometry(geometry: list[Step], augment: set[str]) -> list[Step]:
    """What of the preset's resize and crop is left where augmentation sets the size itself."""
    if augment & RESIZERS:
        return []
    return geometry[:1] if augment & CROPPERS else geometry


class _Resize:
    def __init__(self, size: int, mode: InterpolationMode, antialias: bool) -> None:
        self.size, self.mode, self.antialias = [size], mode, antialias

    def __call__(self, image: AnyImage) -> AnyImage:
        resized: AnyImage = F.resize(image, self.size, self.mode, antialias=self.antialias)
        return resized


class _CenterCrop:
    def __init__(self, size: int) -> None:
        self.size = [size]

    def __call__(self, image: AnyImage) -> AnyImage:
        cropped: AnyImage = F.center_crop(image, self.size)
        return cropped


def probe(
    steps: list[Step], with_mask: Callable[[Image.Image], Any] | None = None
) -> tuple[int, int, int]:
    """The shape that comes out, tried with a wide and a high image: what fails here would fail
    in the middle of the first epoch. `with_mask` makes the pair that the steps take."""
    shapes = {}
    with generators_kept():
        for height, width in ((480, 640), (600, 450)):
            seed_generators(0)
            image: Any = Image.new("RGB", (width, height), (90, 120, 150))
            image = image if with_mask is None else with_mask(image)
            for step in steps:
                image = _try(step, image)
            image = image[0] if isinstance(image, tuple) else image
            shapes[tuple(image.shape)] = (height, width)
    shape = next(iter(shapes))
    key = next((s.key for s in reversed(steps) if s.key.startswith("data.")), "data.preprocess")
    key = ".".join(key.split(".")[:2])
    if len(shapes) > 1:
        raise InputError(
            Problem(
                "images come out in different sizes: "
                + ", ".join(f"{s[-2]}x{s[-1]}" for s in shapes)
                + " pixels; a batch needs one size",
                key=key,
                hint='add a crop at the end, such as { name = "RandomCrop", size = 224 }',
            )
        )
    if shape[0] != 3:
        raise InputError(
            Problem(
                f"images come out with {shape[0]} channels; the model takes 3",
                key=key,
                hint='for Grayscale, write { name = "Grayscale", num_output_channels = 3 }',
            )
        )
    return shape


def _try(step: Step, image: Any) -> Any:
    try:
        out: Any = step.transform(image)
    except Exception as error:
        hint = ""
        if "float" in str(error):
            hint = 'put { name = "ToDtype", dtype = "float32", scale = true } before it'
        raise InputError(
            Problem(f"{step.name} fails on an image: {error}", key=step.key, hint=hint)
        ) from error
    alone = out[0] if isinstance(out, tuple) and len(out) == 2 else out
    if isinstance(alone, Image.Image) or (isinstance(alone, Tensor) and alone.ndim == 3):
        if alone is out or height_width(alone) == height_width(out[1]):
            return out
        message = f"{step.name} changes the size of the image, but not of its mask"
        raise InputError(Problem(message, key=step.key, hint="take it out"))
    raise InputError(
        Problem(f"{step.name} doesn't give one image", key=step.key, hint="take it out")
    )

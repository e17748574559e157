"""An image and its mask → the model's input and the target of a segmentation.

    image, mask ─▶ resize both ─▶ tensors ─▶ augment both ─▶ batch ─▶ images: float, normalize
    image, mask ─▶ resize both ─▶ tensors ────────────────▶ batch ─▶ images: float, normalize

Both go through the same geometry, with the same random numbers: what moves the image moves the
mask. A mask takes the nearest neighbour, so that no class is made up between two others; where a
rotation or a crop shows what lies outside of the image, the mask is `ignore_index`.
"""

from __future__ import annotations

from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms import functional as F

from engine.contract.data import Data
from engine.parts.finish import Finish, finish_steps, of_batches
from engine.parts.images import AnyImage, as_rgb, as_tensor
from engine.parts.pipeline import TO_TENSOR, in_two, through
from engine.parts.transform_names import Step, is_random
from engine.parts.transforms import (
    Preset,
    before_floats,
    probe,
    steps_of,
    training_geometry,
)

Pair = tuple[Any, tv_tensors.Mask]  # the image, and the mask (1, H, W) int32


class JointPipeline:
    """As `Pipeline`; the target is a mask (H, W), int32 and at the end int64."""

    def __init__(self, steps: list[Step], finish: Finish) -> None:
        self.fixed, self.drawn = in_two(steps)
        self.finish = finish
        self.takes_tensors = steps[0].name == TO_TENSOR

    def begin(self, image: AnyImage, mask: Any) -> tuple[Tensor, Tensor]:
        return _plain(through(self.fixed, _pair(as_rgb(image), mask)))

    def rest(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        image, mask = _plain(through(self.drawn, _pair(tv_tensors.Image(image), mask)))
        return image, mask.long()

    def __call__(self, image: AnyImage, mask: Tensor) -> tuple[Tensor, Tensor]:
        pixels, mask = self.rest(*self.begin(image, mask))
        return self.finish(pixels), mask


class JointTransforms:
    """The two pipelines, for an image and its mask. The attributes are those of `Transforms`."""

    def __init__(self, train: list[Step], eval: list[Step], finish: list[Step]) -> None:
        alone, of_batch = of_batches(finish)
        ends, tried = [[_with_mask(step) for step in steps] for steps in (alone, finish)]
        self.finish = Finish(of_batch)
        self.train = JointPipeline([*train, *ends], self.finish)
        self.eval = JointPipeline([*eval, *ends], self.finish)
        self.random = any(is_random(step.transform) for step in train)
        self.train_shape = probe([*train, *tried], _empty_mask)
        self.eval_shape = probe([*eval, *tried], _empty_mask)


def build_joint_transforms(data: Data, preset: Preset, ignore_index: int) -> JointTransforms:
    """Without `preprocess`, both are resized to a square of `image_size`. Raises InputError, with
    every problem of `data.augment` and `data.preprocess`."""
    image_size = data.image_size or preset.image_size
    augment, own = steps_of(data, image_size, mask_fill=ignore_index)
    tensor = Step("", TO_TENSOR, _as_tensors)
    if data.preprocess is None:
        resize = _ResizeBoth(image_size, InterpolationMode(preset.interpolation), preset.antialias)
        geometry, floats = [Step("data.image_size", "Resize", resize)], list[Step]()
        training = training_geometry(geometry, {step.name for step in augment})
    else:
        geometry, floats = before_floats(own)
        training = geometry
    finish = finish_steps(floats, preset.mean, preset.std)
    return JointTransforms([*training, tensor, *augment], [*geometry, tensor], finish)


class _ResizeBoth:
    def __init__(self, size: int, mode: InterpolationMode, antialias: bool) -> None:
        self.size, self.mode, self.antialias = [size, size], mode, antialias

    def __call__(self, pair: Pair) -> Pair:
        image = F.resize(pair[0], self.size, self.mode, antialias=self.antialias)
        # Exact: plain NEAREST shifts the mask by up to half a pixel against the image.
        mask = F.resize(pair[1].as_subclass(Tensor), self.size, InterpolationMode.NEAREST_EXACT)
        return image, tv_tensors.Mask(mask)


class _OnImage:
    def __init__(self, transform: Any) -> None:
        self.transform = transform

    def __call__(self, pair: Pair) -> Pair:
        return self.transform(pair[0]), pair[1]


def _with_mask(step: Step) -> Step:
    """torchvision's own take the pair."""
    if isinstance(step.transform, v2.Transform):
        return step
    return Step(step.key, step.name, _OnImage(step.transform))


def _as_tensors(pair: Pair) -> Pair:
    return tv_tensors.Image(as_tensor(pair[0])), pair[1]


def _pair(image: AnyImage, mask: Tensor) -> Pair:
    return image, tv_tensors.Mask(mask.unsqueeze(0))


def _empty_mask(image: Image.Image) -> Pair:
    return _pair(image, torch.zeros(image.height, image.width, dtype=torch.int32))


def _plain(pair: Pair) -> tuple[Tensor, Tensor]:
    return pair[0].as_subclass(Tensor), pair[1].as_subclass(Tensor).squeeze(0)

"""An image and its mask → the model's input and the target of a segmentation.

    image, mask ─▶ resize both ─▶ tensors ─▶ augment both ─▶ image: float, normalize    training
    image, mask ─▶ resize both ─▶ tensors ────────────────▶ image: float, normalize    validation

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
from engine.parts.transform_names import Step, is_random
from engine.parts.transforms import (
    AnyImage,
    Preset,
    as_rgb,
    as_tensor,
    before_floats,
    finish_steps,
    probe,
    steps_of,
    through,
    training_geometry,
)

Pair = tuple[Any, tv_tensors.Mask]  # the image, and the mask (1, H, W) int32


class JointTransforms:
    """The two pipelines, from an image and its mask to a float tensor (3, H, W) and int64 (H, W).

    The attributes are those of `Transforms`; `train` and `eval` raise RunError as theirs do.
    """

    def __init__(self, train: list[Step], eval: list[Step]) -> None:
        self._train, self._eval = train, eval
        self.random = any(is_random(step.transform) for step in train)
        self.train_shape = probe(train, _empty_mask)
        self.eval_shape = probe(eval, _empty_mask)

    def train(self, image: AnyImage, mask: Tensor) -> tuple[Tensor, Tensor]:
        return _plain(through(self._train, _pair(image, mask)))

    def eval(self, image: AnyImage, mask: Tensor) -> tuple[Tensor, Tensor]:
        return _plain(through(self._eval, _pair(image, mask)))


def build_joint_transforms(data: Data, preset: Preset, ignore_index: int) -> JointTransforms:
    """Without `preprocess`, both are resized to a square of `image_size`. Raises InputError, with
    every problem of `data.augment` and `data.preprocess`."""
    image_size = data.image_size or preset.image_size
    augment, own = steps_of(data, image_size, mask_fill=ignore_index)
    tensor = Step("", "to a tensor", _as_tensors)
    if data.preprocess is None:
        resize = _ResizeBoth(image_size, InterpolationMode(preset.interpolation), preset.antialias)
        geometry = [Step("data.image_size", "Resize", resize)]
        training = training_geometry(geometry, {step.name for step in augment})
        finish = finish_steps([], preset)
    else:
        geometry, floats = before_floats(own)
        training, finish = geometry, finish_steps(floats, preset)
    ends = [
        step if isinstance(step.transform, v2.Transform) else _on_image(step) for step in finish
    ]
    return JointTransforms([*training, tensor, *augment, *ends], [*geometry, tensor, *ends])


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


def _on_image(step: Step) -> Step:
    return Step(step.key, step.name, _OnImage(step.transform))


def _as_tensors(pair: Pair) -> Pair:
    return tv_tensors.Image(as_tensor(pair[0])), pair[1]


def _pair(image: AnyImage, mask: Tensor) -> Pair:
    return as_rgb(image), tv_tensors.Mask(mask.unsqueeze(0))


def _empty_mask(image: Image.Image) -> Pair:
    return _pair(image, torch.zeros(image.height, image.width, dtype=torch.int32))


def _plain(pair: Pair) -> tuple[Tensor, Tensor]:
    return pair[0].as_subclass(Tensor), pair[1].as_subclass(Tensor).squeeze(0).long()

"""How the images of one side are transformed, step by step."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from engine.contract.problems import RunError
from engine.parts.finish import TO_FLOAT, Finish
from engine.parts.images import AnyImage, as_rgb
from engine.parts.transform_names import Step, is_random

TO_TENSOR = "to a tensor"


class Pipeline:
    """From an image to the model's input:

        image, target ──begin──▶ tensor, target ──rest──▶ tensor, target ─batch─▶ ──finish──▶ input

    `begin`   the same each time: what it gives may be kept
    `rest`    what draws random numbers, and what follows that
    `finish`  of whole batches, on the device

    Calling it is all of it, for one image. Each raises RunError for an image that a transform of
    the experiment can't take. `takes_tensors`: whether an image becomes a tensor before anything
    else is done to it.
    """

    def __init__(self, steps: list[Step], finish: Finish) -> None:
        self.fixed, self.drawn = in_two(steps)
        self.finish = finish
        self.takes_tensors = steps[0].name == TO_TENSOR

    def begin(self, image: AnyImage, target: Any) -> tuple[Tensor, Any]:
        """(3, H, W) uint8."""
        return through(self.fixed, as_rgb(image)), target

    def rest(self, image: Tensor, target: Any) -> tuple[Tensor, Any]:
        """(3, H, W), uint8 unless the experiment's own steps have made it float."""
        return through(self.drawn, image), target

    def __call__(self, image: AnyImage) -> Tensor:
        """(3, H, W) float32."""
        return self.finish(self.rest(*self.begin(image, None))[0])


def in_two(steps: list[Step]) -> tuple[list[Step], list[Step]]:
    """Where the first step stands that draws, or that makes four bytes of one; after the image has
    become a tensor in any case."""
    at = next(at for at, step in enumerate(steps) if step.name == TO_TENSOR) + 1
    while at < len(steps) and not is_random(steps[at].transform) and steps[at].name not in TO_FLOAT:
        at += 1
    return steps[:at], steps[at:]


def through(steps: list[Step], image: Any) -> Any:
    """`image`: one, or a pair of an image and its mask. Raises RunError."""
    for step in steps:
        try:
            image = step.transform(image)
        except Exception as error:
            size = "x".join(str(n) for n in height_width(image))
            raise RunError(
                f"{step.name} ({step.key or 'data'}) fails on an image of {size} pixels: {error}",
                f"change {step.key or 'data.preprocess'}, or resize before it",
            ) from error
    return image


def height_width(image: Any) -> tuple[int, ...]:
    if isinstance(image, tuple):
        return height_width(image[0])
    return tuple(image.shape[-2:]) if isinstance(image, Tensor) else (image.height, image.width)

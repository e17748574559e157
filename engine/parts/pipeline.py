"""How the images of one side are transformed, step by step."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from engine.contract.problems import RunError
from engine.parts.finish import Finish
from engine.parts.images import AnyImage, as_rgb
from engine.parts.transform_names import Step

TO_TENSOR = "to a tensor"


class Pipeline:
    """From an image to the model's input. What is done to each image by itself is `each`; the rest,
    `finish`, is done to whole batches.

    `takes_tensors`: whether an image becomes a tensor before anything else is done to it. Both, and
    calling it, which does the two, raise RunError for an image that a transform of the
    experiment can't take.
    """

    def __init__(self, steps: list[Step], finish: Finish) -> None:
        self._steps, self.finish = steps, finish
        self.takes_tensors = steps[0].name == TO_TENSOR

    def each(self, image: AnyImage) -> Tensor:
        """(3, H, W), uint8 unless the experiment's own steps have made it float."""
        return through(self._steps, as_rgb(image))  # type: ignore[no-any-return]

    def __call__(self, image: AnyImage) -> Tensor:
        """(3, H, W) float32."""
        return self.finish(self.each(image))


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

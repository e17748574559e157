"""The end of every pipeline: to floating-point numbers, normalized; of whole batches.

What workers hand over are uint8 images, a quarter of the bytes through their pipes, through pinned
memory and to a GPU. These steps are done on the device, by whoever needs the model's input. Each
number of the result depends on its own pixel alone, so a batch gives the bits that each image by
itself gives. For 32 images of 224 px on one core: 4.5 ms, against 9 ms in the workers, where each
was normalized and all were put together as floats (benchmarks/input.py).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.transforms import functional as F

from engine.parts.transform_names import Step

TO_FLOAT = {"ToDtype", "ConvertImageDtype", "Normalize"}
OF_EACH_PIXEL = {*TO_FLOAT, "to float"}


class Finish:
    """(3, H, W) or (batch, 3, H, W), uint8 or float32 → float32, on the device that it is on.

    What it is given stays as it is.
    """

    def __init__(self, steps: list[Step]) -> None:
        self._steps = steps

    def __call__(self, images: Tensor) -> Tensor:
        if images.is_floating_point():
            images = images.clone()  # the steps may work in place
        for step in self._steps:
            images = step.transform(images)
        return images


class _Normalize:
    """torchvision's convert_image_dtype and normalize, bit for bit, in half their time. Works in
    place where it is given floats."""

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        self._mean, self._std = (torch.tensor(value).view(-1, 1, 1) for value in (mean, std))
        self._there: dict[torch.device, tuple[Tensor, Tensor]] = {}

    def __call__(self, images: Tensor) -> Tensor:
        mean, std = self._on(images.device)
        images = to_float(images)
        if images.shape[-3] != len(mean):  # grey, which becomes three channels here
            return images.sub(mean).div_(std)
        return images.sub_(mean).div_(std)

    def _on(self, device: torch.device) -> tuple[Tensor, Tensor]:
        if device not in self._there:  # copying them each time would wait for the GPU
            self._there[device] = self._mean.to(device), self._std.to(device)
        return self._there[device]


def to_float(image: Tensor) -> Tensor:
    # Not v2's ToDtype, which multiplies by 1/255: that differs in the last bit.
    if image.dtype == torch.uint8:
        return image.to(torch.float32).div_(255)
    converted: Tensor = F.convert_image_dtype(image, torch.float32)
    return converted


def finish_steps(own: list[Step], mean: tuple[float, ...], std: tuple[float, ...]) -> list[Step]:
    """To float and normalized: as `data.preprocess` ends, else as the weights expect."""
    as_float = Step("", "to float", to_float)
    if not own:
        return [Step("", "Normalize", _Normalize(mean, std))]
    return [*own, as_float] if own[0].name != "Normalize" else [as_float, *own]


def of_batches(finish: list[Step]) -> tuple[list[Step], list[Step]]:
    """In two: what has to be done with each image, and the rest, that is the same with a batch."""
    names = [step.name in OF_EACH_PIXEL for step in finish]
    cut = len(names) - next((n for n, fine in enumerate(reversed(names)) if not fine), len(names))
    return finish[:cut], finish[cut:]

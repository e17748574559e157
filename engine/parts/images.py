"""An image as sources give it: a Pillow image, or a tensor."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import functional as F

AnyImage = Image.Image | Tensor  # a Pillow image, or uint8 (1 or 3, H, W)


def as_rgb(image: AnyImage) -> AnyImage:
    """Three channels of 8 bits; grey becomes three equal channels.

    A 16-bit grey image keeps its upper 8 bits: Pillow's own conversion would clip it to white.
    Raises whatever Pillow raises for a file that it can't decode.
    """
    if isinstance(image, Tensor):
        if image.dtype != torch.uint8 or image.ndim != 3 or image.shape[0] not in (1, 3):
            given = f"{str(image.dtype).removeprefix('torch.')} {tuple(image.shape)}"
            raise ValueError(f"a tensor should be uint8, (1 or 3, height, width), not {given}")
        return image.repeat(3, 1, 1) if image.shape[0] == 1 else image
    if image.mode == "RGB":
        image.load()
        return image
    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image).clip(0, 65535) >> 8).astype(np.uint8))
    elif image.mode == "F":
        raise ValueError("an image of floating-point numbers, which have no defined white")
    elif "transparency" in image.info:
        image = image.convert("RGBA")  # without this step Pillow warns for palettes
    return image.convert("RGB")


def as_tensor(image: AnyImage) -> Tensor:
    return image if isinstance(image, Tensor) else F.pil_to_tensor(image)

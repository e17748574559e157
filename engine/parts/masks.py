"""The pixels of a mask → class indices, exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

# Grey, palette (the index, not the colour), black and white, 16 and 32 bits.
MODES = ("L", "P", "1", "I;16", "I;16L", "I;16B", "I")


class MaskError(ValueError):
    """A mask that is none. The message, and the `hint` on what to write, are for a person."""

    def __init__(self, message: str, hint: str = "") -> None:
        self.message, self.hint = message, hint
        super().__init__(f"{message}; {hint}" if hint else message)


class MaskCodes:
    """What a mask's pixel values stand for.

    `values`: the pixel value of each class; without it, a value is the number of its class.
    `classes`: how many there are; None where that is to be found out, so that any number is one.
    `ignore_index` is kept as it is.
    """

    def __init__(
        self, values: list[int] | None, classes: int | None, ignore_index: int = -100
    ) -> None:
        self.values, self.ignore_index = values, ignore_index
        self.classes = len(values) if values is not None else classes
        self._table = None if values is None else _table(values, ignore_index)

    def indices(self, mask: Any) -> Tensor:
        """(H, W) int32. `mask`: a Pillow image, array or tensor (H, W) or (1, H, W). Raises
        MaskError."""
        pixels = pixels_of(mask)
        if pixels.size == 0:
            raise MaskError("the mask has no pixels")
        if self._table is None:
            return torch.from_numpy(self._checked(pixels).astype(np.int32))
        places = pixels
        if pixels.dtype != np.uint8:
            last = len(self._table) - 1  # which stands for all that there is no place for
            places = pixels.astype(np.int64)
            places = np.where(places < 0, last, np.minimum(places, last))
        found = self._table[places]
        strange = found == _STRANGE
        if strange.any():
            ignored = pixels == self.ignore_index
            self._refuse(pixels, strange & ~ignored)
            found[ignored] = self.ignore_index
        return torch.from_numpy(found)

    def _checked(self, pixels: Any) -> Any:
        highest = np.inf if self.classes is None else self.classes - 1
        # Two passes that numpy does with SIMD; the masks that need a third are the few.
        if pixels.max() > highest or pixels.min() < 0:
            strange = (pixels > highest) | (pixels < 0)
            self._refuse(pixels, strange & (pixels != self.ignore_index))
        return pixels

    def _refuse(self, pixels: Any, strange: Any) -> None:
        if not strange.any():
            return
        value, count = int(pixels[strange][0]), int(strange.sum())
        unknown = f'write ignore_index = {value} under [loss] if it means "don\'t know"'
        known = "a class is 0 or more"
        if self.classes is not None:
            known = f"{self.classes} classes, 0 to {self.classes - 1}"
        if self.values is not None:
            known = "mask_values are " + ", ".join(map(str, self.values[:10]))
            unknown = f"add it to data.mask_values, or {unknown}"
        elif self.classes == 2 and value > 1:
            unknown = f"write mask_values = [0, {value}] if it is the second class, or {unknown}"
        raise MaskError(f"the value {value} ({count} pixels) is no class ({known})", unknown)


_STRANGE = np.iinfo(np.int32).min


def _table(values: list[int], ignore_index: int) -> Any:
    """The class at the place of each pixel value: 1 ns a pixel, where a search takes 20."""
    table = np.full(max(*values, 255) + 2, _STRANGE, dtype=np.int32)
    if 0 <= ignore_index < len(table) - 1:
        table[ignore_index] = ignore_index
    table[values] = range(len(values))
    return table


def pixels_of(mask: Any) -> Any:
    """An integer array (H, W). Raises MaskError."""
    if isinstance(mask, Image.Image):
        if mask.mode not in MODES:
            raise MaskError(
                f"a mask has one number a pixel, not the colours of {mask.mode}",
                "save it as grey or palette (mode L or P) with the number of the class",
            )
        mask = np.asarray(mask)
    elif isinstance(mask, Tensor):
        mask = mask.detach().cpu().numpy()
    if not isinstance(mask, np.ndarray):
        raise MaskError(f"a mask is an image, an array or a tensor, not a {type(mask).__name__}")
    if mask.ndim == 3 and mask.shape[0] == 1:
        mask = mask[0]
    if mask.ndim != 2:
        raise MaskError(f"a mask has the shape (height, width), not {tuple(mask.shape)}")
    if mask.dtype == np.bool_:
        return mask.astype(np.uint8)
    if not np.issubdtype(mask.dtype, np.integer):
        raise MaskError(f"a mask holds whole numbers, not {mask.dtype}")
    return mask


def size_of(image: Any) -> tuple[int, int]:
    """(height, width) of a Pillow image or a tensor."""
    if isinstance(image, Tensor):
        return int(image.shape[-2]), int(image.shape[-1])
    return image.height, image.width


def check_size(image: Any, mask: Any) -> None:
    """Raises MaskError where the two have different sizes."""
    (height, width), (high, wide) = size_of(image), size_of(mask)
    if (height, width) != (high, wide):
        raise MaskError(
            f"the mask has {wide}x{high} pixels, its image {width}x{height} (width x height)"
        )

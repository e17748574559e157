"""JPEGs decoded by torchvision.io, straight into a tensor: the same pixels as Pillow's, sooner.

A photo of 0.09 megapixels takes 0.44 ms, against 0.71 ms for decoding with Pillow and making a
tensor of it (benchmarks/input.py). Both carry libjpeg-turbo in a version of their own: 397 photos,
and 6,000 small JPEGs of all kinds that were damaged on purpose, came out equal or failed in both.
Whether these two versions agree is tried once a process; where they don't, Pillow decodes. So it
does where torchvision has no decoder any more: 0.29 announces that TorchCodec will take its place,
whose decode_jpeg gives the same pixels in the same time (0.17, 120 photos) for 11 MB more and 0.3 s
at each start.

torchvision decodes on a GPU as well, in 0.05 ms on an H100, but other pixels: of 256 photos none
was equal, by up to 16 of 255, 0.9 in the mean. A model would see other images on a GPU than
without one, and others than its weights were trained with. So that is not used.
"""

from __future__ import annotations

import io
import warnings
from functools import cache
from typing import IO, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision import io as torchvision_io
from torchvision.transforms import functional as F

BEGINNING = b"\xff\xd8\xff"
RGB = getattr(getattr(torchvision_io, "ImageReadMode", None), "RGB", None)


def decoded(file: IO[bytes]) -> Tensor | None:
    """uint8 (3, H, W) of a file that is at its beginning. None where Pillow has to decode it, or to
    say why it can't be decoded."""
    if file.read(len(BEGINNING)) != BEGINNING or not agrees():
        return None
    file.seek(0)
    return _decode(np.frombuffer(bytearray(file.read()), dtype=np.uint8))


def _decode(data: np.ndarray) -> Tensor | None:
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            pixels: Tensor = torchvision_io.decode_jpeg(torch.from_numpy(data), mode=RGB)
    except RuntimeError:
        return None
    return pixels


@cache
def agrees() -> bool:
    """Whether torchvision's decoder gives Pillow's pixels here, of one JPEG of each kind. 5 ms."""
    if RGB is None or not hasattr(torchvision_io, "decode_jpeg"):
        return False
    draw = np.random.default_rng(0).normal(size=(48, 70, 3)).cumsum(0).cumsum(1)
    image = Image.fromarray((draw * 4 + 128).clip(0, 255).astype(np.uint8))
    kinds: list[tuple[str, dict[str, Any]]] = [
        ("RGB", {"quality": 90}),
        ("RGB", {"subsampling": 0}),
        ("RGB", {"subsampling": 1, "quality": 50}),
        ("RGB", {"progressive": True}),
        ("L", {}),
        ("CMYK", {}),
    ]
    return all(_same(image.convert(mode), keywords) for mode, keywords in kinds)


def _same(image: Image.Image, keywords: dict[str, Any]) -> bool:
    file = io.BytesIO()
    image.save(file, "JPEG", **keywords)
    mine = _decode(np.frombuffer(bytearray(file.getvalue()), dtype=np.uint8))
    return mine is not None and torch.equal(mine, F.pil_to_tensor(Image.open(file).convert("RGB")))

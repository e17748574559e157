"""Images of the number, size and weight of PyTorch's ants and bees, for who doesn't have these."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

COUNTS = {"train": (123, 121), "val": (70, 83)}
WIDTH, HEIGHT, QUALITY = 341, 256, 85
ROUGH = 8  # of the noise's height and width; larger ones make larger files


def draw(root: Path, counts: dict[str, tuple[int, int]] = COUNTS) -> Path:
    """Two classes of JPEG files in `root`/train and `root`/val, the same ones each time."""
    dice = np.random.default_rng(0)
    for split, numbers in counts.items():
        for label, number in enumerate(numbers):
            folder = root / split / f"class{label}"
            folder.mkdir(parents=True)
            for index in range(number):
                photograph(dice, label).save(folder / f"{index:03}.jpg", quality=QUALITY)
    return root


def photograph(dice: np.random.Generator, label: int) -> Image.Image:
    """Smooth shapes under fine noise, which cost a decoder what a photograph costs it; the classes
    differ in their colour a little."""
    large = dice.integers(0, 256, (ROUGH, ROUGH, 3), dtype=np.uint8)
    large[..., label] //= 2
    smooth = Image.fromarray(large).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    noise = dice.normal(0, 12, (HEIGHT, WIDTH, 1))
    pixels = np.asarray(smooth, dtype=np.float32) + noise
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))

"""Images that are drawn as they are asked for, for the examples of this folder: nothing is
downloaded, and sample 7 is the same image every time.

Each class is a map-style Dataset as `[data] target = "drawn.py:Shapes"` wants one: `len()`, and
`dataset[index]` gives (image, target). ptrain calls it with split = "train" and split = "val".
"""

import math

import numpy as np
from PIL import Image, ImageDraw

DONT_KNOW = 255
COLOURS = {"red": (210, 70, 60), "green": (80, 180, 80), "blue": (80, 110, 220)}


class Shapes:
    """Segmentation: circles, squares and triangles on noise.

    The target is a mask with the class of each pixel, and 255 along each outline, where nobody
    can tell which side a pixel is on.
    """

    classes = ["background", "circle", "square", "triangle"]

    def __init__(self, split="train", samples=None, size=64):
        self.split, self.size = split, size
        self.samples = samples or {"train": 640, "val": 100}[split]

    def __len__(self):
        return self.samples

    def __getitem__(self, index):
        rng = generator(self.split, index)
        image = noise(rng, self.size)
        mask = Image.new("L", image.size, 0)
        for kind in rng.permutation([1, 2, 3])[: rng.integers(2, 4)]:
            radius = self.size * rng.uniform(0.18, 0.28)
            centre = rng.uniform(radius, self.size - radius, 2)
            turn = rng.uniform(-0.3, 0.3)
            colour = tuple(int(c) for c in rng.integers(100, 256, 3))
            draw(image, kind, centre, radius, turn, colour)
            draw(mask, kind, centre, radius, turn, int(kind), outline=DONT_KNOW)
        return speckled(rng, image), mask


class Gauges:
    """Regression: a disc of some size with a pointer in it; the target is the pointer's angle in
    degrees, from -90 (left) over 0 (up) to 90 (right), and the disc's radius in pixels."""

    columns = ["angle", "radius"]

    def __init__(self, split="train", samples=None, size=64):
        self.split, self.size = split, size
        self.samples = samples or {"train": 3200, "val": 320}[split]
        # With all the targets at hand, no image is drawn to learn their mean and deviation.
        self.targets = [self._target(index) for index in range(self.samples)]

    def __len__(self):
        return self.samples

    def __getitem__(self, index):
        angle, radius = self.targets[index]
        rng = generator(self.split, index, 1)  # not the numbers that the target is made of
        image = noise(rng, self.size)
        x, y = self.size * rng.uniform(0.4, 0.6, 2)
        pen = ImageDraw.Draw(image)
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(200, 200, 190))
        dx, dy = math.sin(math.radians(angle)), -math.cos(math.radians(angle))
        end = (x + 0.9 * radius * dx, y + 0.9 * radius * dy)
        pen.line((x, y, *end), fill=(160, 20, 20), width=5)
        return speckled(rng, image), [angle, radius]

    def _target(self, index):
        rng = generator(self.split, index)
        return [rng.uniform(-90, 90), rng.uniform(0.2, 0.4) * self.size]


class Labels:
    """Multi-label: which colours and shapes are somewhere in the image, any number of them."""

    classes = ["red", "green", "blue", "circle", "square", "triangle"]

    def __init__(self, split="train", samples=None, size=64):
        self.split, self.size = split, size
        self.samples = samples or {"train": 3200, "val": 320}[split]

    def __len__(self):
        return self.samples

    def __getitem__(self, index):
        rng = generator(self.split, index)
        image = noise(rng, self.size)
        target = [0] * 6
        quarters = rng.permutation([(1, 1), (1, 3), (3, 1), (3, 3)])  # none hides another
        for quarter in quarters[: rng.integers(0, 4)]:
            colour, kind = rng.integers(3), rng.integers(3)
            radius = self.size * rng.uniform(0.19, 0.24)
            centre = self.size * (quarter / 4 + rng.uniform(-0.04, 0.04, 2))
            fill = list(COLOURS.values())[colour]
            draw(image, kind + 1, centre, radius, rng.uniform(-0.2, 0.2), fill)
            target[colour] = target[3 + kind] = 1
        return speckled(rng, image), target


def generator(split, *numbers):
    """The same random numbers for the same sample, in any process."""
    return np.random.default_rng([["train", "val"].index(split), *numbers])


def noise(rng, size):
    """A coarse, dark background (size, size, 3)."""
    coarse = rng.integers(0, 110, (size // 8, size // 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((size, size), Image.Resampling.BILINEAR)


def speckled(rng, image):
    """The image with noise in every pixel."""
    speckles = rng.normal(0, 10, (image.height, image.width, 3))
    return Image.fromarray((np.asarray(image) + speckles).clip(0, 255).astype(np.uint8))


def draw(image, kind, centre, radius, turn, fill, outline=None):
    """1: a circle, 2: a square, 3: a triangle, of about the same area; `turn` in radians."""
    pen = ImageDraw.Draw(image)
    width = 3 if outline is not None else 0
    if kind == 1:
        box = [*(centre - 0.9 * radius), *(centre + 0.9 * radius)]
        pen.ellipse(box, fill=fill, outline=outline, width=width)
        return
    count, up = (4, math.pi / 4) if kind == 2 else (3, -math.pi / 2)
    angles = up + turn + np.arange(count) * 2 * math.pi / count
    corners = [tuple(centre + radius * np.array([math.cos(a), math.sin(a)])) for a in angles]
    pen.polygon(corners, fill=fill)
    if outline is not None:
        pen.line([*corners, corners[0], corners[1]], fill=outline, width=width)

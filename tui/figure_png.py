"""A figure as PNG, by Pillow: torchvision brings it along, so it costs nobody another package.

Imported when something is exported: it takes 50 ms.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from itertools import pairwise

from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from tui.figure import Diamond, Figure, Path, Point, Words
from tui.grounds import LIGHT

SCALE = 2  # pixels of the picture for one of the figure
FINER = 2  # drawn that much larger and then made smaller: Pillow's lines have steps


def as_png(figure: Figure, title: str) -> bytes:
    """On a light ground: it is for slides and papers."""
    scale = SCALE * FINER
    size = (math.ceil(figure.width * scale), math.ceil(figure.height * scale))
    image = Image.new("RGB", size, LIGHT["ground"])
    pen = ImageDraw.Draw(image)
    font = ImageFont.load_default(12.5 * scale)
    for shape in figure.shapes:
        colour = LIGHT.get(shape.colour, shape.colour)
        match shape:
            case Path():
                width = max(1, round(shape.width * scale))
                points = [(x * scale, y * scale) for x, y in shape.points]
                dash = (shape.dash[0] * scale, shape.dash[1] * scale) if shape.dash else None
                for piece in _dashes(points, dash) if dash else [points]:
                    pen.line(piece, fill=colour, width=width, joint="curve")
            case Words():
                anchor = {"start": "ls", "middle": "ms", "end": "rs"}[shape.anchor]
                bold = scale // 4 if shape.bold else 0
                at = (shape.x * scale, shape.y * scale)
                pen.text(at, shape.text, colour, font, anchor, stroke_width=bold)
            case Diamond():
                x, y, far = shape.x * scale, shape.y * scale, 5 * scale
                corners = [(x, y - far), (x + far, y), (x, y + far), (x - far, y)]
                fill = colour if shape.filled else LIGHT["ground"]
                pen.polygon(corners, fill, colour, width=round(1.4 * scale))
    image = image.resize((size[0] // FINER, size[1] // FINER), Image.Resampling.LANCZOS)
    told = PngInfo()
    told.add_itxt("Title", title)
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True, pnginfo=told)
    return out.getvalue()


def _dashes(points: list[Point], dash: tuple[float, float]) -> Iterator[list[Point]]:
    """The pieces that are drawn: Pillow has no dashes."""
    left, drawn, piece = dash[0], True, points[:1]
    for (x, y), (to_x, to_y) in pairwise(points):
        length = math.hypot(to_x - x, to_y - y)
        gone = 0.0
        while length - gone > left:
            gone += left
            at = (x + (to_x - x) * gone / length, y + (to_y - y) * gone / length)
            if drawn:
                yield [*piece, at]
            drawn, piece = not drawn, [at]
            left = dash[0] if drawn else dash[1]
        left -= length - gone
        piece.append((to_x, to_y))
    if drawn and len(piece) > 1:
        yield piece

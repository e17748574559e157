"""A figure as SVG: text that any browser draws, on a light or a dark page. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape, quoteattr

from tui.figure import FAINT, INK, Diamond, Figure, Path, Point, Words
from tui.grounds import DARK, LIGHT

FONT = "font: 12px system-ui, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"


def as_svg(figure: Figure, title: str) -> str:
    """Colours are classes, so that the page's own theme chooses between the grounds."""
    colours = list(dict.fromkeys([INK, FAINT, *(shape.colour for shape in figure.shapes)]))
    names = {colour: f"c{number}" for number, colour in enumerate(colours)}
    size = f"{figure.width:g} {figure.height:g}"
    width, height = size.split()
    shapes = "\n".join(_shape(shape, names[shape.colour]) for shape in figure.shapes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {size}" role="img">\n'
        f"<title>{escape(_printable(title))}</title>\n"
        f"<style>\ntext {{ {FONT} }}\n.s {{ fill: none; stroke-linejoin: round }}\n"
        f"{_rules(names, LIGHT)}\n"
        f"@media (prefers-color-scheme: dark) {{\n{_rules(names, DARK)}\n}}\n"
        f'</style>\n<rect class="ground" width="100%" height="100%"/>\n{shapes}\n</svg>\n'
    )


def _rules(names: dict[str, str], ground: dict[str, str]) -> str:
    rules = [f".ground {{ fill: {ground['ground']} }}"]
    for colour, name in names.items():
        shown = ground.get(colour, colour)
        rules.append(f".{name} {{ fill: {shown} }} .s.{name} {{ fill: none; stroke: {shown} }}")
    return "\n".join(rules)


def _shape(shape: Path | Words | Diamond, name: str) -> str:
    match shape:
        case Path():
            dash = f' stroke-dasharray="{_numbers(shape.dash)}"' if shape.dash else ""
            width = f'stroke-width="{shape.width:g}"'
            return f'<polyline class="s {name}" {width}{dash} points="{_points(shape.points)}"/>'
        case Words():
            bold = ' style="font-weight: bold"' if shape.bold else ""
            place = f'x="{shape.x:.1f}" y="{shape.y:.1f}" text-anchor={quoteattr(shape.anchor)}'
            text = escape(_printable(shape.text))
            return f'<text class="{name}" {place}{bold}>{text}</text>'
        case Diamond():
            x, y, far = shape.x, shape.y, 5.0
            corners = _points([(x, y - far), (x + far, y), (x, y + far), (x - far, y)])
            kind = name if shape.filled else f"s {name}"
            return f'<polygon class="{kind}" stroke-width="1.4" points="{corners}"/>'


def _points(points: Sequence[Point]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _numbers(numbers: Iterable[float]) -> str:
    return " ".join(f"{number:g}" for number in numbers)


def _printable(text: str) -> str:
    """XML has no form for most control characters."""
    return "".join(char if char.isprintable() else " " for char in text)

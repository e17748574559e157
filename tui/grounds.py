"""What the colours of a figure are on a light page and on a dark one. Pure."""

from __future__ import annotations

DARK = {"ground": "#121212", "ink": "#e4e4e4", "faint": "#7a7a7a"}
# The charts' colours are for a dark ground: on white some are too pale. Here each has the hue of
# the one that it stands for, and a contrast of 3:1 at least.
LIGHT = {
    "ground": "#ffffff",
    "ink": "#1c1c1c",
    "faint": "#8a8a8a",
    "#56b4e9": "#0072b2",
    "#e69f00": "#a86f00",
    "#cc79a7": "#b0457f",
    "#009e73": "#00805d",
    "#d55e00": "#c04a00",
    "#0072b2": "#2b2f6b",
    "#3d6c85": "#8fb6cc",
    "#808080": "#6b6b6b",
}

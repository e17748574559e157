"""What the charts' colours are on a light ground and on a dark one. Pure."""

from __future__ import annotations

# Okabe and Ito's colours (tui.picture) are for a dark ground: on white the first three are too
# pale. Here each has the hue of the one that it stands for, and 3:1 at least against white and
# against the light theme's own ground.
ON_LIGHT = {
    "#56b4e9": "#0072b2",
    "#e69f00": "#a86f00",
    "#cc79a7": "#b0457f",
    "#009e73": "#00805d",
    "#d55e00": "#c04a00",
    "#0072b2": "#2b2f6b",
    "#3d6c85": "#8fb6cc",
    "#808080": "#6b6b6b",
}

# A figure's page: its own colours beside those of the lines.
DARK = {"ground": "#121212", "ink": "#e4e4e4", "faint": "#7a7a7a"}
LIGHT = {"ground": "#ffffff", "ink": "#1c1c1c", "faint": "#8a8a8a"} | ON_LIGHT

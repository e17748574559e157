"""What is seen of the x axis, and how keys and the mouse change that. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tui.series import Floats, Window


@dataclass(frozen=True)
class View:
    """What is seen of the x axis: all, or a window; where the cursor is; and where a window that
    is being chosen begins."""

    window: Window | None = None
    cursor: float | None = None
    anchor: float | None = None


def zoomed(view: View, whole: Window, factor: float) -> View:
    """A window `factor` times as wide, around the cursor or the middle, never beyond the whole."""
    low, high = view.window or whole
    inside = view.cursor is not None and low <= view.cursor <= high
    middle = view.cursor if inside and view.cursor is not None else (low + high) / 2
    width = (high - low) * factor
    if width >= whole[1] - whole[0]:
        return replace(view, window=None)
    width = max(width, (whole[1] - whole[0]) * 1e-9, abs(middle) * 1e-12)
    begin = middle - (middle - low) / (high - low) * width
    begin = min(max(begin, whole[0]), whole[1] - width)
    return replace(view, window=(begin, begin + width))


def panned(view: View, whole: Window, part: float) -> View:
    """The window moved by a part of its width, never beyond the whole."""
    if view.window is None:
        return view
    low, high = view.window
    width = high - low
    begin = min(max(low + part * width, whole[0]), whole[1] - width)
    return replace(view, window=(begin, begin + width))


def dragged(view: View, whole: Window, before: View, part: float) -> View:
    """The window that `before` had, moved by a part of its width: what was under the pointer stays
    under it."""
    if before.window is None:
        return view
    return replace(view, window=panned(before, whole, part).window)


def chosen(view: View) -> View:
    """The window between anchor and cursor; as it was where there is none."""
    if view.anchor is None or view.cursor is None or view.anchor == view.cursor:
        return replace(view, anchor=None)
    low, high = sorted((view.anchor, view.cursor))
    return replace(view, window=(low, high), anchor=None)


def cursor_moved(view: View, whole: Window, x: Floats, cells: int, width: int) -> View:
    """The cursor on another point of `x`, about so many cells away, at least one point.

    Without a cursor it appears at the last point that is seen. The window comes along."""
    if not len(x):
        return view
    low, high = view.window or whole
    if view.cursor is None:
        return cursor_at(view, x, high)
    now = int(np.searchsorted(x, view.cursor, "right")) - 1
    near = _nearest(x, view.cursor + cells * (high - low) / width)
    least = min(max(now + (1 if cells > 0 else -1), 0), len(x) - 1)
    index = max(near, least) if cells > 0 else min(near, least)
    moved = replace(view, cursor=float(x[index]))
    if view.window is None or low <= float(x[index]) <= high:
        return moved
    edge = high if cells > 0 else low
    return panned(moved, whole, (float(x[index]) - edge) / (high - low))


def cursor_at(view: View, x: Floats, at: float) -> View:
    """The cursor on the point that is nearest."""
    return replace(view, cursor=float(x[_nearest(x, at)])) if len(x) else view


def _nearest(x: Floats, at: float) -> int:
    after = min(int(np.searchsorted(x, at, "left")), len(x) - 1)
    before = max(0, after - 1)
    return before if abs(float(x[before]) - at) <= abs(float(x[after]) - at) else after

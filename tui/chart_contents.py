"""Which charts a run has, and what is in each. Pure.

A chart is known by its key: `loss`, `lr`, `metric/accuracy`, `term/dice`, `epochs`, `speed`,
`memory`, `use`. A person chooses among them, and each keeps its own settings, by it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tui.content import BEST, OTHER, PALETTE, Content, Line, Mark
from tui.planned import Plan
from tui.run_curves import CurveReader, Curves, Points, XAxis
from tui.series import Floats, Window, floats, value_at

RAW = "#3d6c85"  # the train line's hue, darker: what is behind it
GHOST = "#808080"
DOTTED = 2
MOST_LINES = 6  # in one chart: as many as there are colours
GIB = float(1 << 30)
FIRST = ("loss", "lr")


@dataclass(frozen=True)
class Named:
    """A chart that there is, and what it is called."""

    key: str
    title: str


def charts_of(curves: Curves | None) -> list[Named]:
    """All that the run has something for, in their order: loss and learning rate always."""
    found = [Named("loss", "Loss"), Named("lr", "Learning rate")]
    if curves is None:
        return found
    metrics = list(_families(curves))
    best = _base(curves.monitor)
    metrics.sort(key=lambda name: name.split("/")[0] != best)  # that one first
    found += [Named(f"metric/{name}", name) for name in metrics]
    found += [Named(f"term/{name}", f"Loss: {name}") for name in curves.terms]
    if "train/loss" in curves.metrics:
        found.append(Named("epochs", "Loss of epochs"))
    if len(curves.step):
        found.append(Named("speed", "Samples per second"))
    if curves.gauges:
        found.append(Named("memory", "Memory"))
    if {"cpu", "device_utilisation"} & curves.gauges.keys():
        found.append(Named("use", "Utilisation"))
    return found


def smooths(key: str) -> bool:
    """Whether that chart has a line of every step that jumps about."""
    return key in ("loss", "speed") or key.startswith("term/")


def content_of(
    key: str, reader: CurveReader, curves: Curves, axis: XAxis, weight: float, plan: Plan | None
) -> Content:
    """`weight`: of the smoothing, where there is one. `curves`: what the reader read last."""
    match key.partition("/"):
        case ("loss", _, _):
            return loss_content(curves, axis, reader.smoothed(weight), weight)
        case ("lr", _, _):
            return lr_content(curves, axis, plan)
        case ("term", _, name):
            raw, line = reader.column(key), reader.smoothed(weight, key)
            told = curves.metrics.get(f"val/loss/{name}")
            return _of_steps(curves, axis, f"Loss: {name}", raw, line, weight, told)
        case ("speed", _, _):
            raw, line = reader.column(key), reader.smoothed(weight, key)
            return _of_steps(curves, axis, "Samples per second", raw, line, weight, None, "speed")
        case ("metric", _, name):
            return metric_content(curves, axis, name)
        case ("epochs", _, _):
            both = {name: curves.metrics[f"{name}/loss"] for name in ("train", "val")
                    if f"{name}/loss" in curves.metrics}  # fmt: skip
            return _of_points(curves, axis, "Loss of epochs", both)
        case ("memory", _, _):
            return memory_content(curves, axis)
        case _:
            return use_content(curves, axis)


def loss_content(curves: Curves, axis: XAxis, line: Floats, weight: float) -> Content:
    """Train, smoothed to `line` by that weight, over raw; validation, and the checkpoints on it."""
    told = curves.metrics.get("val/loss")
    return _of_steps(curves, axis, "Loss", curves.loss, line, weight, told, marked=True)


def _of_steps(
    curves: Curves,
    axis: XAxis,
    title: str,
    raw: Floats,
    line: Floats,
    weight: float,
    told: Points | None,
    name: str = "train",
    *,
    marked: bool = False,
) -> Content:
    x = curves.x(curves.step, axis)
    train = Line(name if weight <= 0 else f"{name} ~{weight:g}", x, line)
    behind = [Line("raw", x, raw, colour=RAW, behind=True)] if weight > 0 else []
    val = [Line("val", curves.x_of(told, axis), told.value, 1, PALETTE[1])] if told else []
    return _content(
        curves, axis, title, [*behind, train, *val],
        marks=_marks(curves, axis, val[0] if val else train) if marked else (),
    )  # fmt: skip


def lr_content(curves: Curves, axis: XAxis, plan: Plan | None = None) -> Content:
    """A line a group, never smoothed; behind them what was planned, of the steps to come as well.

    Where a plateau may still change the plan, its name says so."""
    x = curves.x(curves.step, axis)
    lines = [
        Line(name, x, rates, number, PALETTE[number % len(PALETTE)])
        for number, (name, rates) in enumerate(zip(curves.groups, curves.lr, strict=False))
    ]
    if plan is None or not len(plan.step):
        return _content(curves, axis, "Learning rate", lines)
    at = curves.x(plan.step, axis)
    name = "planned, if no plateau cuts it" if plan.plateau else "planned"
    ghosts = [Line(name, at, rates, DOTTED, GHOST, planned=True) for rates in plan.lr]
    until = float(at[-1])
    return _content(curves, axis, "Learning rate", [*lines, *ghosts], until=until)


def metric_content(curves: Curves, axis: XAxis, name: str) -> Content:
    """The validated metrics of that name: of training and validation, and its parts."""
    lines = {key: curves.metrics[key] for key in _families(curves).get(name, [])}
    short = {key.replace(f"/{name}", "", 1): points for key, points in lines.items()}
    named = _of_points(curves, axis, name, short)
    if f"val/{name}" != curves.monitor:
        return named
    marks = [
        mark for line in named.lines if line.name == "val" for mark in _marks(curves, axis, line)
    ]
    return _content(curves, axis, name, list(named.lines), marks=marks)


def memory_content(curves: Curves, axis: XAxis) -> Content:
    """Of the engine's process, and of its device beside all that the device has."""
    names = {"memory": "process", "device_memory": "device", "device_memory_total": "device, all"}
    some = {
        name: Points(points.step, points.value / GIB, points.time)
        for key, name in names.items()
        if (points := curves.gauges.get(key)) is not None
    }
    return replace(_of_points(curves, axis, "Memory in GiB", some), from_zero=True)


def use_content(curves: Curves, axis: XAxis) -> Content:
    """In per cent; of the processor 100 is one core."""
    names = {"cpu": "cpu, of one core", "device_utilisation": "device"}
    some = {name: curves.gauges[key] for key, name in names.items() if key in curves.gauges}
    return replace(_of_points(curves, axis, "Utilisation in %", some), from_zero=True)


def _of_points(curves: Curves, axis: XAxis, title: str, some: dict[str, Points]) -> Content:
    """Validation looks the same in every chart."""
    lines = []
    free = iter([2, 3, 4, 5] if {"train", "val"} & some.keys() else range(MOST_LINES))
    for name, points in some.items():
        style = {"train": 0, "val": 1}.get(name)
        style = next(free, 0) if style is None else style
        colour = PALETTE[style % len(PALETTE)]
        lines.append(Line(name, curves.x_of(points, axis), points.value, style, colour))
    return _content(curves, axis, title, lines)


def _content(
    curves: Curves,
    axis: XAxis,
    title: str,
    lines: list[Line],
    *,
    marks: tuple[Mark, ...] | list[Mark] = (),
    until: float | None = None,
) -> Content:
    span = curves.span(axis)
    whole: Window | None = span
    if until is not None:
        low, high = span or (0.0, 0.0)
        whole = (min(0.0, low), max(until, high))
    return Content(
        title=title,
        lines=lines,
        marks=marks,
        marks_name="checkpoint",
        x_axis=axis,
        span=whole,
        measured=span[1] if span else None,
    )


def _marks(curves: Curves, axis: XAxis, on: Line) -> list[Mark]:
    """The best last, so that it is over the others and in the legend."""
    saved = sorted(curves.checkpoints, key=lambda event: (event.kind == "best", event.step))
    steps = curves.x(floats([event.step for event in saved]), axis)
    return [
        Mark(x, value_at(on.x, on.y, x), *(BEST if event.kind == "best" else OTHER), PALETTE[2])
        for event, x in zip(saved, steps.tolist(), strict=True)
    ]


def _families(curves: Curves) -> dict[str, list[str]]:
    """The metrics that are one chart, by its name: `mae` has val/mae, train/mae and val/mae/width.

    Where the parts are too many for one chart, such as a hundred classes, each is a chart. The loss
    and its terms have charts of their own."""
    parts: dict[str, dict[str, list[str]]] = {}
    for key in curves.metrics:
        name = _base(key)
        if name and name.split("/")[0] != "loss":
            parts.setdefault(name.split("/")[0], {}).setdefault(name, []).append(key)
    found: dict[str, list[str]] = {}
    for family, members in parts.items():
        every = [key for keys in members.values() for key in keys]
        if len(every) <= MOST_LINES:
            found[family] = every
        else:
            found |= members
    return found


def _base(metric: str) -> str:
    """`val/accuracy` and `train/accuracy` are both about accuracy."""
    return metric.partition("/")[2]

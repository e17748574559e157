"""Several runs in one chart: which are marked, what each looks like, and their lines. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine.contract.canvas import PATTERNS
from tui.content import BEST, PALETTE, Content, Line, Mark
from tui.run_curves import CurveReader, Curves, Points, XAxis
from tui.run_list import WatchedRun
from tui.series import Floats, Window, floats, value_at

MOST = 8  # marked at once: with more, neither eyes nor 80 columns tell them apart
WITH_TRAIN = 4  # runs: of more than that only the validation is shown


@dataclass(frozen=True)
class Look:
    """A line's colour and style. The first is the chosen run's while that is not marked; no two are
    the same, and the first six differ in their colours too."""

    number: int

    @property
    def colour(self) -> str:
        return PALETTE[self.number % len(PALETTE)]

    @property
    def style(self) -> int:
        return self.number % len(PATTERNS)


class Marks:
    """The marked runs. Each keeps its look, whatever becomes of the others."""

    def __init__(self) -> None:
        self.looks: dict[Path, Look] = {}

    def toggle(self, run: Path) -> bool:
        """Whether it could be done: there are only so many looks."""
        if self.looks.pop(run, None) is not None:
            return True
        taken = {look.number for look in self.looks.values()}
        free = next((number for number in range(1, MOST + 1) if number not in taken), None)
        if free is not None:
            self.looks[run] = Look(free)
        return free is not None

    def keep(self, runs: Collection[Path]) -> None:
        """Forget those that are not there any more."""
        for run in self.looks.keys() - runs:
            del self.looks[run]

    def overlaid(self, runs: Sequence[WatchedRun], chosen: Path | None) -> list[Overlaid]:
        """The chosen and the marked, in the order of their looks; none where that is one run."""
        looks = {} if chosen is None else {chosen: Look(0)}
        looks |= self.looks
        shown = [watched for watched in runs if watched.run.path in looks]
        if len(shown) < 2:
            return []
        shown.sort(key=lambda watched: looks[watched.run.path].number)
        return [
            Overlaid(watched, looks[watched.run.path], name)
            for watched, name in zip(shown, short_names(shown), strict=True)
        ]


@dataclass(frozen=True, eq=False)
class Overlaid:
    """A run, how its line looks, and what it is called beside the others."""

    watched: WatchedRun
    look: Look
    name: str


def short_names(runs: Sequence[WatchedRun]) -> list[str]:
    """The experiment's name where no other has it, else with the end of its id, else with all."""
    names = [run.run.name for run in runs]
    short = [f"{run.run.name} {run.run.id.rpartition('-')[2]}" for run in runs]
    return [
        name if names.count(name) == 1 else end if short.count(end) == 1 else f"{name} {run.run.id}"
        for run, name, end in zip(runs, names, short, strict=True)
    ]


@dataclass(eq=False)
class _Read:
    """What was read of a run, and at what news of it. Another reading is another object."""

    reader: CurveReader
    curves: Curves
    news: int


class Overlay:
    """Reads the curves of overlaid runs again and again, each step once."""

    def __init__(self) -> None:
        self.runs: Sequence[Overlaid] = ()
        self._read: dict[Path, _Read] = {}

    def read(self, runs: Sequence[Overlaid]) -> bool:
        """Whether the lines are others than before: of others, with other looks or more points."""
        before = [(run.look, run.name) for run in self.runs], self._read
        self.runs = runs
        self._read = {run.watched.run.path: self._of(run.watched) for run in runs}
        return before != ([(run.look, run.name) for run in runs], self._read)

    def _of(self, watched: WatchedRun) -> _Read:
        known = self._read.get(watched.run.path)
        same = known is not None and known.reader.state is watched.state
        if known is not None and same and known.news == watched.news:
            return known
        reader = known.reader if known is not None and same else CurveReader(watched.state)
        return _Read(reader, reader.read(), watched.news)

    def content(self, key: str, axis: XAxis, weight: float) -> Content | None:
        """Of the chart `loss`, `lr` or of a metric; None for others, and where nothing is overlaid.
        x and the smoothing are as in the charts of one run."""
        kind, _, name = key.partition("/")
        if not self.runs or kind not in ("loss", "lr", "metric"):
            return None
        read = [(run, self._read[run.watched.run.path]) for run in self.runs]
        span = _span([one.curves.span(axis) for _, one in read])
        if key == "loss":
            return replace(_loss(read, axis, weight), x_axis=axis, span=span)
        if kind == "metric":
            return Content(f"{name} val", _metric(read, axis, name), x_axis=axis, span=span)
        return Content("Learning rate", _rates(read, axis), x_axis=axis, span=span)


def _loss(read: Sequence[tuple[Overlaid, _Read]], axis: XAxis, weight: float) -> Content:
    lines: list[Line] = []
    behind: list[Line] = []
    marks: list[Mark] = []
    for run, one in read:
        line, rest = _losses(run, one.curves, axis, one.reader.smoothed(weight))
        lines.append(line)
        behind += [rest] if rest is not None and len(read) <= WITH_TRAIN else []
        marks += _best(run, one.curves, axis, line)
    validated = any("val/loss" in one.curves.metrics for _, one in read)
    title = "Loss val over train" if behind else "Loss val" if validated else "Loss train"
    return Content(title, [*behind, *lines], marks, "best")


def _losses(run: Overlaid, curves: Curves, axis: XAxis, train: Floats) -> tuple[Line, Line | None]:
    """The validation, and what is behind it; before there is one, the training alone."""
    x, look = curves.x(curves.step, axis), run.look
    told: Points | None = curves.metrics.get("val/loss")
    if told is None:
        return Line(f"{run.name} train", x, train, look.style, look.colour), None
    val = Line(run.name, curves.x_of(told, axis), told.value, look.style, look.colour)
    return val, Line("train", x, train, 0, darker(look.colour), behind=True)


def _metric(read: Sequence[tuple[Overlaid, _Read]], axis: XAxis, name: str) -> list[Line]:
    told = [(run, one.curves, one.curves.metrics.get(f"val/{name}")) for run, one in read]
    return [
        Line(run.name, curves.x_of(points, axis), points.value, run.look.style, run.look.colour)
        for run, curves, points in told
        if points is not None
    ]


def _rates(read: Sequence[tuple[Overlaid, _Read]], axis: XAxis) -> list[Line]:
    """A run's groups look alike: the first of them is named, the others are behind."""
    lines = []
    for run, one in read:
        curves, look = one.curves, run.look
        x = curves.x(curves.step, axis)
        for number, (group, rates) in enumerate(zip(curves.groups, curves.lr, strict=False)):
            name = f"{run.name} {group}" if len(curves.lr) > 1 else run.name
            lines.append(Line(name, x, rates, look.style, look.colour, behind=number > 0))
    return sorted(lines, key=lambda line: not line.behind)


def _best(run: Overlaid, curves: Curves, axis: XAxis, on: Line) -> list[Mark]:
    steps = floats([event.step for event in curves.checkpoints if event.kind == "best"])
    found = curves.x(steps, axis).tolist()
    return [Mark(x, value_at(on.x, on.y, x), *BEST, run.look.colour) for x in found]


def _span(spans: Sequence[Window | None]) -> Window | None:
    known = [span for span in spans if span is not None]
    return (min(low for low, _ in known), max(high for _, high in known)) if known else None


def darker(colour: str) -> str:
    """The same hue at half its light: what is behind a line of that colour."""
    channels = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return "#" + "".join(f"{channel // 2:02x}" for channel in channels)

"""A run's charts: those that a person chose, with one window and one cursor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from textual.app import ComposeResult
from textual.binding import Binding
from textual.message import Message

from engine.contract.events import Validated
from tui.chart_contents import FIRST, Named, charts_of, content_of, smooths
from tui.chart_view import View
from tui.content import Content
from tui.overlay import Overlaid, Overlay
from tui.planned import Plan
from tui.planning import Planning, Plans, planning
from tui.run_curves import X_AXES, CurveReader, Curves, XAxis, extent, on_axis
from tui.run_list import WatchedRun
from tui.widgets.chart import Chart
from tui.widgets.chart_grid import ChartGrid

# What is kept of the average at each step.
SMOOTHINGS = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999)
DEFAULT = 3
CHOOSES, EXPORTS = "Choose which charts are shown", "What is seen as CSV, SVG, PNG or Markdown"
SMOOTHS = "Smooth this chart less and more"
LOOKED_SECONDS = 1.0  # between two looks at whether a plan is to be asked for: it costs a process


class RunCharts(ChartGrid):
    """Shows the run that it is given; nothing is done where nothing has been added to it."""

    class Wanted(Message):
        """Something that the charts can't do alone."""

        def __init__(self, charts: RunCharts) -> None:
            super().__init__()
            self.charts = charts

    class ChooserWanted(Wanted):
        """A person wants to choose which charts are shown."""

    class ExportWanted(Wanted):
        """A person wants what is seen as a file."""

    class PlanWanted(Wanted):
        """The planned learning rates of the run that is looked at: to be given to `show_plan`."""

        def __init__(
            self, charts: RunCharts, planning: Planning, validated: Sequence[Validated]
        ) -> None:
            super().__init__(charts)
            self.planning, self.validated = planning, validated

    BINDINGS = [
        Binding(
            "left_square_bracket", "smooth(-1)", "Smooth", key_display="[ ]", tooltip=SMOOTHS
        ),
        Binding(
            "right_square_bracket", "smooth(1)", "Smooth", key_display="[ ]", tooltip=SMOOTHS,
            show=False,
        ),
        Binding("x", "x_axis", "Axis", tooltip="x: step, epoch or time"),
        Binding("m", "choose", "Charts", tooltip=CHOOSES),
        Binding("E", "export", "Export", tooltip=EXPORTS),
    ]  # fmt: skip

    def __init__(self, *, ascii: bool = False, id: str | None = None) -> None:
        super().__init__(ascii=ascii, id=id)
        self.x_axis: XAxis = X_AXES[0]
        self.wanted: list[str] | None = None  # the keys that a person chose; None: what fits
        self.smoothing: dict[str, int] = {}  # by key, where it is not DEFAULT
        self.watched: WatchedRun | None = None
        self.curves: Curves | None = None
        self._reader: CurveReader | None = None
        self._shown: tuple[object, ...] | None = None
        self._view = View()
        self._overlay = Overlay()
        self._plans = Plans()
        self._looked_at: WatchedRun | None = None  # a moment ago

    @property
    def loss(self) -> Chart:
        return self.charts["loss"]

    @property
    def lr(self) -> Chart:
        return self.charts["lr"]

    @property
    def remembered(self) -> dict[str, Any]:
        """How the charts are set, for the next time."""
        smoothing = {key: SMOOTHINGS[number] for key, number in self.smoothing.items()}
        return {
            "shown": self.wanted, "x_axis": self.x_axis, "smoothing": smoothing,
            "logarithmic": self.logarithmic,
        }  # fmt: skip

    @remembered.setter
    def remembered(self, settings: dict[str, Any]) -> None:
        """What is not understood is left out: another version may have written it."""
        if (x_axis := settings.get("x_axis")) in X_AXES:
            self.x_axis = x_axis
        weights = settings.get("smoothing")
        for key, weight in weights.items() if isinstance(weights, dict) else ():
            if weight in SMOOTHINGS:
                self.smoothing[key] = SMOOTHINGS.index(weight)
        self.logarithmic = _words(settings.get("logarithmic")) or []
        self.choose(_words(settings.get("shown")))

    def compose(self) -> ComposeResult:
        self.lay_out(self._keys())
        yield from self.charts.values()

    def on_mount(self) -> None:
        self.set_interval(LOOKED_SECONDS, self._ask_for_plan)

    # What is shown

    def show(self, watched: WatchedRun | None, overlaid: Sequence[Overlaid] = ()) -> None:
        """Bring the curves up to date: what is new is read, and nothing is done without news.
        Where runs are `overlaid`, they are shown instead, the chosen one among them."""
        others = self._overlay.read(overlaid)
        shown = None if watched is None else extent(watched.state)
        if shown == self._shown and watched is self.watched and not others:
            return
        if (watched and watched.run.path) != (self.watched and self.watched.run.path):
            self._see(View())
        self.watched, self._shown = watched, shown
        if watched is None:
            self._reader = None
        elif self._reader is None or self._reader.state is not watched.state:
            self._reader = CurveReader(watched.state)
        self.curves = None if self._reader is None else self._reader.read()
        self._fit()

    @property
    def named(self) -> list[Named]:
        """The charts that there are for this run."""
        return charts_of(self.curves)

    def _keys(self) -> list[str]:
        """The keys of the charts that are shown: what was chosen, of it what the run has."""
        there = [named.key for named in self.named]
        if self.wanted is None:
            return there[: max(len(FIRST), self.room())]
        return [key for key in there if key in self.wanted] or list(FIRST)

    def choose(self, keys: list[str] | None) -> None:
        """Show these charts; None shows what there is room for."""
        self.wanted = keys
        self._fit()

    def _fit(self) -> None:
        new = self.lay_out(self._keys())
        for chart in new:
            chart.view = self._view
        self._lay()

    def on_resize(self) -> None:
        if self.wanted is None and self._keys() != list(self.charts):
            self._fit()
        else:
            self.lay_out(list(self.charts))

    def _lay(self, *keys: str) -> None:
        """Fill these charts, or all."""
        for key in keys or tuple(self.charts):
            self.charts[key].content = self.content(key, self.x_axis)

    def content(self, key: str, axis: XAxis) -> Content:
        if self.curves is None or self._reader is None:
            titles = {named.key: named.title for named in charts_of(None)}
            return Content(titles.get(key, key))
        overlaid = self._overlay.content(key, axis, self.weight(key))
        if overlaid is not None:
            return overlaid
        run = self.watched.run.path if self.watched is not None else None
        plan, why = self._plans.of(run) if key == "lr" else (None, "")
        content = content_of(key, self._reader, self.curves, axis, self.weight(key), plan)
        return replace(content, notes=[f"plan {why}"]) if why else content

    def weight(self, key: str) -> float:
        return SMOOTHINGS[self.smoothing.get(key, DEFAULT)]

    def _see(self, view: View) -> None:
        self._view = view
        for chart in self.charts.values():
            chart.view = view

    def on_chart_view_changed(self, message: Chart.ViewChanged) -> None:
        message.stop()
        self._see(message.view)

    # The planned learning rates

    def _ask_for_plan(self) -> None:
        """Of a run that was looked at for a while, once; after a validation only where the plan
        depends on what it found."""
        watched = self.watched
        seen = "lr" in self.charts and self.is_on_screen and not self._overlay.runs
        if watched is None or not seen:
            return
        if watched is not self._looked_at:  # one goes through the list with the arrow keys
            self._looked_at = watched
            return
        now = planning(watched.run.path, watched.state) if watched.complete else None
        if now is not None and self._plans.ask(now):
            self._lay("lr")
            self.post_message(self.PlanWanted(self, now, list(watched.state.validated)))

    def show_plan(self, planning: Planning, plan: Plan | None, why: str = "") -> None:
        """What was asked for, or why there is none."""
        self._plans.tell(planning, plan, why)
        if "lr" in self.charts:
            self._lay("lr")

    def forget_question(self, planning: Planning) -> None:
        """It was given up: it may be asked again."""
        self._plans.forget(planning)

    # What keys do

    def action_smooth(self, more: int) -> None:
        """The focused chart, or the loss."""
        key = self.focused_key()
        before = self.smoothing.get(key, DEFAULT)
        after = min(max(before + more, 0), len(SMOOTHINGS) - 1)
        if after != before and smooths(key) and key in self.charts:
            self.smoothing[key] = after
            self._lay(key)

    def focused_key(self) -> str:
        focused = self.screen.focused
        return focused.key if isinstance(focused, Chart) else next(iter(self.charts))

    def action_x_axis(self) -> None:
        """The next of step, epoch and time. All is seen then; the cursor stays on its step."""
        before = self.x_axis
        self.x_axis = X_AXES[(X_AXES.index(before) + 1) % len(X_AXES)]
        if self.curves is not None and self.x_axis == "epoch" and not self.curves.steps_per_epoch:
            self.x_axis = "time"
        self._see(on_axis(self.curves, self._view, before, self.x_axis))
        self._lay()

    def action_choose(self) -> None:
        self.post_message(self.ChooserWanted(self))

    def action_export(self) -> None:
        self.post_message(self.ExportWanted(self))


def _words(value: object) -> list[str] | None:
    found = [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
    return found or None

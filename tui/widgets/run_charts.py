"""A run's curves: the loss above the learning rates, with one window and one cursor."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical

from engine.contract.run_state import RunState
from tui.chart_view import View
from tui.picture import Content
from tui.remembered import Settings, of_kind
from tui.run_curves import X_AXES, CurveReader, Curves, XAxis, loss_content, lr_content
from tui.run_list import WatchedRun
from tui.widgets.chart import Chart

# What is kept of the average at each step.
SMOOTHINGS = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999)
DEFAULT = 3


class RunCharts(Vertical):
    """Shows the run that it is given; nothing is done where nothing has been added to it."""

    DEFAULT_CSS = (
        "RunCharts { height: 1fr; } RunCharts #loss { height: 3fr; } RunCharts #lr { height: 2fr; }"
    )
    BINDINGS = [
        Binding("left_square_bracket", "smooth(-1)", "Smooth less", key_display="["),
        Binding("right_square_bracket", "smooth(1)", "more", key_display="]"),
        Binding("x", "x_axis", "Step/epoch/time"),
    ]

    def __init__(self, *, ascii: bool = False, id: str | None = None) -> None:
        super().__init__(id=id)
        self.loss, self.lr = Chart(ascii=ascii, id="loss"), Chart(ascii=ascii, id="lr")
        self.smoothing, self.x_axis = DEFAULT, X_AXES[0]
        self._reader: CurveReader | None = None
        self._curves: Curves | None = None
        self._shown: tuple[object, ...] | None = None
        self._run: object = None

    @property
    def remembered(self) -> Settings:
        """How the charts are set."""
        logarithmic = [chart.id for chart in self.query(Chart) if chart.logarithmic]
        weight = SMOOTHINGS[self.smoothing]
        return {"smoothing": weight, "x_axis": self.x_axis, "logarithmic": logarithmic}

    @remembered.setter
    def remembered(self, settings: Settings) -> None:
        if (weight := settings.get("smoothing")) in SMOOTHINGS:
            self.smoothing = SMOOTHINGS.index(weight)
        if (x_axis := settings.get("x_axis")) in X_AXES:
            self.x_axis = x_axis
        logarithmic = of_kind(settings, "logarithmic", list, [])
        for chart in self.query(Chart):
            chart.logarithmic = chart.id in logarithmic
        self._lay()

    def compose(self) -> ComposeResult:
        yield self.loss
        yield self.lr

    def show(self, watched: WatchedRun | None) -> None:
        """Bring the curves up to date: what is new is read, and nothing is done without news."""
        shown = None if watched is None else _extent(watched.state)
        run = None if watched is None else watched.run.path
        if (run, shown) == (self._run, self._shown):
            return
        if run != self._run:
            self._see(View())
        self._run, self._shown = run, shown
        state = None if watched is None else watched.state
        if state is None:
            self._reader = None
        elif self._reader is None or self._reader.state is not state:
            self._reader = CurveReader(state)
        self._curves = None if self._reader is None else self._reader.read()
        self._lay()

    def _lay(self, *, lr: bool = True) -> None:
        curves, reader, weight = self._curves, self._reader, SMOOTHINGS[self.smoothing]
        if curves is None or reader is None:
            self.loss.content, self.lr.content = Content("Loss"), Content("Learning rate")
            return
        self.loss.content = loss_content(curves, self.x_axis, reader.smoothed(weight), weight)
        if lr:
            self.lr.content = lr_content(curves, self.x_axis)

    def _see(self, view: View) -> None:
        self.loss.view = self.lr.view = view

    def on_chart_view_changed(self, message: Chart.ViewChanged) -> None:
        message.stop()
        self._see(message.view)

    def action_smooth(self, more: int) -> None:
        smoothing = min(max(self.smoothing + more, 0), len(SMOOTHINGS) - 1)
        if smoothing != self.smoothing:
            self.smoothing = smoothing
            self._lay(lr=False)

    def action_x_axis(self) -> None:
        """The next of step, epoch and time. All is seen then; the cursor stays on its step."""
        before = self.x_axis
        self.x_axis = X_AXES[(X_AXES.index(before) + 1) % len(X_AXES)]
        if self._curves is not None and self.x_axis == "epoch" and not self._curves.steps_per_epoch:
            self.x_axis = "time"
        self._see(_on_axis(self._curves, self.loss.view, before, self.x_axis))
        self._lay()


def _on_axis(curves: Curves | None, view: View, before: XAxis, after: XAxis) -> View:
    if curves is None or view.cursor is None or not len(curves.step):
        return View()
    index = int(np.searchsorted(curves.x(curves.step, before), view.cursor, "right")) - 1
    return replace(View(), cursor=float(curves.x(curves.step, after)[max(0, index)]))


def _extent(state: RunState) -> tuple[object, ...]:
    """Differs where anything that a chart shows has been added or taken back."""
    counts = (len(state.curve.step), len(state.validated), len(state.checkpoints))
    return (id(state), *counts, state.resumed, state.started is None)

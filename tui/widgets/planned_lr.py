"""The planned learning rate of what is being edited, from the real schedulers, as one types."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.widgets import Input, Static

from engine.contract.problems import Problem
from tui.content import Content
from tui.launching import Launcher
from tui.picture import x_at
from tui.plan_picture import PlanAxis, member_rows, plan_content
from tui.plan_question import ASSUMED, Question, question, windows
from tui.plan_words import data_trouble, warnings, why_not
from tui.planned import Plan, decode
from tui.series import Window
from tui.toml_document import TomlDocument
from tui.widgets.chart import Chart

REST_SECONDS = 0.25  # after the last letter, before the engine is asked
ROOMY = (100, 34)  # columns and rows of a terminal that shows it unasked
ROWS = 4  # of members; further ones are counted


class PlannedLr(Vertical):
    """Asks while it is shown. The curve that is known stays until the next one is."""

    DEFAULT_CSS = """
    PlannedLr { height: 45%; min-height: 5; max-height: 20; border-top: solid $panel;
        display: none; }
    PlannedLr.-shown { display: block; }
    PlannedLr.-old Chart, PlannedLr.-old #members { opacity: 50%; }
    PlannedLr #members { height: auto; padding: 0 1; }
    PlannedLr #told { height: auto; max-height: 3; padding: 0 1; color: $text-warning; }
    PlannedLr Input { display: none; }
    PlannedLr.-plateau Input { display: block; }
    """
    BINDINGS = [
        Binding("x", "axis", "Step/epoch"),
        Binding("r", "run_own", "Run own code", tooltip="Draw it with one's own scheduler's code"),
    ]

    def __init__(self, launcher: Launcher) -> None:
        super().__init__()
        self.chart = Chart(id="plan")
        self.chart.content = Content("Planned learning rate")
        # Held, as the chart: an answer may come when the screen is being left and has no children.
        self._members = Static("", id="members", markup=False)
        self._told = Static("", id="told", markup=False)
        self._launcher = launcher
        self.axis: PlanAxis = "step"
        self.plan: Plan | None = None
        self._file = Path()
        self._edited: tuple[str, Mapping[str, Any] | None, int] | None = None
        self._asked: Question | None = None
        self._allowed: set[str] = set()  # one's own code that a person has said is to be run
        self._unasked: list[str] = []
        self._values: Mapping[str, Any] = {}  # of the curve that is shown
        self._warned = ""

    def compose(self) -> ComposeResult:
        yield Input(compact=True, id="metric")
        yield self.chart
        yield self._members
        yield self._told

    @property
    def told(self) -> str:
        """What is said beside the curve."""
        return str(self._told.content)

    def follow(self, document: TomlDocument, problems: Sequence[Problem]) -> None:
        """What is edited now, and what is wrong with it."""
        wrong = sum(problem.severity == "error" for problem in problems)
        self._file, self._edited = document.path, (document.text, document.values, wrong)
        if self.display:
            self._look()

    def on_mount(self) -> None:
        roomy = self.app.size.width >= ROOMY[0] and self.app.size.height >= ROOMY[1]
        self.set_class(roomy, "-shown")

    def show_or_leave(self) -> bool:
        """Show it; if it is shown go into it, and from there hide it. Whether it is shown now."""
        if self.has_focus_within:
            self.remove_class("-shown")
            self.workers.cancel_group(self, "ask")
            self._asked = None
        elif self.display:
            self.chart.focus()
        else:
            self.add_class("-shown")
            self._look()
        return self.has_class("-shown")

    # Asking

    def _look(self) -> None:
        """Ask if that is something new; say it if it can't be asked."""
        if self._edited is None:
            return
        text, values, problems = self._edited
        if values is None:
            self._stale("the text is no TOML now")
            return
        wanted = question(text, values, self.query_one("#metric", Input).value)
        self._show_metric(wanted)
        unasked = [each for each in wanted.own_code if each not in self._allowed]
        self._unasked = unasked
        if problems:
            self._stale(f"{problems} to mend first (f4)")
        elif unasked:
            self._stale(f"not drawn: it would run {', '.join(unasked)}; r runs it")
        elif wanted.same_as(self._asked):
            self._tell()
        else:
            self._asked = wanted
            self.add_class("-old")
            self._tell(
                "computing …" if self.plan else "asking the engine; the first time is slow …"
            )
            self._ask(wanted, values)

    def _stale(self, why: str) -> None:
        """What is shown is of an earlier text."""
        self.workers.cancel_group(self, "ask")
        self._asked = None
        self.add_class("-old")
        self._tell(f"{why}; this is the curve of before" if self.plan else why)

    def _tell(self, words: str = "") -> None:
        told = "\n".join(filter(None, [words, self._warned]))
        widget = self._told
        widget.display = bool(told)
        widget.update(told)

    def _show_metric(self, wanted: Question) -> None:
        self.set_class(bool(wanted.plateaus), "-plateau")
        names = ", ".join(dict.fromkeys(wanted.plateaus))
        entry = self.query_one("#metric", Input)
        entry.placeholder = f"as if {names} never improved; or a number an epoch: 1.0, 0.9, 0.9"

    @work(exclusive=True, group="ask")
    async def _ask(self, wanted: Question, values: Mapping[str, Any]) -> None:
        await asyncio.sleep(REST_SECONDS)
        answer = await self._launcher.ask(*wanted.arguments(self._file), text=wanted.text)
        why = wanted.why_assumed
        if wanted.steps_per_epoch is None and (unread := data_trouble(answer)):
            why = unread
            assumed = replace(wanted, steps_per_epoch=ASSUMED)
            answer = await self._launcher.ask(*assumed.arguments(self._file), text=wanted.text)
        if answer.code != 0:
            self._stale(why_not(answer))
            return
        try:
            plan = await asyncio.to_thread(decode, answer.out)
        except ValueError as error:
            self._stale(str(error))
            return
        assumed_words = f"as if an epoch had {ASSUMED} steps: {why}" if why else ""
        self._show(plan, values, "\n".join(filter(None, [assumed_words, warnings(answer)])))

    # Showing

    def _show(self, plan: Plan, values: Mapping[str, Any], warned: str) -> None:
        self.plan, self._values, self._warned = plan, values, warned
        self.remove_class("-old")
        self._tell()
        self._lay()

    def _lay(self) -> None:
        if self.plan is None:
            return
        self.chart.content = plan_content(self.plan, self.axis)
        self.call_after_refresh(self._lay_members)

    def _lay_members(self) -> None:
        plan, chart = self.plan, self.chart
        members = self._members
        room = min(ROWS, self.size.height - 9)
        members.display = plan is not None and room >= min(2, len(plan.members))
        if plan is None or not members.display:
            return
        rows = member_rows(
            plan,
            windows(self._values, plan.steps_per_epoch),
            self._seen(plan),
            self._margin(),
            chart.content_size.width,
        )
        if not rows:
            rows = [Text("no scheduler: the learning rate stays as it is", "dim")]
        if len(rows) > room:
            rows = [*rows[: room - 1], Text(f"and {len(rows) - room + 1} more", "dim")]
        members.update(Text("\n").join(rows))

    def _seen(self, plan: Plan) -> Window:
        low, high = self.chart.view.window or self.chart.content.whole
        per_x = plan.steps_per_epoch if self.axis == "epoch" else 1
        return low * per_x, high * per_x

    def _margin(self) -> int:
        """How many columns of the chart stand left of its plot."""
        chart = self.chart
        width, height = chart.content_size.width, chart.content_size.height

        def inside(column: int) -> bool:
            at = x_at(chart.content, chart.view, width, height, column, chart.logarithmic)
            return at is not None

        return bisect_left(range(max(1, width // 2)), True, key=inside)

    def on_resize(self) -> None:
        self.call_after_refresh(self._lay_members)

    def on_chart_view_changed(self, message: Chart.ViewChanged) -> None:
        message.stop()
        self._lay_members()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._look()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.chart.focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "run_own" or bool(self._unasked)

    def action_axis(self) -> None:
        self.axis = "step" if self.axis == "epoch" else "epoch"
        self._lay()

    def action_run_own(self) -> None:
        """A person says so: one's own code is run, until it has another name."""
        self._allowed |= set(self._unasked)
        self._look()

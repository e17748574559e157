"""What there is to see: experiments and runs, charts, and the run that the cursor is on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import Screen
from textual.widgets import Static

from engine.contract.devices import Device
from engine.contract.queue import Queue
from tui.acting import Acting
from tui.device_watch import DeviceWatch
from tui.empty import no_run
from tui.launching import Launcher
from tui.options import Options
from tui.pace import Pace
from tui.queue_watch import QueueWatch
from tui.remembered import Remembered
from tui.run_list import RunList, WatchedRun
from tui.screens.charting import serve
from tui.screens.checkpoint import copy_path
from tui.screens.remembering import PANES, give_back, go_back, remembered_of
from tui.screens.starting import warm_up
from tui.widgets.checkpoint_list import CheckpointList
from tui.widgets.difference_table import DifferenceTable
from tui.widgets.experiment_list import ExperimentList
from tui.widgets.key_line import KeyLine
from tui.widgets.log_pane import LogPane
from tui.widgets.run_charts import CHOOSES, EXPORTS, RunCharts
from tui.widgets.run_log import RunLog
from tui.widgets.run_pane import RunPane
from tui.widgets.run_summary import RunSummary
from tui.widgets.run_table import RunTable
from tui.widgets.top_line import TopLine
from tui.widgets.words import Words

SEARCH_SECONDS = 1.0  # between two looks for new runs and experiments: they are searched for
DEVICE_SECONDS = 2.0
READ_SECONDS = 0.03  # at one go; a key that is pressed meanwhile waits as long
REMEMBER_SECONDS = 2.0


class WatchScreen(Screen[object]):
    """Wide: three panes. Below 100 columns: one of them, with a line of tabs."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-tiny"), (8, "-short"), (16, "-tall")]  # every row counts
    AUTO_FOCUS = None  # `on_mount` knows where there is something to choose
    DEFAULT_CSS = """
    WatchScreen {
        .pane { width: 1fr; }
        &.-wide #left { width: 34; border-right: solid $panel; }
        &.-wide #right { width: 38; border-left: solid $panel; }
        #experiments { height: auto; max-height: 40%; }
        ExperimentList, ExperimentList:focus { border: none; padding: 0; }
        ExperimentList { height: auto; max-height: 100%; }
        #log { height: 1fr; }
        #checkpoints { height: auto; max-height: 40%; }
        #summary { height: auto; max-height: 50%; }
        #tabs { display: none; height: 1; }
        #no-runs { display: none; height: auto; color: $text-muted; }
        &.-narrow #no-runs.-none { display: block; }
        .heading { height: 1; color: $text-muted; }
        &.-short .heading, &.-tiny .heading { display: none; }
        &.-short #summary { max-height: 70%; }
        &.-tiny #summary { max-height: 100%; }
        &.-tiny TopLine, &.-tiny KeyLine { display: none; }
        &.-narrow #tabs { display: block; }
        &.-narrow .pane { display: none; }
        &.-narrow .pane.-shown { display: block; }
    }
    """
    BINDINGS = [
        Binding("l", "log", "Log", show=False, tooltip="Go to the log"),
        Binding("m", "charts('choose')", "Charts", show=False, tooltip=CHOOSES),
        Binding("E", "charts('export')", "Export", show=False, tooltip=EXPORTS),
        Binding("1", "pane('left')", "Runs", show=False, tooltip="Go to experiments and runs"),
        Binding("2", "pane('charts')", "Charts", show=False, tooltip="Go to the charts"),
        Binding("3", "pane('right')", "Run", show=False, tooltip="Go to the run's checkpoints"),
    ]

    def __init__(
        self,
        options: Options,
        launcher: Launcher,
        acting: Acting,
        devices: Callable[[], list[Device]],
        remembered: Remembered,
        pace: Pace,
    ) -> None:
        super().__init__()
        self.remembered, self.pace, self.pane = remembered, pace, "left"
        self._shown = -1  # the runs' version
        self.options, self.launcher, self.acting = options, launcher, acting
        self.devices = DeviceWatch(devices)
        self.runs = RunList(options.runs)
        self.queue_watch = QueueWatch(Queue(options.runs))
        self.watched: dict[Path, WatchedRun] = {}
        self.chosen: Path | None = None  # the run's folder
        self._searched = float("-inf")

    def compose(self) -> ComposeResult:
        yield TopLine()
        tabs = Static(id="tabs")
        tabs.auto_links = False  # clicked as links are, and not underlined as they are
        yield tabs
        with Horizontal():
            with Vertical(id="left", classes="pane"):
                yield Static("Experiments", classes="heading")
                with Vertical(id="experiments"):
                    yield ExperimentList(self.options.folder)
                yield Words(id="no-runs")  # where the summary, which says so too, isn't seen
                yield RunPane()
            with Vertical(id="charts", classes="pane -shown"):
                yield RunCharts()
                yield DifferenceTable()
            with Vertical(id="right", classes="pane"):
                with VerticalScroll(id="summary", can_focus=False):
                    yield RunSummary(id="summary-words")
                yield Static("Checkpoints", classes="heading")
                with Vertical(id="checkpoints"):
                    yield CheckpointList()
                yield Static("Log", classes="heading")
                with Vertical(id="log"):
                    yield LogPane()
        yield KeyLine()

    def on_mount(self) -> None:
        self.action_pane(self.pane)
        settings = self.remembered.settings
        give_back(self, settings)
        if self.options.read_only:
            self.query_one(TopLine).say("read-only", "read-only")
        else:
            self.call_after_refresh(warm_up, self, self.launcher)
        self.look()
        if not self.watched:
            self.query_one(ExperimentList).focus()
        go_back(self, settings)
        self.set_interval(REMEMBER_SECONDS, self.remember)
        self._look_again()
        self.call_after_refresh(
            threading.Thread(target=import_module, args=("tui.screens.edit",), daemon=True).start
        )
        self.devices.look()
        self.set_interval(DEVICE_SECONDS, self.devices.look)

    def remember(self) -> None:
        """For the next time. That it doesn't work is told once."""
        self.remembered.keep(remembered_of(self) | {"theme": self.app.theme})
        if trouble := self.remembered.news():
            self.notify(trouble, severity="warning", markup=False)

    # What there is to see

    def look(self, *, search: bool = False) -> None:
        """Read what is new and hand it down; more to read is read before the next look is due."""
        now = time.monotonic()
        if search or now - self._searched >= SEARCH_SECONDS:
            self._searched = now
            (self.runs.search if search else self.runs.search_if_due)()
            self.query_one(ExperimentList).look()
            for words in self.queue_watch.look():
                self.notify(words, severity="error", timeout=20, markup=False)
        runs = self.runs.look(self.chosen, READ_SECONDS)
        self.watched = {watched.run.path: watched for watched in runs}
        if self.runs.version != self._shown:
            self._shown = self.runs.version
            self.query_one(RunPane).show(runs)
            self.call_after_refresh(self.pace.changed)
        self.query_one(TopLine).show(self.devices.known)
        self._show_run()
        for answer in self.acting.answers(runs):
            self.notify(answer)

    def _look_again(self) -> None:
        """In a while, and again and again."""
        busy = any(not watched.status.over for watched in self.watched.values())
        seconds = READ_SECONDS if self.runs.behind else self.pace.seconds(busy=busy)
        self.set_timer(seconds, self._look_once)

    def _look_once(self) -> None:
        if not self.pace.waits:
            self.look()
        self._look_again()

    def _show_run(self) -> None:
        watched = self._chosen_run()
        told = self._no_run()
        self.query_one(RunSummary).show(watched, told)
        words = self.query_one("#no-runs", Words)
        words.set_class(not self.watched, "-none")
        words.text = f"\n{told}"
        overlaid = self.query_one(RunPane).overlaid(self.chosen)
        self.query_one(RunCharts).show(watched, overlaid)
        self.query_one(DifferenceTable).show(overlaid)
        self.query_one(CheckpointList).show(watched)
        self.query_one(RunLog).show(watched)

    @property
    def experiment(self) -> Path | None:
        """Under the cursor: asked of the list, whose word may come after the next key."""
        return self.query_one(ExperimentList).chosen

    def _chosen_run(self) -> WatchedRun | None:
        return self.watched.get(self.chosen) if self.chosen is not None else None

    def _under_cursor(self) -> WatchedRun | None:
        """What a key acts on: the table's word of where its cursor is may come after that key."""
        self.chosen = self.query_one(RunTable).chosen or self.chosen
        return self._chosen_run()

    def _no_run(self) -> str:
        return no_run(
            self.options.runs,
            some=bool(self.watched),
            experiments=self.experiment is not None,
            read_only=self.options.read_only,
        )

    def running(self) -> list[str]:
        """The names and ids of the runs that are under way on this host."""
        return [
            f"{watched.run.name} {watched.run.id}"
            for watched in self.watched.values()
            if watched.looked and not watched.status.over and not watched.elsewhere
        ]

    @on(RunTable.Chosen)
    def _run_chosen(self, message: RunTable.Chosen) -> None:
        message.stop()
        self.chosen = message.path
        self._show_run()

    @on(RunPane.OverlayChanged)
    def _overlay_changed(self, message: RunPane.OverlayChanged) -> None:
        message.stop()
        self._show_run()

    @on(CheckpointList.Copy)
    def _copy(self, message: CheckpointList.Copy) -> None:
        message.stop()
        copy_path(self, message.path)

    @on(RunCharts.Wanted)
    def _charts_want(self, message: RunCharts.Wanted) -> None:
        message.stop()
        serve(self, self.launcher, message)

    # Its panes

    def action_pane(self, name: str) -> None:
        """Show a pane where only one fits, and go to it."""
        self.pane = name
        for pane in PANES:
            self.query_one(f"#{pane}").set_class(pane == name, "-shown")
        self.query_one("#tabs", Static).update(
            "".join(
                f"[{'reverse' if pane == name else 'dim'} @click=screen.pane('{pane}')] {title} [/]"
                for pane, title in PANES.items()
            )
        )
        goals = {"left": "RunTable", "right": "CheckpointList", "charts": "#charts *:can-focus"}
        self.set_focus(next(iter(self.query(goals[name])), None))

    def action_charts(self, act: str) -> None:
        """What the charts' own keys do, from anywhere."""
        self.action_pane("charts")
        getattr(self.query_one(RunCharts), f"action_{act}")()

    def action_log(self) -> None:
        self.action_pane("right")
        self.set_focus(self.query_one(RunLog))

"""The main screen as one left it: its pane, the focus, the selection, and what its widgets keep.

A widget that has something to remember has a property `remembered` (tui.remembered.Remembers):
that is all.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from textual.css.query import NoMatches
from textual.widget import Widget

from tui.remembered import Remembers, Settings, of_kind
from tui.widgets.experiment_list import ExperimentList
from tui.widgets.run_table import RunTable

if TYPE_CHECKING:
    from tui.screens.watching import WatchScreen

PANES = {"left": "1 Runs", "charts": "2 Charts", "right": "3 Run"}
FOCUSED = ("ExperimentList", "RunTable", "CheckpointList", "RunLog", "Chart")


def remembered_of(screen: WatchScreen) -> Settings:
    """What is to be remembered now."""
    return {
        "pane": screen.pane,
        "focus": _name(screen.focused),
        "run": str(screen.chosen or ""),
        "experiment": screen.experiment.name if screen.experiment is not None else "",
        **{type(widget).__name__: widget.remembered for widget in _remembering(screen)},
    }


def give_back(screen: WatchScreen, settings: Settings) -> None:
    """Before anything is shown: what the widgets remember, and which run is looked at."""
    for widget in _remembering(screen):
        widget.remembered = of_kind(settings, type(widget).__name__, dict, {})
    if run := of_kind(settings, "run", str, ""):
        screen.chosen = Path(run)


def go_back(screen: WatchScreen, settings: Settings) -> None:
    """Once the lists are filled: to the selection, the pane, and what had the focus."""
    screen.query_one(RunTable).choose(Path(of_kind(settings, "run", str, "")))
    screen.query_one(ExperimentList).choose(
        screen.options.folder / of_kind(settings, "experiment", str, "")
    )
    pane, focus = of_kind(settings, "pane", str, ""), of_kind(settings, "focus", str, "")
    if pane in PANES:
        screen.action_pane(pane)
    if focus in FOCUSED:
        try:
            screen.set_focus(screen.query_one(focus))
        except NoMatches:
            return


def _remembering(screen: WatchScreen) -> list[Remembers]:
    return [widget for widget in screen.query("*") if isinstance(widget, Remembers)]


def _name(widget: Widget | None) -> str:
    if widget is None:
        return ""
    return f"#{widget.id}" if widget.id else type(widget).__name__

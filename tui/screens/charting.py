"""What the charts want and can't do alone: choosing them, exporting them, the planned rates."""

from __future__ import annotations

import asyncio

from textual.screen import Screen

from tui.launching import Launcher
from tui.planned import Plan, decode
from tui.planning import question
from tui.screens.charts_shown import ChartsDialog
from tui.screens.exporting import export
from tui.widgets.run_charts import RunCharts


def serve(screen: Screen[object], launcher: Launcher, message: RunCharts.Wanted) -> None:
    """Do it, in the background where it takes a while."""
    match message:
        case RunCharts.PlanWanted():
            screen.run_worker(_plan(launcher, message), group="plan", exclusive=True)
        case RunCharts.ChooserWanted():
            screen.run_worker(_choose(screen, message.charts))
        case RunCharts.ExportWanted():
            screen.run_worker(export(screen, message.charts))


async def _plan(launcher: Launcher, message: RunCharts.PlanWanted) -> None:
    """Only for the run that is looked at last: its predecessor's question is given up."""
    planning, charts = message.planning, message.charts
    plan: Plan | None = None
    why = ""
    try:
        answer = await launcher.ask(*question(planning, message.validated))
        if answer.code == 0:
            plan = await asyncio.to_thread(decode, answer.out)
        else:
            said = answer.err.strip().splitlines() or [f"ptrain lr ended with code {answer.code}"]
            why = f"not known: {said[0]}"
    except asyncio.CancelledError:
        charts.forget_question(planning)
        raise
    except (OSError, ValueError) as error:
        why = str(error)
    charts.show_plan(planning, plan, why)


async def _choose(screen: Screen[object], charts: RunCharts) -> None:
    answer = await screen.app.push_screen_wait(
        ChartsDialog(charts.named, list(charts.charts), by_itself=charts.wanted is None)
    )
    if answer is not None:
        charts.choose(answer.keys)

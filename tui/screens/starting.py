"""From an experiment to a run that is under way: device, check, start. And going on with one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from textual.screen import Screen

from engine.contract.devices import Device
from tui.acting import Choice
from tui.launching import Launcher, Outcome, device_in
from tui.run_list import WatchedRun
from tui.screens.choice import ChoiceDialog
from tui.screens.edit import EditScreen
from tui.screens.epochs import EpochsDialog
from tui.screens.problems import ProblemsDialog
from tui.widgets.top_line import TopLine, long

OWN = "as the file says"  # the id of the choice that overrides nothing


async def start(
    screen: Screen[object],
    launcher: Launcher,
    file: Path,
    runs: Path,
    devices: Callable[[], Sequence[Device]],
) -> Path | None:
    """The new run's folder; None when it was left, or could not start, which was then told."""
    own = Choice(OWN, f"{device_in(file)}  as the experiment says")
    chosen = await screen.app.push_screen_wait(
        ChoiceDialog(
            f"Run {file.name} on",
            lambda: [own, *(Choice(device.name, long(device)) for device in devices())],
        )
    )
    if chosen is None:
        return None
    device = None if chosen == OWN else chosen
    top, who = screen.query_one(TopLine), object()
    try:
        top.say(who, f"checking {file.name}: importing torch …")
        checked = await launcher.check(file, device)
        if not checked.ok:
            await _mend(screen, launcher, file, checked)
            return None
        if checked.problems:
            screen.notify(_first(checked), title=f"{file.name} is checked", severity="warning")
        top.say(who, f"starting {file.name} …")
        started = await launcher.start(file, device, runs)
    finally:
        top.say(who, "")
    return await _started(screen, f"{file.name} did not start", started)


async def resume(screen: Screen[object], launcher: Launcher, watched: WatchedRun) -> Path | None:
    """The same run's folder once it goes on; a finished one is asked for more epochs first."""
    run, epochs = watched.run, None
    if watched.status.state == "finished":
        now = watched.state.epochs
        title = f"{run.name} has finished its {now} epochs; train to how many in all?"
        epochs = await screen.app.push_screen_wait(EpochsDialog(title, now + 1, now + 1))
        if epochs is None:
            return None
    top, who = screen.query_one(TopLine), object()
    try:
        top.say(who, f"resuming {run.name}: importing torch …")
        resumed = await launcher.resume(run, epochs)
    finally:
        top.say(who, "")
    return await _started(screen, f"{run.name} was not resumed", resumed)


async def _started(screen: Screen[object], title: str, outcome: Outcome) -> Path | None:
    if outcome.run is None or not outcome.ok:
        await _tell(screen, title, outcome)
        return None
    name = f"{outcome.run.parent.name} {outcome.run.name}"
    screen.notify(f"{name} is under way; it goes on without this dashboard")
    return outcome.run


async def _mend(screen: Screen[object], launcher: Launcher, file: Path, checked: Outcome) -> None:
    """What `check` found, and the editor at the one that is chosen."""
    title, problems = f"{file.name} can't run", checked.problems
    asked = ProblemsDialog(title, problems, checked.words, can_edit=True)
    problem = await screen.app.push_screen_wait(asked)
    if problem is None:
        return
    if problem.file is not None and problem.file.name != file.name:
        screen.notify(f"it is in {problem.file}: mend it there", markup=False)
        return
    screen.app.push_screen(EditScreen(file, launcher, at=problem))


async def _tell(screen: Screen[object], title: str, outcome: Outcome) -> None:
    await screen.app.push_screen_wait(ProblemsDialog(title, outcome.problems, outcome.words))


def _first(outcome: Outcome) -> str:
    count = len(outcome.problems)
    more = f" (and {count - 1} more)" if count > 1 else ""
    return f"warning: {outcome.problems[0].message}{more}"

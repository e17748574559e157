"""From an experiment to a run that is under way: device, start. And going on with one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from textual.screen import Screen

from engine.contract.devices import Device
from engine.contract.events import CheckpointSaved
from engine.contract.problems import InputError
from engine.contract.queue import Queue, canonical, on_devices
from engine.contract.toml_file import read as read_experiment
from tui.acting import Choice
from tui.launching import Launcher, Outcome, device_in
from tui.run_list import WatchedRun
from tui.screens.choice import ChoiceDialog
from tui.screens.edit import EditScreen
from tui.screens.epochs import EpochsDialog
from tui.screens.problems import ProblemsDialog
from tui.widgets.top_line import TopLine, long

OWN = "as the file says"  # the id of the choice that overrides nothing


def warm_up(screen: Screen[object], launcher: Launcher) -> None:
    """So that questions are answered, and runs started, at once."""
    top, who = screen.query_one(TopLine), object()

    def gone(words: str) -> None:
        title = "without a warm torch: questions and starts take seconds"
        screen.notify(words or "its process was killed", title=title, severity="warning")

    launcher.warm_up(lambda doing: top.say(who, doing), gone)


async def start(
    screen: Screen[object],
    launcher: Launcher,
    file: Path,
    runs: Path,
    devices: Callable[[], Sequence[Device]],
    name: str = "",
) -> Path | None:
    """The new run's folder; None when it was left, or could not start, which was then told.

    `name` is what the file is called where its own name says little."""
    name = name or file.name
    said = device_in(file)
    words = said if isinstance(said, str) else ", ".join(said)
    own = Choice(OWN, f"{words}  as the experiment says")
    chosen = await screen.app.push_screen_wait(
        ChoiceDialog(
            f"Run {name} on",
            lambda: [own, *(Choice(device.name, long(device)) for device in devices())],
        )
    )
    if chosen is None:
        return None
    device = None if chosen == OWN else chosen
    how = await _when(screen, runs, canonical(device or said))
    if how is None:
        return None
    top, who = screen.query_one(TopLine), object()
    try:
        if how == "queue":
            await _queue(screen, launcher, file, device, runs)
            return None
        top.say(who, f"starting {name} …")
        started = await launcher.start(file, device, runs)
    finally:
        top.say(who, "")
    # The engine checks it before it trains: that need not be done twice.
    if started.errors:
        await _mend(screen, launcher, file, started)
        return None
    return await _started(screen, f"{name} did not start", started)


async def _when(screen: Screen[object], runs: Path, devices: Sequence[str]) -> str | None:
    """`now`, or `queue`: asked where one of our runs is on that device, or waits for it."""
    try:
        waiting = [entry for entry in Queue(runs).entries() if entry.state != "failed"]
    except InputError:
        waiting = []
    taken = on_devices(runs)
    on = [f"{run.name} {run.id}" for name in devices for run in taken.get(name, [])]
    ahead = [entry.name for entry in waiting if set(entry.devices) & set(devices)]
    if not on and not ahead:
        return "now"
    where = ", ".join(devices)
    who = f"is busy with {on[0]}" if on else f"has {ahead[0]} waiting for it"
    first = f", after {len(ahead)} that wait already" if ahead else ""
    choices = [
        Choice("queue", f"queue it: it starts by itself when {where} is free{first}"),
        Choice("now", "start it now beside that: they share the device and its memory"),
    ]
    dialog = ChoiceDialog(f"{where} {who}", lambda: choices)
    return await screen.app.push_screen_wait(dialog)


async def _queue(
    screen: Screen[object], launcher: Launcher, file: Path, device: str | None, runs: Path
) -> None:
    """As `ptrain queue add` does. What waits is in a file before the process that starts it is."""
    overrides = [f"train.device={device}"] if device else []
    try:
        read = read_experiment(file, overrides)
        Queue(runs).add(read.path, read.text, overrides, read.experiment.train.device)
    except InputError as error:
        await _tell(screen, f"{file.name} was not queued", Outcome(problems=list(error.problems)))
        return
    except OSError as error:
        screen.notify(f"{runs}: {error.strerror}", severity="error", markup=False)
        return
    answer = await launcher.ask("queue", "run", "--detach", "--runs", str(runs))
    how = "it starts with or without this dashboard" if answer.code == 0 else answer.err.strip()
    screen.notify(f"{file.name} is queued as it is now; {how}. Q shows the queue", markup=False)


async def resume(
    screen: Screen[object],
    launcher: Launcher,
    watched: WatchedRun,
    saved: CheckpointSaved | None = None,
) -> Path | None:
    """The same run's folder once it goes on, from its last checkpoint or the one that is given. One
    that has all its epochs is asked for more first; one that would do steps again is asked too."""
    run, epochs = watched.run, None
    done = saved.epoch if saved is not None else 0
    if (watched.status.state == "finished" and saved is None) or done >= watched.state.epochs > 0:
        now = watched.state.epochs
        title = f"{run.name} has finished its {now} epochs; train to how many in all?"
        epochs = await screen.app.push_screen_wait(EpochsDialog(title, now + 1, now + 1))
        if epochs is None:
            return None
    elif saved is not None and not await _done_again(screen, watched, saved):
        return None
    top, who = screen.query_one(TopLine), object()
    try:
        top.say(who, f"resuming {run.name} …")
        name = Path(saved.path).name if saved is not None else None
        resumed = await launcher.resume(run, epochs, name)
    finally:
        top.say(who, "")
    return await _started(screen, f"{run.name} was not resumed", resumed)


async def _done_again(screen: Screen[object], watched: WatchedRun, saved: CheckpointSaved) -> bool:
    """Whether to go on; nobody is asked where no step would be done again."""
    again = watched.state.steps_done - saved.step
    if again <= 0:
        return True
    name = Path(saved.path).name
    title = f"{watched.run.name} has gone {again} steps beyond {name}"
    go = Choice("go", f"go on from {name}: they are done again; later checkpoints are set aside")
    stay = Choice("stay", "leave it")
    answer = await screen.app.push_screen_wait(ChoiceDialog(title, lambda: [go, stay]))
    return answer == "go"


async def _started(screen: Screen[object], title: str, outcome: Outcome) -> Path | None:
    if outcome.run is None or not outcome.ok:
        await _tell(screen, title, outcome)
        return None
    if outcome.problems:
        screen.notify(_first(outcome), title="it trains, but", severity="warning")
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

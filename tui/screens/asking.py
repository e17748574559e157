"""What is asked of the run that one looks at. The engine's answers are told as they come."""

from __future__ import annotations

import signal
from collections.abc import Callable

from textual.screen import Screen

from tui.acting import Acting
from tui.run_list import WatchedRun
from tui.screens.choice import ChoiceDialog
from tui.screens.epochs import EpochsDialog
from tui.summary import current_epoch


async def ask_to_stop(screen: Screen[object], acting: Acting, watched: WatchedRun) -> None:
    """The ladder, and the rung that was chosen."""
    run = watched.run
    rung = await screen.app.push_screen_wait(
        ChoiceDialog(f"Stop {run.name} {run.id}", lambda: acting.ladder(watched))
    )
    match rung:
        case "epoch":
            what = "to stop after this epoch"
            _asked(screen, lambda: acting.ask(run, "stop", after="epoch"), what, watched)
        case "step":
            _asked(screen, lambda: acting.ask(run, "stop"), "to stop now", watched)
        case "terminate" | "kill":
            number = signal.SIGTERM if rung == "terminate" else signal.SIGKILL
            sent = acting.signal(run, number)
            said = f"{number.name} was sent" if sent else "its process has ended already"
            screen.notify(f"{run.name}: {said}")


async def ask_for_epochs(screen: Screen[object], acting: Acting, watched: WatchedRun) -> None:
    """More epochs, or fewer: down to the one that is under way."""
    state, run = watched.state, watched.run
    title = f"{run.name} has {state.epochs} epochs; train to how many in all?"
    epochs = await screen.app.push_screen_wait(
        EpochsDialog(title, state.epochs + 1, current_epoch(state))
    )
    if epochs is not None:
        what = f"for {epochs} epochs"
        _asked(screen, lambda: acting.ask(run, "epochs", epochs=epochs), what, watched)


def save_checkpoint(screen: Screen[object], acting: Acting, watched: WatchedRun) -> None:
    _asked(screen, lambda: acting.ask(watched.run, "checkpoint"), "for a checkpoint", watched)


def ask_evaluation(screen: Screen[object], acting: Acting, watched: WatchedRun) -> None:
    _asked(screen, lambda: acting.ask(watched.run, "evaluate"), "to evaluate", watched)


def _asked(screen: Screen[object], ask: Callable[[], None], what: str, watched: WatchedRun) -> None:
    try:
        ask()
    except OSError as error:
        screen.notify(f"{watched.run.control}: {error.strerror}", severity="error")
    else:
        screen.notify(f"{watched.run.name} is asked {what}; it answers after its step")

"""What was edited in an experiment since a run was launched from it, and running it again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from tui.device_watch import DeviceWatch
from tui.edited import Edited, since_launch
from tui.launching import Launcher
from tui.options import Options
from tui.run_list import WatchedRun
from tui.screens.dialog import Dialog
from tui.screens.starting import start

STYLES = {"+": "$text-success", "-": "$text-error", "@": "$text-muted"}
Again = Literal["now", "then"]


class EditedDialog(Dialog[Again]):
    """Answers with which of the two texts is to be run again."""

    DEFAULT_CSS = "EditedDialog VerticalScroll { height: auto; max-height: 1fr; }"
    BINDINGS = [
        Binding("r", "again('now')", "Run the file", tooltip="Run the file as it is now"),
        Binding("a", "again('then')", "Run as it was", tooltip="Run again exactly as it was"),
    ]

    def __init__(self, title: str, edited: Edited, answers: Sequence[Again]) -> None:
        keys = {"now": "r: run the file as it is now", "then": "a: run again as it was"}
        super().__init__(title, "   ".join([*(keys[one] for one in answers), "escape: close"]))
        self._edited, self._answers = edited, answers

    def content(self) -> list[Widget]:
        return [VerticalScroll(Static(_told(self._edited)))]

    def action_again(self, which: Again) -> None:
        if which in self._answers:
            self.dismiss(which)


def _told(edited: Edited) -> Content:
    if edited.unknown:
        return Content(edited.unknown)
    if not edited.lines:
        return Content(f"{edited.file} was not edited since")
    rows = [(line, STYLES.get(line[:1], "")) for line in edited.lines]
    return Content("\n").join(Content.assemble(row) for row in rows)


async def show_edited(
    screen: Screen[object],
    watched: WatchedRun,
    launcher: Launcher,
    options: Options,
    devices: DeviceWatch,
) -> Path | None:
    """The folder of a run that was started from there."""
    run = watched.run
    edited = since_launch(run, watched.state.started)
    answers: list[Again] = []
    if not options.read_only:
        answers = ["now", "then"] if edited.file is not None else ["then"]
    name = edited.file.name if edited.file is not None else "the experiment"
    title = f"{name} since {run.name} {run.id} was launched"
    answer = await screen.app.push_screen_wait(EditedDialog(title, edited, answers))
    if answer is None:
        return None
    if answer == "now" and edited.file is not None:
        return await start(screen, launcher, edited.file, options.runs, lambda: devices.known)
    # The resolved copy: overrides are in it, and its paths are absolute.
    again = f"{run.name} as it was"
    return await start(screen, launcher, run.experiment, options.runs, lambda: devices.known, again)

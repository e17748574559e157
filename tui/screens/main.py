"""The main screen: what one can do with the experiments and runs that there are to see."""

from __future__ import annotations

from pathlib import Path

from textual import on, work
from textual.binding import Binding
from textual.screen import Screen

from engine.contract.events import CheckpointSaved
from engine.contract.queue import Queue
from tui.acting import why_not
from tui.run_list import WatchedRun
from tui.screens.asking import ask_evaluation, ask_for_epochs, ask_to_stop, save_checkpoint
from tui.screens.checkpoint import show_checkpoint
from tui.screens.edited import show_edited
from tui.screens.new_experiment import new_experiment
from tui.screens.queue import QueueDialog
from tui.screens.starting import resume, start
from tui.screens.watching import WatchScreen
from tui.widgets.checkpoint_list import CheckpointList
from tui.widgets.experiment_list import ExperimentList
from tui.widgets.run_pane import RunPane
from tui.widgets.run_table import RunTable
from tui.widgets.top_line import TopLine


class MainScreen(WatchScreen, inherit_bindings=False):
    """Beside what it shows: edits, starts, and asks of runs what they can be asked."""

    BINDINGS = [
        Binding("e", "edit", "Edit", tooltip="Edit the chosen experiment"),
        Binding("r", "run", "Run", tooltip="Check the chosen experiment and start it"),
        Binding("s", "stop", "Stop", tooltip="Stop the chosen run, gently first"),
        Binding("R", "resume", "Resume", tooltip="Go on with the chosen run where it was"),
        Binding("c", "checkpoint", "Checkpoint", tooltip="Write a checkpoint now"),
        Binding("v", "evaluate", "Evaluate", show=False, tooltip="Evaluate now"),
        Binding("plus", "epochs", "Epochs", show=False, tooltip="More epochs, or fewer"),
        Binding("Q", "queue", "Queue", show=False, tooltip="What waits for its device"),
        # After those that act: the list of keys has them in this order.
        *WatchScreen.BINDINGS,
        *Screen.BINDINGS,
    ]

    @on(ExperimentList.Chosen)
    def _experiment_chosen(self, message: ExperimentList.Chosen) -> None:
        message.stop()
        if message.entered:
            self.action_edit()
        self.query_one(TopLine).experiment = message.path.name

    @on(ExperimentList.New)
    @work
    async def _new_experiment(self, message: ExperimentList.New) -> None:
        message.stop()
        made = await new_experiment(self, self.options, message.copy_of)
        if made is not None:
            self.query_one(ExperimentList).choose(made)
            self.action_edit()

    @on(CheckpointList.Resume)
    def _resume_from(self, message: CheckpointList.Resume) -> None:
        message.stop()
        self._resume(message.saved)

    @on(CheckpointList.Show)
    @work
    async def _show_checkpoint(self, message: CheckpointList.Show) -> None:
        if (watched := self._chosen_run()) is not None:
            answer = await show_checkpoint(self, watched, message.saved)
            if answer == "resume":
                self._resume(message.saved)

    def _may(self, act: str) -> WatchedRun | None:
        """The chosen run if it can be asked; else it is said why not."""
        watched = self._under_cursor()
        reason = why_not(watched, read_only=self.options.read_only)
        if reason:
            self.notify(reason, title=f"{act}: not now", severity="warning")
            return None
        return watched

    def _no_experiment(self, act: str) -> None:
        reason = why_not(None, read_only=True) if self.options.read_only else ""
        self.notify(reason or f"there is no experiment to {act}", severity="warning")

    def action_edit(self) -> None:
        if self.options.read_only or self.experiment is None:
            self._no_experiment("edit")
            return
        from tui.screens.edit import EditScreen  # `on_mount` has it imported behind the paint

        screen = EditScreen(self.experiment, self.launcher)
        self.app.push_screen(screen, lambda _saved: self.look(search=True))

    @work
    async def action_run(self) -> None:
        if self.options.read_only or self.experiment is None:
            self._no_experiment("run")
            return
        path = await start(
            self, self.launcher, self.experiment, self.options.runs, lambda: self.devices.known
        )
        self._follow(path)

    @on(RunTable.Edited)
    @work
    async def _edited(self, message: RunTable.Edited) -> None:
        if watched := self._under_cursor():
            path = await show_edited(self, watched, self.launcher, self.options, self.devices)
            self._follow(path)

    def action_resume(self) -> None:
        self._under_cursor()
        self._resume()

    @work
    async def _resume(self, saved: CheckpointSaved | None = None) -> None:
        watched = self._chosen_run()
        reason = why_not(watched, read_only=self.options.read_only)
        if watched is None or self.options.read_only or not watched.status.over:
            why = reason or "it is running already"
            self.notify(why, title="Resume: not now", severity="warning")
            return
        self._follow(await resume(self, self.launcher, watched, saved))

    def _follow(self, path: Path | None) -> None:
        """Put the cursor on a run that was just started."""
        if path is not None:
            self.chosen = path
            self.look(search=True)
            self.query_one(RunPane).choose(path)

    def action_queue(self) -> None:
        self.app.push_screen(
            QueueDialog(Queue(self.options.runs), self.launcher, self.options.read_only)
        )

    @work
    async def action_stop(self) -> None:
        if watched := self._may("Stop"):
            await ask_to_stop(self, self.acting, watched)

    @work
    async def action_epochs(self) -> None:
        if watched := self._may("Epochs"):
            await ask_for_epochs(self, self.acting, watched)

    def action_checkpoint(self) -> None:
        if watched := self._may("Checkpoint"):
            save_checkpoint(self, self.acting, watched)

    def action_evaluate(self) -> None:
        if watched := self._may("Evaluate"):
            ask_evaluation(self, self.acting, watched)

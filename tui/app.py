"""`ptrain-tui [FOLDER]`: experiments and runs in one screen. Torch is never loaded here."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial

from textual import work
from textual.app import App, SystemCommand
from textual.binding import Binding
from textual.driver import Driver
from textual.screen import ModalScreen, Screen

from engine.contract.devices import Device, devices
from tui.acting import Acting
from tui.launching import Engine, Launcher
from tui.leaving import SIGNALS, Leaving
from tui.options import Options, read_options
from tui.pressed_motion import pressed_motion
from tui.screens.edit import EditScreen
from tui.screens.help import HelpDialog, keys_of
from tui.screens.jump import JumpScreen, places_in
from tui.screens.main import MainScreen
from tui.workbench import Workbench


class Dashboard(App[None]):
    """Watches, starts and asks runs. Quitting it disturbs none of them.

    `launcher`, `acting` and `devices` are given by tests.
    """

    TITLE = "ptrain"
    BINDINGS = [
        Binding("question_mark", "help", "Help", tooltip="The keys of where you are"),
        Binding("g,ctrl+g", "jump", "Jump", show=False, tooltip="Go to a part by its letter"),
        Binding("f1", "help", "Help", show=False, tooltip="The keys of where you are"),
        Binding("q", "quit", "Quit", tooltip="Leave; runs go on"),
        Binding("ctrl+c", "quit", "Quit", show=False, tooltip="Leave; runs go on"),
    ]

    def __init__(
        self,
        options: Options,
        *,
        launcher: Launcher | None = None,
        acting: Acting | None = None,
        devices: Callable[[], list[Device]] = devices,
        leaving: Leaving | None = None,
    ) -> None:
        super().__init__()
        self.animation_level = "none"  # over SSH each frame of one is traffic
        self._leaving = leaving
        engine = Engine(Workbench() if options.workbench else None)
        self.main = MainScreen(options, launcher or engine, acting or Acting(), devices)

    def get_default_screen(self) -> Screen[object]:
        return self.main

    def get_driver_class(self) -> type[Driver]:
        return pressed_motion(super().get_driver_class())

    def on_mount(self) -> None:
        if self._leaving is not None:
            loop = asyncio.get_running_loop()
            for number in SIGNALS:
                loop.add_signal_handler(number, self._leaving.leave, number, self.leave)

    def on_unmount(self) -> None:
        self.main.launcher.close()

    def leave(self, code: int) -> None:
        """A signal ends it: nobody can be asked, and nothing is lost."""
        for screen in self.screen_stack:
            if isinstance(screen, EditScreen):
                screen.keep_unsaved()
        self.exit(return_code=code)

    async def action_quit(self) -> None:
        """Not over what a person has typed and not saved."""
        for screen in self.screen_stack:
            if isinstance(screen, EditScreen) and screen.dirty:
                told = "ctrl+s saves it; escape asks what is to become of it"
                self.notify(told, title="not left: there is something unsaved", severity="warning")
                return
        await super().action_quit()

    def action_help(self) -> None:
        if not isinstance(self.screen, HelpDialog):
            self.push_screen(HelpDialog(keys_of(self.screen)))

    @work
    async def action_jump(self) -> None:
        """Dialogs are left alone: they have one part."""
        if isinstance(self.screen, ModalScreen):
            return
        goal = await self.push_screen_wait(JumpScreen(places_in(self.screen)))
        if goal is not None and goal.is_attached:
            goal.focus()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Textual's own, and what the keys of the main screen do."""
        yield from super().get_system_commands(screen)
        if screen is self.main:
            for binding in MainScreen.BINDINGS:
                if isinstance(binding, Binding) and binding.description:
                    act = partial(self.run_action, binding.action, self.main)
                    yield SystemCommand(binding.description, binding.tooltip, act)


def farewell(running: list[str]) -> str:
    """What goes on when the dashboard has gone; empty when nothing does."""
    if not running:
        return ""
    few = ", ".join(running[:3]) + (" …" if len(running) > 3 else "")
    return f"{len(running)} run{'s go' if len(running) > 1 else ' goes'} on: {few}"


def main() -> None:
    """The console script."""
    options = read_options(sys.argv[1:])
    leaving = Leaving()
    leaving.arm()
    app = Dashboard(options, leaving=leaving)
    app.run(mouse=options.mouse)
    code = leaving.left()
    if words := farewell(app.main.running()):
        with suppress(OSError):  # there may be no terminal any more
            print(words, file=sys.stderr)
    sys.exit(app.return_code if code is None else code)

"""`ptrain-tui [FOLDER]`: experiments and runs in one screen. Torch is never loaded here.

What is imported at the top is what the first frame needs. The rest, which takes longer than
Textual itself, is imported behind it: `Dashboard.main`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cached_property, partial
from typing import TYPE_CHECKING

from rich.console import RenderableType
from textual import work
from textual.app import App, SystemCommand
from textual.binding import Binding
from textual.driver import Driver
from textual.filter import LineFilter
from textual.screen import ModalScreen, Screen

from tui.glyphs import Ascii
from tui.leaving import SIGNALS, Leaving, Unsaved
from tui.options import Options, read_options
from tui.pace import QUESTION, Pace, over_ssh
from tui.pressed_motion import pressed_motion
from tui.remembered import Remembered
from tui.screens.opening import Opening
from tui.themes import DARK, THEMES, names

if TYPE_CHECKING:
    from engine.contract.devices import Device
    from tui.acting import Acting
    from tui.launching import Launcher
    from tui.screens.main import MainScreen


class Dashboard(App[None]):
    """Watches, starts and asks runs. Quitting it disturbs none of them.

    `launcher`, `acting` and `devices` are given by tests, and `opening` False: then the main
    screen is there at once, without a frame before it.
    """

    TITLE = "ptrain"
    CSS = "ScrollView, ScrollableContainer { scrollbar-size-vertical: 1; }"  # a column is a letter
    BINDINGS = [
        Binding("question_mark", "help", "Help", tooltip="The keys of where you are"),
        Binding("g,ctrl+g", "jump", "Jump", show=False, tooltip="Go to a part by its letter"),
        Binding("f1", "help", "Help", show=False, tooltip="The keys of where you are"),
        Binding("q", "quit", "Quit", tooltip="Leave; runs go on"),
        Binding("ctrl+c", "quit", "Quit", show=False, tooltip="Leave; runs go on"),
        Binding("T", "theme", "Theme", show=False, tooltip="Light, or dark again"),
    ]

    def __init__(
        self,
        options: Options,
        *,
        launcher: Launcher | None = None,
        acting: Acting | None = None,
        devices: Callable[[], list[Device]] | None = None,
        leaving: Leaving | None = None,
        opening: bool = True,
    ) -> None:
        self._ascii = [Ascii()] if options.ascii else []
        super().__init__()
        self.animation_level = "none"  # over SSH each frame of one is traffic
        self.options, self._leaving, self._opening = options, leaving, opening
        self._given = (launcher, acting, devices)
        self.remembered = Remembered(options.state, options.folder)
        self.pace = Pace(self._ask_terminal, remote=over_ssh())
        for theme in THEMES:
            self.register_theme(theme)
        wanted = options.theme or self.remembered.settings.get("theme")
        self.theme = wanted if wanted in names() else DARK.name

    @cached_property
    def main(self) -> MainScreen:
        """The main screen and all that it needs: half a second of imports."""
        from engine.contract.devices import devices
        from tui.acting import Acting
        from tui.launching import Engine
        from tui.screens.main import MainScreen
        from tui.workbench import Workbench

        launcher, acting, ask = self._given
        return MainScreen(
            self.options,
            launcher or Engine(Workbench() if self.options.workbench else None),
            acting or Acting(),
            ask or devices,
            self.remembered,
            self.pace,
        )

    def get_default_screen(self) -> Screen[object]:
        return Opening(self.options.folder) if self._opening else self.main

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [*super().get_line_filters(), *self._ascii]

    def get_driver_class(self) -> type[Driver]:
        return pressed_motion(super().get_driver_class())

    def on_mount(self) -> None:
        if self._leaving is not None:
            loop = asyncio.get_running_loop()
            for number in SIGNALS:
                loop.add_signal_handler(number, self._leaving.leave, number, self.leave)

    def on_unmount(self) -> None:
        if "main" in vars(self):  # else it was left before there was one
            self.main.launcher.close()

    def _ask_terminal(self) -> None:
        if self._driver is not None:
            self._driver.write(QUESTION)

    def on_terminal_supports_synchronized_output(self) -> None:
        """Every terminal that answers at all says that it does, or that it could."""
        self.pace.answered()

    def on_opening_painted(self) -> None:
        """Keys that are pressed meanwhile wait, and are the main screen's."""
        self.push_screen(self.main)

    def leave(self, code: int) -> None:
        """A signal ends it: nobody can be asked, and nothing is lost."""
        for screen in self.screen_stack:
            if isinstance(screen, Unsaved):
                screen.keep_unsaved()
        self.exit(return_code=code)

    def exit(
        self,
        result: None = None,
        return_code: int = 0,
        message: RenderableType | None = None,
    ) -> None:
        """Every orderly way out passes here."""
        if self._is_open:
            self.main.remember()
        super().exit(result, return_code, message)

    @property
    def _is_open(self) -> bool:
        """Whether there is a main screen; asking for it would import it."""
        return "main" in self.__dict__ and self.main.is_mounted

    def running(self) -> list[str]:
        """The runs that go on when it is left."""
        return self.main.running() if "main" in self.__dict__ else []

    async def action_quit(self) -> None:
        """Not over what a person has typed and not saved."""
        for screen in self.screen_stack:
            if isinstance(screen, Unsaved) and screen.dirty:
                told = "ctrl+s saves it; escape asks what is to become of it"
                self.notify(told, title="not left: there is something unsaved", severity="warning")
                return
        await super().action_quit()

    def action_help(self) -> None:
        from tui.screens.help import HelpDialog, keys_of

        if not isinstance(self.screen, HelpDialog):
            self.push_screen(HelpDialog(keys_of(self.screen)))

    @work
    async def action_jump(self) -> None:
        """Dialogs are left alone: they have one part."""
        from tui.screens.jump import JumpScreen, places_in

        if isinstance(self.screen, ModalScreen):
            return
        goal = await self.push_screen_wait(JumpScreen(places_in(self.screen)))
        if goal is not None and goal.is_attached:
            goal.focus()

    def action_theme(self) -> None:
        ours = [theme.name for theme in THEMES]
        light = not self.current_theme.dark
        self.theme = ours[0] if light else ours[1]

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Textual's own, and what the keys of the main screen do."""
        yield from super().get_system_commands(screen)
        if screen is self.main:
            for binding in self.main.BINDINGS:
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
    if words := farewell(app.running()):
        with suppress(OSError):  # there may be no terminal any more
            print(words, file=sys.stderr)
    sys.exit(app.return_code if code is None else code)

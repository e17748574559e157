"""A new experiment: from a template, or as a copy of one that is there."""

from __future__ import annotations

from pathlib import Path

from textual.screen import Screen

from engine.contract.problems import InputError
from engine.contract.template import templates, write_new
from tui.experiments import copy_experiment
from tui.options import Options
from tui.screens.choose import ChooseScreen
from tui.screens.file_name import FileNameScreen

COMMENTED = "commented"
ABOUT = "An ImageFolder of your own, a frozen resnet18; every other key is there as a comment."


async def new_experiment(
    screen: Screen[object], options: Options, copy_of: Path | None
) -> Path | None:
    """Its file; None when it was left, or could not be written, which was then told."""
    if options.read_only:
        screen.notify("--read-only: nothing is written", severity="warning")
        return None
    return await (_copy(screen, copy_of) if copy_of else _from_template(screen, options.folder))


async def _from_template(screen: Screen[object], folder: Path) -> Path | None:
    options = [(COMMENTED, ABOUT), *templates().items()]
    title = "New experiment from which template?"
    template = await screen.app.push_screen_wait(ChooseScreen(title, options))
    if template is None:
        return None
    named = "experiment" if template == COMMENTED else template
    asked = FileNameScreen("Name of the new experiment", folder / f"{named}.toml", new=True)
    file = await screen.app.push_screen_wait(asked)
    if file is None:
        return None
    try:
        write_new(file, None if template == COMMENTED else template)
    except InputError as error:
        for problem in error.problems:
            screen.notify(str(problem), severity="error", markup=False)
        return None
    return file


async def _copy(screen: Screen[object], source: Path) -> Path | None:
    """A copy beside it, byte for byte, so that the paths and the code it names stay right."""
    proposed = source.with_name(f"{source.stem}-2.toml")
    asked = FileNameScreen(f"Copy {source.name} as", proposed, new=True)
    file = await screen.app.push_screen_wait(asked)
    if file is None:
        return None
    try:
        copy_experiment(source, file)
    except OSError as error:
        told = f"{error.filename or file}: {error.strerror}"
        screen.notify(told, title="not copied", severity="error", markup=False)
        return None
    return file

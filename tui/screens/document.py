"""A screen that edits a file: saving, saving as, reverting, and leaving without losing anything."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType
from textual.screen import Screen

from engine.contract.problems import InputError
from engine.contract.run_directory import write_atomically
from tui.screens.choose import ChooseScreen
from tui.screens.file_name import FileNameScreen
from tui.toml_document import ConflictError, TomlDocument

LOOK_SECONDS = 2.0  # between looks at whether someone else has changed the file


def _kept_for(path: Path) -> Path:
    return path.with_name(path.name + ".unsaved")


class DocumentScreen(Screen[Path | None]):
    """Dismissed with the path that was saved last, else None. What shows the document is up to the
    screen that is one of these: `show_document` and `show_title`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Leave"),
        Binding("q", "leave", show=False),  # the app's q would take what is unsaved with it
        Binding("ctrl+s", "save", "Save", priority=True),
        Binding("f2", "save_as", "As"),
        Binding("ctrl+r", "revert", "Revert", priority=True),
    ]

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.document: TomlDocument
        self._saved: Path | None = None
        self._told_conflict = False

    async def show_document(self) -> None:
        """After it has become another text."""
        raise NotImplementedError

    def show_title(self) -> None:
        """After it was saved, or has another name."""
        raise NotImplementedError

    def read(self) -> bool:
        """Whether the file could be read; one that can't is told, and the screen goes."""
        try:
            self.document = TomlDocument(self.path)
        except InputError as error:
            self.notify(str(error.problems[0]), severity="error", markup=False)
            self.dismiss(None)
            return False
        if (kept := _kept_for(self.path)).exists():
            words = f"{kept.name} beside it holds what was not saved when the dashboard was ended"
            self.notify(words, severity="warning", markup=False, timeout=20)
        self.set_interval(LOOK_SECONDS, self.look_at_disk)
        return True

    def keep_unsaved(self) -> None:
        """The dashboard is ended from outside, and nobody can be asked: what is not saved goes into
        a file beside the one that is edited."""
        if self.dirty:
            with suppress(OSError):  # a full disk; there is no one to tell any more
                write_atomically(_kept_for(self.document.path), self.document.content)

    @property
    def dirty(self) -> bool:
        """Whether leaving would lose something."""
        return self.document.dirty

    def look_at_disk(self) -> None:
        """Tell once that someone else has changed the file."""
        changed = self.document.changed_on_disk()
        if changed and not self._told_conflict:
            words = f"{self.document.path.name} has changed on disk; ctrl+r reads it"
            self.notify(words, severity="warning", markup=False)
        self._told_conflict = changed

    @work
    async def action_save(self) -> None:
        await self._save()

    async def _save(self) -> bool:
        """Whether it is saved now."""
        return await self._written(self.document.save, lambda: self.document.save(over=True))

    async def _written(self, save: Callable[[], None], over: Callable[[], None]) -> bool:
        try:
            try:
                save()
            except ConflictError as conflict:
                answers = [("Overwrite", "what is there is lost"), ("Don't save", "")]
                asked = ChooseScreen(str(conflict), answers)
                if await self.app.push_screen_wait(asked) != "Overwrite":
                    return False
                over()
        except OSError as error:
            self.notify(f"can't be written: {error.strerror}", severity="error", markup=False)
            return False
        self._saved = self.document.path
        self._told_conflict = False
        self.show_title()
        return True

    @work
    async def action_save_as(self) -> None:
        asked = FileNameScreen("Save as", self.document.path)
        path = await self.app.push_screen_wait(asked)
        if path is not None:
            await self._written(
                lambda: self.document.save_as(path),
                lambda: self.document.save_as(path, over=True),
            )
            await self.show_document()

    @work
    async def action_revert(self) -> None:
        if self.document.dirty:
            answers = [("Revert", "undo brings your changes back"), ("Keep them", "")]
            asked = ChooseScreen("Read the file again, without your changes?", answers)
            if await self.app.push_screen_wait(asked) != "Revert":
                return
        try:
            self.document.revert()
        except InputError as error:
            self.notify(str(error.problems[0]), severity="error", markup=False)
            return
        await self.show_document()

    @work
    async def action_leave(self) -> None:
        if self.document.dirty:
            answers = [("Save", ""), ("Discard", "the changes are lost"), ("Stay", "")]
            asked = ChooseScreen(f"{self.document.path.name} is not saved", answers)
            answer = await self.app.push_screen_wait(asked)
            if answer not in ("Save", "Discard") or (answer == "Save" and not await self._save()):
                return
        self.dismiss(self._saved)

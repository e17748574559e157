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
from tui.journal import Journal, Kept, found_for, told_in_use, told_of
from tui.screens.choose import ChooseScreen
from tui.screens.file_name import FileNameScreen
from tui.toml_document import ConflictError, TomlDocument

LOOK_SECONDS = 2.0  # between looks at whether someone else has changed the file
KEEP_SECONDS = 1.0  # of typing that a kill can take
TAKE_UP, DELETE, LEAVE = "Take it up", "Delete it", "Leave it"


class DocumentScreen(Screen[Path | None]):
    """Dismissed with the path that was saved last, else None. What shows the document is up to the
    screen that is one of these: `show_document` and `show_title`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save", "Save", priority=True, tooltip="Save the file"),
        Binding("escape", "leave", "Leave", tooltip="Leave the editor; asks when it is not saved"),
        # the app's q would take what is unsaved with it
        Binding("q", "leave", show=False, tooltip="Leave the editor"),
        Binding("f2", "save_as", "Save as", tooltip="Save under another name"),
        Binding("ctrl+r", "revert", "Revert", priority=True, tooltip="Read the file again"),
        Binding("ctrl+z", "undo", "Undo", priority=True, tooltip="Undo"),
        Binding("ctrl+y", "redo", show=False, priority=True, tooltip="Redo"),
        Binding("u", "undo", show=False, tooltip="Undo"),
        Binding("U", "redo", show=False, tooltip="Redo"),
    ]

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.document: TomlDocument
        self.journal = Journal(path)
        self._saved: Path | None = None
        self._told_conflict = self._told_unkept = False

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
        self.set_interval(LOOK_SECONDS, self.look_at_disk)
        self.set_interval(KEEP_SECONDS, self.keep_unsaved)
        self.call_after_refresh(self._offer_unsaved)
        return True

    def keep_unsaved(self) -> None:
        """What is not saved goes into the journal, and the journal goes when all is saved."""
        try:
            if self.dirty:
                self.journal.keep(self.document.content)
            else:
                self.journal.drop()
            self._told_unkept = False
        except OSError as error:
            if not self._told_unkept:
                words = f"{error.strerror}: save before you leave, it is nowhere else"
                title = "what you type can't be kept beside the file"
                self.notify(words, title=title, severity="warning", markup=False)
            self._told_unkept = True

    @work
    async def _offer_unsaved(self) -> None:
        """What was not saved when a dashboard was ended, of this file."""
        for kept in found_for(self.path):
            if kept.in_use:
                words = f"{told_in_use(kept)}; each keeps its own unsaved text"
                self.notify(words, severity="warning", markup=False, timeout=10)
            elif kept.content == self.document.content:
                self._delete(kept)
            else:
                await self._offer(kept)

    async def _offer(self, kept: Kept) -> None:
        answers = [
            (TAKE_UP, "as unsaved text; undo goes back to what the file holds"),
            (DELETE, "the file stays as it is"),
            (LEAVE, "it is offered again"),
        ]
        answer = await self.app.push_screen_wait(ChooseScreen(told_of(kept), answers))
        if answer == TAKE_UP:
            try:
                self.document.replace_content(kept.content)
            except UnicodeDecodeError:
                self.notify(f"{kept.path.name} is not UTF-8", severity="error", markup=False)
                return
            self.keep_unsaved()
            await self.show_document()
        if answer == DELETE or (answer == TAKE_UP and not self._told_unkept):
            self._delete(kept)

    def _delete(self, kept: Kept) -> None:
        try:
            kept.delete()
        except OSError as error:
            words = f"{kept.path.name} can't be deleted: {error.strerror}"
            self.notify(words, severity="warning", markup=False)

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
        self._forget()
        self.show_title()
        return True

    def _forget(self) -> None:
        """There is nothing to keep any more."""
        with suppress(OSError):  # it is offered at the next opening, which compares it
            self.journal.drop()
        self.journal = Journal(self.document.path)

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
        self._forget()
        await self.show_document()

    async def action_undo(self) -> None:
        self.document.undo()
        await self.show_document()

    async def action_redo(self) -> None:
        self.document.redo()
        await self.show_document()

    @work
    async def action_leave(self) -> None:
        if self.document.dirty:
            answers = [("Save", ""), ("Discard", "the changes are lost"), ("Stay", "")]
            asked = ChooseScreen(f"{self.document.path.name} is not saved", answers)
            answer = await self.app.push_screen_wait(asked)
            if answer not in ("Save", "Discard") or (answer == "Save" and not await self._save()):
                return
        self._forget()
        self.dismiss(self._saved)

"""Editing an experiment: a form and its TOML text, two views of one document.

Whatever changes the document, `_changed` brings the other view up to date at once and, when the
typing rests, `_settle` reads the text again for the form's shape and for the problems.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Static, TextArea

from engine.contract.problems import Problem
from tui.form_changes import add, can_add, move, remove
from tui.form_help import help_on, title_of
from tui.form_model import Path as Key
from tui.form_model import form_of, place_of
from tui.freeze_section import FREEZE
from tui.launching import Launcher
from tui.screens.choose import ChooseScreen
from tui.screens.document import DocumentScreen
from tui.screens.field_help import FieldHelpDialog
from tui.screens.freezing import ask_freezing
from tui.screens.help import keys_of
from tui.screens.values import ask_for_value
from tui.toml_blocks import EditError
from tui.toml_edit import meant
from tui.widgets.experiment_form import ExperimentForm
from tui.widgets.field_row import FieldRow
from tui.widgets.key_line import KeyLine
from tui.widgets.planned_lr import PlannedLr
from tui.widgets.problem_list import ProblemList
from tui.widgets.toml_text import TomlText

REST_SECONDS = 0.2  # after the last letter, before the text is read again
WAITS = "the text is no TOML now; the form waits for it"


class EditScreen(DocumentScreen):
    """Dismissed with the path that was saved last, else None. Raises nothing: a file that can't be
    read is told, and the screen goes."""

    DEFAULT_CSS = """
    EditScreen #title { height: 1; background: $panel; padding: 0 1; }
    EditScreen #help { height: 1; color: $text-muted; padding: 0 1; text-wrap: nowrap;
        text-overflow: ellipsis; }
    EditScreen #sides { height: 1fr; }
    EditScreen TomlText { border-left: solid $panel; }
    EditScreen TomlText:focus { border-left: solid $primary; }
    EditScreen.-narrow.-form TomlText { display: none; }
    EditScreen.-narrow.-text ExperimentForm { display: none; }
    EditScreen.-narrow TomlText, EditScreen.-narrow TomlText:focus { border-left: none; }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f3", "other_side", "Form, text", tooltip="Go to the other side: form or text"),
        Binding("f9", "freezing", "Freezing", tooltip="The modules, with what is frozen of them"),
        Binding("f10", "plan", "Plan", tooltip="The planned learning rate, as one types"),
        Binding("f4", "problems", "Problems", show=False, tooltip="Go to the list of problems"),
    ]

    def __init__(self, path: Path, launcher: Launcher, *, at: Problem | None = None) -> None:
        """`at`: what one comes to mend."""
        super().__init__(path)
        self._at = at
        self.launcher = launcher
        self.add_class("-form")
        self._rest: Timer | None = None
        self._place: Key = ("data",)  # where one was in the form

    def compose(self) -> ComposeResult:
        yield Static("", id="title")
        with Horizontal(id="sides"):
            yield ExperimentForm()
            yield TomlText()
        yield PlannedLr(self.launcher)
        yield ProblemList()
        yield Static("", id="help", markup=False)
        yield KeyLine(always=("save", "leave", "explain", "other_side"))

    async def on_mount(self) -> None:
        if not self.read():
            return
        text = self.query_one(TomlText)
        text.show(self.document.shown)
        text.move_cursor((0, 0))
        await self._settle()
        if self.document.values is None:
            self._show_side("-text")
        else:
            self.query_one(ExperimentForm).focus_path(self._place)
        if self._at is not None:
            self._go_to(self._at)

    # One document, two views

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        event.stop()
        self.document.retyped(event.text_area.text)
        self._changed()

    def on_field_row_edited(self, message: FieldRow.Edited) -> None:
        message.stop()
        try:
            self.document.set_text(message.path, meant(message.toml), typing=True)
        except (EditError, KeyError) as error:
            self.query_one(ExperimentForm).tell_at(message.path, f"not a value yet: {error}")
            return
        self._changed()

    @work
    async def on_field_row_asked(self, message: FieldRow.Asked) -> None:
        row, document = message.row, self.document
        if row.path == FREEZE:
            self.action_freezing()
            return
        toml = await ask_for_value(self, row, document.values or {}, document.path)
        if toml is not None:
            await self._edit(lambda: document.set_text(row.path, toml))

    @work
    async def action_freezing(self) -> None:
        """The module tree, with what is frozen of it."""
        words = await ask_freezing(self.app, self.document, self.launcher)
        if words is not None:
            await self._edit(lambda: self.document.set_words(FREEZE, words))

    def _changed(self) -> None:
        self.query_one(TomlText).show(self.document.shown)
        self.show_title()
        if self._rest is not None:
            self._rest.stop()
        self._rest = self.set_timer(REST_SECONDS, self._settle)

    async def _settle(self, *, typing: bool = True) -> None:
        """Read the text: the form's values and shape, and the problems. The row that is typed in
        keeps what is typed there, unless something else changed it."""
        if self._rest is not None:
            self._rest.stop()
        form, document = self.query_one(ExperimentForm), self.document
        values = document.values
        if values is not None:
            fresh = form_of(values, document.value_texts())
            await form.show(fresh, typing=form.focused_path if typing else None)
        form.set_class(values is None, "-waits")
        form.disabled = values is None
        problems = document.problems()
        form.tell(problems if values is not None else ())
        self.query_one(ProblemList).show(problems)
        self.query_one(PlannedLr).follow(document, problems)
        self.show_title()
        self._show_help()

    async def show_document(self) -> None:
        """All of it anew."""
        await self._edit(lambda: None)

    async def _edit(self, change: Callable[[], Key | None]) -> None:
        """A change at one stroke, which says where one is then; what can't be done is told."""
        try:
            focus = change()
        except (EditError, KeyError) as error:
            self.notify(str(error), severity="warning", markup=False)
            return
        self.query_one(TomlText).show(self.document.shown)
        await self._settle(typing=False)
        if focus is not None:
            self.query_one(ExperimentForm).focus_path(focus)

    def show_title(self) -> None:
        document = self.document
        mark = " •" if document.dirty else ""
        waits = f"  {WAITS}" if self.query_one(ExperimentForm).has_class("-waits") else ""
        name, folder = (f"{document.path.name}{mark}", "bold"), f"  {document.path.parent}"
        title = Content.assemble(name, folder, (waits, "$text-warning"))
        self.query_one("#title", Static).update(title)

    def on_descendant_focus(self) -> None:
        self._place = self.query_one(ExperimentForm).focused_path or self._place
        self._show_help()

    def _show_help(self) -> None:
        form = self.query_one(ExperimentForm)
        row, block = form.focused_row, form.focused_block
        help_ = row.help if row is not None else block.table.help if block is not None else ""
        self.query_one("#help", Static).update(help_)

    def on_experiment_form_explain(self, message: ExperimentForm.Explain) -> None:
        row, table = message.row, message.table
        keys = keys_of(self)
        self.app.push_screen(FieldHelpDialog(title_of(row, table), help_on(row, table), keys))

    # Sections, keys and members

    @work
    async def on_experiment_form_add(self, message: ExperimentForm.Add) -> None:
        try:
            table = can_add(message.table)
        except EditError as error:
            self.notify(str(error), severity="warning", markup=False)
            return
        options = [(choice.name, choice.help) for choice in table.addable]
        asked = ChooseScreen(f"Add to {table.title}", options, narrowed=True)
        chosen = await self.app.push_screen_wait(asked)
        if chosen is not None:
            form = self.query_one(ExperimentForm).form
            await self._edit(lambda: add(self.document, form, table, chosen))

    async def on_experiment_form_remove(self) -> None:
        await self._settle()  # what was typed just now may have moved the members
        form = self.query_one(ExperimentForm)
        await self._edit(lambda: remove(self.document, form.focused_table, form.focused_path))

    async def on_experiment_form_move(self, message: ExperimentForm.Move) -> None:
        await self._settle()
        table = self.query_one(ExperimentForm).focused_table
        await self._edit(lambda: move(self.document, table, message.by))

    # Where one is

    def action_other_side(self) -> None:
        self._show_side("-text" if self.query_one(TomlText).has_focus is False else "-form")

    def _show_side(self, side: str) -> None:
        self.set_class(side == "-form", "-form")
        self.set_class(side == "-text", "-text")
        form, text = self.query_one(ExperimentForm), self.query_one(TomlText)
        if side == "-text":
            self.set_focus(text)  # at once: the next key is the text's
        else:
            form.focus_path(self._place)

    def action_plan(self) -> None:
        """Show the curve, go into it, hide it."""
        if not self.query_one(PlannedLr).show_or_leave():
            self.query_one(ExperimentForm).focus_path(self._place)

    def action_problems(self) -> None:
        problems = self.query_one(ProblemList)
        if problems.problems:
            problems.highlighted = problems.highlighted or 0
            problems.focus()

    def on_problem_list_chosen(self, message: ProblemList.Chosen) -> None:
        message.stop()
        self._go_to(message.problem)

    def _go_to(self, problem: Problem) -> None:
        """To its field; where the form has none, to its line of the text."""
        form = self.query_one(ExperimentForm)
        place = place_of(problem, form.form)
        if place and not form.disabled:
            self._place = place
            self._show_side("-form")
        else:
            self._show_side("-text")
            self.query_one(TomlText).go_to(problem.line or 1)

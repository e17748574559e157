"""The experiments of a folder, a row each: `▸ ants.toml •`, `bad.toml ✗2`."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from textual.binding import Binding
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tui.experiments import ExperimentEntry, ExperimentFolder

NONE_YET = "no experiments here yet: n makes one from a template, as `ptrain new FILE` does"


class ExperimentList(OptionList):
    """Says which one is chosen; repaints only when a name, a mark or a number has changed."""

    DEFAULT_CSS = "ExperimentList { height: 1fr; }"

    BINDINGS = [
        Binding("n", "new", "New", tooltip="A new experiment, from a template"),
        Binding("d", "duplicate", "Duplicate", tooltip="Copy the chosen experiment"),
    ]

    class New(Message):
        """Asks for a new experiment: as a copy of this one, else from a template."""

        def __init__(self, copy_of: Path | None = None) -> None:
            super().__init__()
            self.copy_of = copy_of

    class Chosen(Message):
        """The cursor is on this experiment now, or (with `entered`) it was picked."""

        def __init__(self, path: Path, *, entered: bool) -> None:
            super().__init__()
            self.path, self.entered = path, entered

    def __init__(self, folder: Path, *, id: str | None = None) -> None:
        super().__init__(id=id, markup=False)
        self._folder = ExperimentFolder(folder)
        self._rows: list[tuple[Path, str]] | None = None
        self.unsaved: Collection[Path] = ()

    @property
    def chosen(self) -> Path | None:
        """Under the cursor."""
        place, rows = self.highlighted, self._rows or []
        return rows[place][0] if place is not None and place < len(rows) else None

    def on_mount(self) -> None:
        self.look()

    def look(self, unsaved: Collection[Path] | None = None) -> None:
        """Read the folder again. `unsaved` are those that are being edited; default: as before."""
        if unsaved is not None:
            self.unsaved = unsaved
        rows = [(entry.path, _marks(entry, self.unsaved)) for entry in self._folder.look()]
        if rows == self._rows:
            return
        chosen = self.chosen
        self._rows = rows
        self._lay(chosen)

    def choose(self, path: Path) -> None:
        """Put the cursor on a file, if it is there; it may have just come to be."""
        self.look()
        paths = [each for each, _ in self._rows or []]
        if path in paths:
            self.highlighted = paths.index(path)

    def action_new(self) -> None:
        self.post_message(self.New())

    def action_duplicate(self) -> None:
        if self.chosen is not None:
            self.post_message(self.New(self.chosen))

    def _lay(self, chosen: Path | None) -> None:
        with self.prevent(OptionList.OptionHighlighted):
            self.clear_options()
            rows = self._rows or []
            self.add_options([Option(self._prompt(path, marks, chosen)) for path, marks in rows])
            if not rows:
                self.add_option(Option(NONE_YET, disabled=True))
            paths = [path for path, _ in rows]
            place = paths.index(chosen) if chosen in paths else 0 if paths else None
            self.highlighted = place
        if place is not None and paths[place] != chosen:
            self._mark(paths[place])
            self.post_message(self.Chosen(paths[place], entered=False))

    def _prompt(self, path: Path, marks: str, chosen: Path | None) -> Content:
        sign = "▸" if path == chosen else " "
        style = "$text-error" if marks.startswith("✗") else "bold"
        return Content.assemble(f"{sign} {path.name} ", (marks, style))

    def _mark(self, chosen: Path) -> None:
        """The sign at the chosen one, and at no other."""
        for place, (path, marks) in enumerate(self._rows or []):
            prompt = self._prompt(path, marks, chosen)
            if self.get_option_at_index(place).prompt != prompt:
                self.replace_option_prompt_at_index(place, prompt)

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        self._tell(entered=False)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self._tell(entered=True)

    def _tell(self, *, entered: bool) -> None:
        if (chosen := self.chosen) is not None:
            self._mark(chosen)
            self.post_message(self.Chosen(chosen, entered=entered))


def _marks(entry: ExperimentEntry, unsaved: Collection[Path]) -> str:
    problems = f"✗{len(entry.problems)}" if entry.problems else ""
    return " ".join(mark for mark in (problems, "•" if entry.path in unsaved else "") if mark)

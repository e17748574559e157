"""The runs, a row each: a sign for how each is, its name, how far or how good, and its id."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.text import Text
from textual.binding import Binding
from textual.message import Message
from textual.widgets import DataTable

from engine.contract.canvas import sample
from tui.overlay import Look
from tui.run_list import WatchedRun
from tui.summary import outcome, sign

COLUMNS = {"run": 18, "how": 11, "id": 20}  # cells; the id goes out of sight first


@dataclass(frozen=True)
class _Name:
    """The first cell: who it is, whether it is pinned, and its line in the charts."""

    words: str
    pinned: bool
    look: Look | None


Words = tuple[_Name | str, ...]


class RunTable(DataTable[Text]):
    """Says which run the cursor is on; a row is repainted only when its words have changed."""

    class Asked(Message):
        """Something is wanted of this run."""

        def __init__(self, path: Path) -> None:
            super().__init__()
            self.path = path

    class Chosen(Asked):
        """The cursor is on it now."""

    class Overlay(Asked):
        """Draw it together with others, or not any more."""

    class Pin(Asked):
        """Keep it on top, or not any more."""

    class Edited(Message):
        """It is asked what was edited since the chosen run was launched."""

    DEFAULT_CSS = "RunTable { height: 1fr; scrollbar-size-horizontal: 0; }"
    BINDINGS = [
        Binding("space", "overlay", "Overlay", tooltip="Overlay this run, or not any more"),
        Binding("p", "pin", "Pin", show=False, tooltip="Keep this run on top, or not any more"),
        Binding("home", "scroll_top", "", show=False, tooltip="The first run"),
        Binding("end", "scroll_bottom", "", show=False, tooltip="The last run"),
        Binding("j", "cursor_down", "", show=False, tooltip="The next run"),
        Binding("k", "cursor_up", "", show=False, tooltip="The run before"),
        Binding("D", "edited", "Edited?", show=False, tooltip="What was edited since its launch"),
    ]

    def __init__(self) -> None:
        super().__init__(cursor_type="row", show_header=False)
        self._shown: dict[str, Words] = {}

    def on_mount(self) -> None:
        for column, width in COLUMNS.items():
            self.add_column(column, key=column, width=width)

    def show(
        self,
        runs: Sequence[WatchedRun],
        looks: Mapping[Path, Look] | None = None,
        pinned: Collection[Path] = (),
    ) -> None:
        """Bring the rows up to date. New and deleted runs lay all rows anew, in order. `looks`:
        how the lines of the overlaid ones look."""
        looks = looks or {}
        rows = {
            str(watched.run.path): _words(watched, looks.get(watched.run.path), pinned)
            for watched in runs
        }
        if list(rows) != list(self._shown):
            self._lay(rows)
        for path, words in rows.items():
            before = self._shown[path]
            if words == before:
                continue
            for column, word, earlier in zip(COLUMNS, words, before, strict=True):
                if word != earlier:
                    self.update_cell(path, column, _cell(word))
        self._shown = rows

    @property
    def chosen(self) -> Path | None:
        """The run under the cursor."""
        paths = list(self._shown)
        return Path(paths[self.cursor_row]) if 0 <= self.cursor_row < len(paths) else None

    def choose(self, path: Path) -> bool:
        """Put the cursor on a run; whether it is there."""
        if str(path) in self._shown:
            self.move_cursor(row=self.get_row_index(str(path)))
        return str(path) in self._shown

    def _lay(self, rows: dict[str, Words]) -> None:
        before = list(self._shown)
        at = before[self.cursor_row] if self.cursor_row < len(before) else ""
        self.clear()
        for path, words in rows.items():
            self.add_row(*map(_cell, words), key=path)
        self._shown = rows
        self.move_cursor(row=list(rows).index(at) if at in rows else 0)

    def _ask(self, message: type[RunTable.Asked]) -> None:
        if (path := self.chosen) is not None:
            self.post_message(message(path))

    def action_overlay(self) -> None:
        self._ask(self.Overlay)

    def action_pin(self) -> None:
        self._ask(self.Pin)

    def action_edited(self) -> None:
        self.post_message(self.Edited())

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        event.stop()
        if event.row_key.value is not None:
            self.post_message(self.Chosen(Path(event.row_key.value)))


def _words(watched: WatchedRun, look: Look | None, pinned: Collection[Path]) -> Words:
    name = _Name(f"{sign(watched)} {watched.run.name}", watched.run.path in pinned, look)
    return (name, outcome(watched), watched.run.id)


def _cell(word: _Name | str) -> Text:
    """What is to be seen of a name's marks is at the right end."""
    words = word if isinstance(word, str) else word.words
    cell = Text(words.replace("\n", " "), no_wrap=True, overflow="ellipsis")  # no markup in names
    if isinstance(word, str) or not (word.pinned or word.look):
        return cell
    tail = Text(" ^" if word.pinned else "  ", "bold")
    if word.look is not None:
        tail.append_text(sample(word.look.style, ascii=False, width=3, colour=word.look.colour))
    cell.truncate(COLUMNS["run"] - len(tail), overflow="ellipsis", pad=True)
    return cell.append_text(tail)

"""Which charts are shown: a list to tick off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text
from textual.binding import Binding
from textual.widget import Widget
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tui.chart_contents import Named
from tui.screens.dialog import Dialog


@dataclass(frozen=True)
class Shown:
    """`keys` of the charts; None for as many as there is room for."""

    keys: list[str] | None


class ChartsDialog(Dialog[Shown]):
    """Answers with what is to be shown."""

    BINDINGS = [
        Binding("space,x", "tick", "Show/hide", tooltip="Show this chart, or hide it"),
        Binding("a", "by_itself", "As many as fit", tooltip="Show as many charts as fit"),
        Binding("enter", "done", "Done", priority=True, tooltip="Show what is ticked"),
    ]

    def __init__(self, named: Sequence[Named], shown: Sequence[str], *, by_itself: bool) -> None:
        now = "as many as fit are shown" if by_itself else "you chose these"
        super().__init__(
            f"Charts: {now}", "space: show or hide   enter: done   a: as many as fit   escape: back"
        )
        self._named, self._ticked = named, set(shown)

    def content(self) -> list[Widget]:
        return [OptionList(*(Option(self._words(each), id=each.key) for each in self._named))]

    def _words(self, named: Named) -> Text:
        return Text(f"[{'x' if named.key in self._ticked else ' '}] {named.title}", no_wrap=True)

    def on_mount(self) -> None:
        self.query_one(OptionList).highlighted = 0

    def action_tick(self) -> None:
        options = self.query_one(OptionList)
        if options.highlighted is None:
            return
        named = self._named[options.highlighted]
        self._ticked ^= {named.key}
        options.replace_option_prompt(named.key, self._words(named))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """By the mouse: enter is done."""
        event.stop()
        self.action_tick()

    def action_by_itself(self) -> None:
        self.dismiss(Shown(None))

    def action_done(self) -> None:
        """Of none of them nothing could be seen."""
        keys = [named.key for named in self._named if named.key in self._ticked]
        if keys:
            self.dismiss(Shown(keys))
        else:
            self.notify("tick at least one", severity="warning")

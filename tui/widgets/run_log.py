"""What a run began with, what its engine prints and what it tells, as they come."""

from __future__ import annotations

import asyncio
from pathlib import Path

from rich.highlighter import Highlighter
from rich.style import Style
from rich.text import Text
from textual import work
from textual.binding import Binding
from textual.message import Message
from textual.strip import Strip
from textual.widgets import Log

from engine.contract.news import words
from tui.console import Console
from tui.log_search import LogWindow, matcher, places, window
from tui.run_list import WatchedRun

LINES = 2000  # kept; the file has them all


class RunLog(Log):
    """Follows the end, unless one has scrolled up. While a word is looked for it stands still, and
    shows a part of the file around the place that was found."""

    class Close(Message):
        """The search is over."""

    DEFAULT_CSS = "RunLog { border: none; overflow: auto; scrollbar-size-horizontal: 0; }"
    BINDINGS = [
        Binding("n,enter", "go(True)", "Above", show=False, tooltip="The match above"),
        Binding("N", "go(False)", "Below", show=False, tooltip="The match below"),
        Binding("escape", "close", "Close", show=False, tooltip="End the search"),
    ]

    def __init__(self) -> None:
        super().__init__(max_lines=LINES)
        self._run: Path | None = None
        self._watched: WatchedRun | None = None
        self._tail = Console(Path())
        self._told = 0
        self._reported = False
        self._word = ""
        self._window = LogWindow([], 0, 0, 0, True)
        self._at = -1  # the line of the match that one is at

    def show(self, watched: WatchedRun | None) -> None:
        if watched is None or watched.run.path != self._run:
            self._begin(watched)
        if watched is None or self._word:
            return
        lines: list[str] = []
        if not self._reported and watched.state.started is not None:
            self._reported = True
            lines += watched.state.started.report
        lines += self._tail.look()
        lines += _news(watched, self._told)
        self._told = len(watched.state.news)
        if lines:
            self.write_lines(lines, scroll_end=self.is_vertical_scroll_end)

    def _begin(self, watched: WatchedRun | None) -> None:
        """Anew, of this run."""
        self.clear()
        if self._word:
            self._word = ""
            self.post_message(self.Close())
        self._watched = watched
        self._run = watched.run.path if watched is not None else None
        self._told, self._reported = 0, False
        self._tail = Console(watched.run.console if watched is not None else Path())
        self.highlight, self._at = False, -1

    # Looking for a word

    def action_close(self) -> None:
        """Back to the end, and on with it."""
        if self._word:
            self._begin(self._watched)  # which tells that it is closed
            self.show(self._watched)
            self.scroll_end(animate=False)

    def look_for(self, word: str) -> None:
        """Go to its last place; without a word the search ends."""
        if not word or self._watched is None:
            self.action_close()
            return
        self._word, self.highlight = word, True
        self.highlighter = _Marks(word)
        self._lay(None)
        self._at = len(self.lines)
        self.action_go(True)

    def action_go(self, upwards: bool) -> None:
        if self._word:
            self._go(upwards)

    @work(exclusive=True)
    async def _go(self, upwards: bool) -> None:
        """To the next match, of what is shown or else of the rest of the file."""
        if self._step(upwards) or await self._found_outside(upwards):
            self.scroll_to(y=max(0, self._at - self.size.height // 2), animate=False)
            self.refresh()
        else:
            self.app.notify(f"no {self._word!r} {'above' if upwards else 'below'}", markup=False)

    def _step(self, upwards: bool) -> bool:
        """Whether there is a match in what is shown; then one is at it."""
        after = range(self._at + 1, len(self.lines))
        before = range(min(self._at, len(self.lines)) - 1, -1, -1)
        word = matcher(self._word)
        for number in before if upwards else after:
            if word.search(self.lines[number]):
                self._at = number
                return True
        return False

    async def _found_outside(self, upwards: bool) -> bool:
        """What is in the bytes may not be in the lines: in a colour's code, or written over."""
        begin = self._window.begin if upwards else self._window.end
        path, before = self._tail.path, (self._window, self._at)
        try:
            for place in places(path, self._word, begin, upwards=upwards):
                if place is None:
                    await asyncio.sleep(0)  # keys are answered meanwhile
                    continue
                self._lay(place)
                self._at = self._window.at + (1 if upwards else -1) + self._reports()
                if self._step(upwards):
                    return True
        except OSError:
            return False
        if self._window is not before[0]:
            self._lay(before[0].begin)
            self._at = before[1]
        return False

    def _lay(self, place: int | None) -> None:
        """Show the file around there; at its ends what a run began with, and what it tells."""
        watched = self._watched
        try:
            self._window = window(self._tail.path, place)
        except OSError:
            self._window = LogWindow([], 0, 0, 0, True)
        lines = list(self._window.lines)
        if watched is not None and self._window.begin == 0 and watched.state.started is not None:
            lines = [*watched.state.started.report, *lines]
        if watched is not None and self._window.last:
            lines += _news(watched, 0)
        self.clear()
        self.max_lines = None
        self.write_lines(line or " " for line in lines)
        self.max_lines = LINES

    def _reports(self) -> int:
        started = self._watched.state.started if self._watched is not None else None
        return len(started.report) if started is not None and self._window.begin == 0 else 0

    def render_line(self, y: int) -> Strip:
        strip = super().render_line(y)
        here = self._word and self.scroll_offset.y + y == self._at
        return strip.apply_style(Style(bold=True, underline=True)) if here else strip


class _Marks(Highlighter):
    """Every match, in reverse: seen without colours too."""

    def __init__(self, word: str) -> None:
        self._word = matcher(word)

    def highlight(self, text: Text) -> None:
        text.highlight_regex(self._word, style="reverse")


def _news(watched: WatchedRun, since: int) -> list[str]:
    state = watched.state
    return [line for event in state.news[since:] for line in words(event, state.epochs)]

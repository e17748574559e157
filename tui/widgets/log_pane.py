"""The log, and the line below it in which a word is asked for."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.widgets import Input

from tui.widgets.run_log import RunLog


class _Word(Input):
    """Left by escape, which ends the search."""

    BINDINGS = [Binding("escape", "close", "Close", tooltip="End the search")]

    def action_close(self) -> None:
        self.post_message(RunLog.Close())


class LogPane(Vertical):
    """The line is there only while one searches."""

    DEFAULT_CSS = """
    LogPane RunLog { height: 1fr; }
    """
    BINDINGS = [Binding("slash", "search", "Search", tooltip="Look for a word in the log")]

    def compose(self) -> ComposeResult:
        yield RunLog()
        word = _Word(placeholder="a word; enter, n: above  N: below", compact=True)
        word.display = False
        yield word

    @property
    def word(self) -> Input:
        return self.query_one(_Word)

    def action_search(self) -> None:
        """At once: what is typed next is the word, and no key of the log."""
        self.word.display = True
        self.screen.set_focus(self.word)

    @on(RunLog.Close)
    def _close(self, message: RunLog.Close) -> None:
        message.stop()
        log = self.query_one(RunLog)
        if self.word.has_focus:
            self.screen.set_focus(log)
        self.word.value = ""
        self.word.display = False
        log.action_close()

    @on(Input.Submitted)
    def _look(self, message: Input.Submitted) -> None:
        message.stop()
        log = self.query_one(RunLog)
        self.screen.set_focus(log)
        if message.value:
            log.look_for(message.value)
        else:
            self.post_message(RunLog.Close())

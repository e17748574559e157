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
    LogPane Input { display: none; }
    LogPane.-searching Input { display: block; }
    """

    def compose(self) -> ComposeResult:
        yield RunLog()
        yield _Word(placeholder="a word; enter, n: above  N: below", compact=True)

    @on(RunLog.Search)
    def _ask(self, message: RunLog.Search) -> None:
        message.stop()
        self.add_class("-searching")
        self.query_one(Input).focus()

    @on(RunLog.Close)
    def _close(self, message: RunLog.Close) -> None:
        message.stop()
        log = self.query_one(RunLog)
        if self.query_one(Input).has_focus:
            log.focus()
        self.query_one(Input).value = ""
        self.remove_class("-searching")
        log.action_close()

    @on(Input.Submitted)
    def _look(self, message: Input.Submitted) -> None:
        message.stop()
        log = self.query_one(RunLog)
        log.focus()
        if message.value:
            log.look_for(message.value)
        else:
            self.post_message(RunLog.Close())

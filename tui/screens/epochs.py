"""How many epochs a run is to have."""

from __future__ import annotations

from textual.widget import Widget
from textual.widgets import Input

from tui.screens.dialog import Dialog


class EpochsDialog(Dialog[int]):
    """Answers with the number of epochs in all, at least `least`."""

    def __init__(self, title: str, now: int, least: int) -> None:
        super().__init__(title, f"enter: take it, at least {least}   escape: leave it")
        self._now, self._least = now, least

    def content(self) -> list[Widget]:
        return [Input(str(self._now), type="integer")]

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        number = int(event.value) if event.value.isdecimal() else 0
        if number >= self._least:
            self.dismiss(number)
        else:
            self.notify(f"{event.value or 'nothing'}: at least {self._least}", severity="error")

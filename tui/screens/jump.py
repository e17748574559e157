"""A letter at each part of the screen that can have the focus; the next key goes there."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from textual import events
from textual.app import ComposeResult
from textual.errors import NoWidget
from textual.geometry import Offset, Size
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.widgets import Label

LETTERS = "asdfghjklqwertyuiopzxcvbnm1234567890"  # the nearest to the fingers first
WIDTH = 2  # columns of a mark; the rows of the form begin with as many that are empty


class JumpScreen(ModalScreen[Widget | None]):
    """Dismissed with the widget to go to; with None by any other key."""

    DEFAULT_CSS = """
    JumpScreen { background: transparent; layers: marks; }
    JumpScreen Label { position: absolute; width: 2; height: 1; layer: marks; text-style: bold;
        background: $accent; color: $background; }
    """

    def __init__(self, places: Sequence[tuple[Widget, Offset]]) -> None:
        super().__init__()
        self._size_before: Size | None = None
        self._places = list(zip(LETTERS, places, strict=False))

    def compose(self) -> ComposeResult:
        for letter, (_, place) in self._places:
            label = Label(f"{letter} ", markup=False)
            label.styles.offset = (place.x, place.y)
            yield label

    def on_key(self, event: events.Key) -> None:
        event.stop()
        found = [widget for letter, (widget, _) in self._places if letter == event.character]
        self.dismiss(found[0] if found else None)

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self.dismiss(None)

    def on_resize(self, event: events.Resize) -> None:
        """The letters would stand where nothing is any more."""
        if self._size_before not in (None, event.size):
            self.dismiss(None)
        self._size_before = event.size


def places_in(screen: Screen[object]) -> list[tuple[Widget, Offset]]:
    """What can be gone to and is seen, each with where its letter stands: from the top down."""
    places = []
    for widget in screen.focus_chain:
        with suppress(NoWidget):  # of a pane that is not shown
            region = screen.find_widget(widget).visible_region
            if region and region.width >= WIDTH:
                places.append((widget, region.offset))
    return sorted(places, key=lambda place: (place[1].y, place[1].x))

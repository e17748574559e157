"""The keys of where one is, in one line: as many as there is room for, each of them whole."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len
from textual.binding import ActiveBinding
from textual.content import Content
from textual.keys import KEY_NAME_REPLACEMENTS
from textual.screen import Screen
from textual.widgets import Static

GAP = "  "
_UNICODE_NAMES = {short: name for name, short in KEY_NAME_REPLACEMENTS.items()}


@dataclass(frozen=True)
class ShownKey:
    """`key` is Textual's name of it, `shown` what a person reads."""

    key: str
    shown: str
    does: str
    action: str

    @property
    def width(self) -> int:
        return cell_len(f"{self.shown} {self.does}")


class KeyLine(Static):
    """The focused widget's keys come first, then the screen's, then the app's; the actions in
    `always` keep their place when there is no room for all."""

    DEFAULT_CSS = """
    KeyLine { dock: bottom; height: 1; background: $footer-background; text-wrap: nowrap;
        color: $footer-description-foreground; }
    """

    def __init__(self, always: Collection[str] = ("help", "quit")) -> None:
        super().__init__()
        self.auto_links = False  # a click on a key presses it, but it is no link to be underlined
        self._always = always
        self._keys: list[ShownKey] = []

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._look)

    def on_resize(self) -> None:
        self._look(self.screen)

    def _look(self, screen: Screen[Any]) -> None:
        """Repaints only when other keys hold, or another number of them fits."""
        keys = fitting(keys_in(screen), self._always, self.size.width)
        if keys != self._keys:
            self._keys = keys
            self.update(Content(GAP).join(_painted(key) for key in keys))

    @property
    def keys(self) -> list[str]:
        """What is read there."""
        return [f"{key.shown} {key.does}" for key in self._keys]


def reachable(screen: Screen[Any]) -> list[ActiveBinding]:
    """The keys that do something where the focus is: an entry takes the letters for itself."""
    focused = screen.focused
    return [
        active
        for key, active in screen.active_bindings.items()
        if active.enabled
        and (
            focused is None
            or active.binding.priority
            or not focused.check_consume_key(key, character_of(key))
        )
    ]


def keys_in(screen: Screen[Any]) -> list[ShownKey]:
    """Those that a line of keys shows, an action once."""
    shown: dict[tuple[str, str], ShownKey] = {}
    for active in reachable(screen):
        binding = active.binding
        if binding.show and binding.description:
            key = ShownKey(
                binding.key,
                screen.app.get_key_display(binding),
                binding.description,
                binding.action.rpartition(".")[2],
            )
            shown.setdefault((key.action, key.does), key)
    return list(shown.values())


def fitting(keys: Sequence[ShownKey], always: Collection[str], width: int) -> list[ShownKey]:
    """In their order: those that are always there, then the first of the others, in `width`
    columns."""
    room, chosen = width + len(GAP), set[ShownKey]()
    for key in sorted(keys, key=lambda key: key.action not in always):
        if key.width + len(GAP) > room:
            break
        room -= key.width + len(GAP)
        chosen.add(key)
    return [key for key in keys if key in chosen]


def character_of(key: str) -> str | None:
    """What a key types; None for one that types nothing."""
    if len(key) == 1:
        return key
    try:
        return unicodedata.lookup(_UNICODE_NAMES.get(key, key).replace("_", " "))
    except KeyError:
        return None


def _painted(key: ShownKey) -> Content:
    words = Content.assemble((key.shown, "bold $footer-key-foreground"), f" {key.does}")
    return words.stylize(f"@click=app.simulate_key({key.key!r})")

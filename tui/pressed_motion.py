"""A terminal driver that is told of the mouse's way only while a button is held.

Textual asks for every motion (1003): over a slow line that is traffic for nothing, because nothing
here looks at a pointer that hovers. Dragging needs 1002.
"""

from __future__ import annotations

from textual.driver import Driver

EVERY, PRESSED = "\x1b[?1003", "\x1b[?1002"


def pressed_motion(driver: type[Driver]) -> type[Driver]:
    """That driver, asking for less. One that asks for nothing of the kind is as it was."""

    class PressedMotion(driver):  # type: ignore[valid-type, misc]
        def write(self, data: str) -> None:
            super().write(data.replace(EVERY, PRESSED))

    return PressedMotion

"""The terminal is asked for the mouse's way only while a button is held."""

from textual.driver import Driver

from tui.pressed_motion import pressed_motion


class Written(Driver):
    said = ""

    def write(self, data: str) -> None:
        self.said += data

    def start_application_mode(self) -> None: ...
    def disable_input(self) -> None: ...
    def stop_application_mode(self) -> None: ...


def test_it_asks_for_drags_and_takes_that_back() -> None:
    driver = object.__new__(pressed_motion(Written))
    driver.write("\x1b[?1000h\x1b[?1003h")
    driver.write("text\x1b[?1003l")
    assert driver.said == "\x1b[?1000h\x1b[?1002htext\x1b[?1002l"  # type: ignore[attr-defined]

"""Asking the drivers how busy the devices are, beside the screen."""

from __future__ import annotations

import threading
from collections.abc import Callable

from engine.contract.devices import Device


class DeviceWatch:
    """One question at a time, in a daemon thread: a driver that hangs holds up nothing else, the
    end of the dashboard included."""

    def __init__(self, ask: Callable[[], list[Device]]) -> None:
        self._ask = ask
        self._thread: threading.Thread | None = None
        self.known: list[Device] = []

    def look(self) -> None:
        """Begin to ask, unless the last answer is still awaited."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._look, daemon=True)
            self._thread.start()

    def _look(self) -> None:
        self.known = self._ask()

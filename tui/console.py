"""The last lines of a growing console.log."""

from __future__ import annotations

import re
from pathlib import Path

TAIL = 1 << 16  # bytes read of a log that is met for the first time

_ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|.)")


class Console:
    """Read from where the last look ended; a line without its newline is not there yet."""

    def __init__(self, path: Path) -> None:
        self.path, self._offset = path, -1

    def look(self) -> list[str]:
        """The lines that are new, as a terminal would have left them."""
        try:
            with self.path.open("rb") as file:
                size = file.seek(0, 2)
                if size == self._offset:
                    return []
                begin = self._begin(size)
                file.seek(begin)
                content = file.read()
        except OSError:
            return []
        end = content.rfind(b"\n") + 1
        self._offset = begin + end
        lines = content[:end].decode(errors="replace").split("\n")[:-1]
        return [as_left(line) for line in lines]

    def _begin(self, size: int) -> int:
        met = 0 <= self._offset <= size
        return self._offset if met else max(0, size - TAIL)


def as_left(line: str) -> str:
    """Without colours, and of a line that was written over, the last writing."""
    plain = _ESCAPES.sub("", line).rstrip("\r")
    return plain.rpartition("\r")[2].expandtabs()

"""The user's file while it is edited: their comments, order and line endings stay theirs.

`text` is what is edited, line breaks as in the file; `saved` is what the file holds. Every change
is a step that can be undone. Nothing that someone else wrote to the file meanwhile is overwritten
unasked.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.contract.problems import InputError, Problem
from engine.contract.run_directory import write_atomically
from engine.contract.toml_file import contents, read_bytes
from tui import toml_edit, toml_words
from tui.toml_blocks import EditError
from tui.toml_spans import Path as Key
from tui.toml_spans import spans_of

BOM = b"\xef\xbb\xbf"  # some editors of Windows write it in front
TYPING_SECONDS = 0.8  # letters typed faster than this are undone together
STEPS = 1000  # that can be undone, of a text of a page
# What a text widget takes for a line break; each is one character there, and \r\n is one too.
_BREAKS = re.compile("\r\n|[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]")


class ConflictError(Exception):
    """The file is not what it was when it was read: someone else has written or deleted it."""


class TomlDocument:
    """A file that is edited. Raises InputError where the file can't be read as text."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self._clock = clock
        self._undo: list[str] = []
        self._redo: list[str] = []
        self._typed_at = -TYPING_SECONDS
        self._read()

    def _read(self) -> None:
        raw = contents(self.path)
        self._bom = BOM if raw.startswith(BOM) else b""
        try:
            self.text = self.saved = raw.removeprefix(BOM).decode()
        except UnicodeDecodeError as error:
            line = raw.count(b"\n", 0, error.start) + 1
            message, hint = f"byte {error.start} is not UTF-8", "save the file as UTF-8"
            raise InputError(Problem(message, "", hint, self.path, line)) from None

    @property
    def content(self) -> bytes:
        """What saving would write."""
        return self._bom + self.text.encode()

    @property
    def dirty(self) -> bool:
        return self.text != self.saved

    # What it says

    @property
    def values(self) -> dict[str, Any] | None:
        """None while the text is no TOML."""
        try:
            return toml_edit.parse(self.text)
        except EditError:
            return None

    def get(self, path: Key) -> Any:
        """The value at a key path. Raises KeyError, and EditError while the text is no TOML."""
        read = toml_edit.at(toml_edit.parse(self.text), path)
        return _plain(read)

    def value_texts(self) -> dict[Key, str]:
        """Each value that stands at one place, as it is written there."""
        if self.values is None:
            return {}
        spans = spans_of(self.text.encode())
        found = {path: pair.value for path, pair in spans.pairs.items()} | spans.elements
        return {path: spans.text[start:end].decode() for path, (start, end) in found.items()}

    def problems(self) -> tuple[Problem, ...]:
        """All that `ptrain check` would say of the text without running anything."""
        try:
            read_bytes(self.path, self.content)
        except InputError as error:
            return error.problems
        return ()

    # Changing it: each raises EditError where the text does not allow it, and changes nothing then

    def set(self, path: Key, value: Any) -> None:
        self.set_text(path, toml_edit.toml_value(value))

    def set_text(self, path: Key, toml: str, *, typing: bool = False) -> None:
        """The value as TOML writes it: `[15, 20]`."""
        self._edit(toml_edit.set_value(self.text.encode(), path, toml), typing=typing)

    def set_words(self, path: Key, words: Sequence[str]) -> None:
        """A list of words; those that stay keep their lines and comments."""
        self._edit(toml_words.set_words(self.text.encode(), path, words))

    def delete(self, path: Key) -> None:
        self._edit(toml_edit.delete(self.text.encode(), path))

    def add_element(self, path: Key, items: Mapping[str, Any]) -> None:
        texts = {key: toml_edit.toml_value(value) for key, value in items.items()}
        self._edit(toml_edit.add_element(self.text.encode(), path, texts))

    def move_element(self, path: Key, position: int, to: int) -> None:
        self._edit(toml_edit.move_element(self.text.encode(), path, position, to))

    def _edit(self, edited: bytes, *, typing: bool = False) -> None:
        self.replace(edited.decode(), typing=typing)

    def replace(self, text: str, *, typing: bool = False) -> None:
        """The whole text; `typing` joins it to the step before if that was typed just now."""
        if text == self.text:
            return
        now = self._clock()
        if not (typing and self._undo and now - self._typed_at < TYPING_SECONDS):
            self._undo.append(self.text)
            del self._undo[:-STEPS]
        self._typed_at = now if typing else -TYPING_SECONDS
        self._redo.clear()
        self.text = text

    def replace_content(self, content: bytes) -> None:
        """As `content` gives it. Raises UnicodeDecodeError."""
        self.replace(content.removeprefix(BOM).decode())

    # For a text widget, which knows one kind of line break

    @property
    def shown(self) -> str:
        """The text with \\n for every line break."""
        return _BREAKS.sub("\n", self.text)

    def retyped(self, shown: str) -> None:
        """`shown` is what a widget made of `self.shown`: what it left alone keeps its bytes."""
        before = self.shown
        if shown == before:
            return
        same = min(len(before), len(shown))
        head = next((i for i in range(same) if before[i] != shown[i]), same)
        rest = same - head
        tail = next((i for i in range(rest) if before[-1 - i] != shown[-1 - i]), rest)
        newline = "\r\n" if "\r\n" in self.text else "\n"
        typed = shown[head : len(shown) - tail].replace("\n", newline)
        start, end = self._place(head), self._place(len(before) - tail)
        self.replace(self.text[:start] + typed + self.text[end:], typing=True)

    def _place(self, shown: int) -> int:
        """The place in `text` of one in `self.shown`."""
        place = shown
        for found in _BREAKS.finditer(self.text):
            if found.start() >= place:
                break
            place += len(found[0]) - 1
        return place

    def undo(self) -> bool:
        """Whether there was something to undo."""
        return self._step(self._undo, self._redo)

    def redo(self) -> bool:
        return self._step(self._redo, self._undo)

    def _step(self, source: list[str], other: list[str]) -> bool:
        if not source:
            return False
        other.append(self.text)
        self.text = source.pop()
        self._typed_at = -TYPING_SECONDS
        return True

    # The file

    def changed_on_disk(self) -> bool:
        """Whether the file holds something else than what was read or saved last."""
        try:
            return self.path.read_bytes() != self._bom + self.saved.encode()
        except OSError:
            return True

    def save(self, *, over: bool = False) -> None:
        """Raises ConflictError if the file has changed on disk, unless `over`, and OSError. A link
        stays a link, and the file keeps its permissions."""
        if not over and self.changed_on_disk():
            raise ConflictError(f"{self.path.name} has changed on disk")
        self._write(self.path)

    def save_as(self, path: Path, *, over: bool = False) -> None:
        """From now on that file is edited. Raises ConflictError if it exists, unless `over`."""
        if not over and path.exists() and path != self.path:
            raise ConflictError(f"{path.name} exists")
        self._write(path)
        self.path = path

    def _write(self, path: Path) -> None:
        target = path.resolve()
        mode = target.stat().st_mode if target.exists() else None
        write_atomically(target, self.content)
        if mode is not None:
            target.chmod(mode)
        self.saved = self.text

    def revert(self) -> None:
        """What the file holds now; can be undone. Raises InputError where it can't be read."""
        text = self.text
        self._read()
        fresh, self.text = self.text, text
        self.replace(fresh)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return float(value[1].replace("_", ""))
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value

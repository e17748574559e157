"""What is typed and not saved, kept in a file beside the one that is edited, so that not even a
kill takes it.

NAME.toml.unsaved begins with a line that says who keeps it; what follows is the text, byte for
byte. Another dashboard that edits the same file keeps NAME.toml.unsaved-2, and so on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from engine.contract.run_directory import Holder, write_atomically

HEAD = b"# what was not saved, kept by ptrain-tui: "


@dataclass(frozen=True)
class Kept:
    """A journal that was found. `holder` is None where nothing says who keeps it."""

    path: Path
    content: bytes
    holder: Holder | None

    def delete(self) -> None:
        """Its text is kept elsewhere now, or not wanted. Raises OSError."""
        self.path.unlink(missing_ok=True)

    @property
    def in_use(self) -> bool:
        """Whether another dashboard of this host that keeps it still runs."""
        if self.holder is None or self.holder == Holder.this_process():
            return False
        return self.holder.here and self.holder.alive

    @property
    def elsewhere(self) -> str:
        """The other host that keeps it, or kept it; from here nobody can tell."""
        return "" if self.holder is None or self.holder.here else self.holder.host


class Journal:
    """Of one file and this process. `keep` and `drop` raise OSError."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._own: Path | None = None
        self._content: bytes | None = None

    def keep(self, content: bytes) -> None:
        """Nothing is written when the same is kept already."""
        if content == self._content:
            return
        holder = json.dumps(vars(Holder.this_process()))
        whole = HEAD + holder.encode() + b"\n" + content
        own = self._own or self._free_name()
        try:
            write_atomically(own, whole)
        except OSError:
            if self._own is None:
                own.unlink(missing_ok=True)
            raise
        self._own, self._content = own, content

    def drop(self) -> None:
        """It is saved, or not wanted."""
        own, self._own, self._content = self._own, None, None
        if own is not None:
            own.unlink(missing_ok=True)

    def _free_name(self) -> Path:
        """Taken with an empty file: two dashboards never write to the same."""
        for path in _names(self.file):
            try:
                path.open("xb").close()
            except FileExistsError:
                continue
            return path
        raise FileExistsError(0, "too many files of unsaved text", str(self.file))


def found_for(file: Path) -> list[Kept]:
    """What there is of a file's unsaved text, of whomever."""
    return [kept for path in _names(file) if (kept := _read(path)) is not None]


def _names(file: Path) -> list[Path]:
    first = file.with_name(f"{file.name}.unsaved")
    return [first, *(first.with_name(f"{first.name}-{number}") for number in range(2, 10))]


def _read(path: Path) -> Kept | None:
    try:
        whole = path.read_bytes()
    except OSError:
        return None
    if not whole:  # another dashboard takes this name just now
        return None
    head, _, content = whole.partition(b"\n")
    if not whole.startswith(HEAD):
        return Kept(path, whole, None)
    try:
        holder = Holder(**json.loads(head.removeprefix(HEAD)))
    except (ValueError, TypeError):
        return Kept(path, content, None)
    return Kept(path, content, holder)


def told_of(kept: Kept) -> str:
    """What a person is asked about."""
    words = f"{kept.path.name} holds what was not saved when a dashboard was ended"
    return f"{words}; the one on the host {kept.elsewhere}, if it has" if kept.elsewhere else words


def told_in_use(kept: Kept) -> str:
    pid = kept.holder.pid if kept.holder is not None else "?"
    return f"another dashboard (process {pid}) has unsaved changes of this file too"

"""How a person left the dashboard, for the next time: one small JSON file, an entry a folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from platformdirs import user_state_path

FOLDERS = 200  # remembered; the one that was left longest ago is forgotten first

Settings = dict[str, Any]
Kind = TypeVar("Kind")


@runtime_checkable
class Remembers(Protocol):
    """A widget with something to remember. What it is given back may be of another version, or
    edited by hand: it takes what it understands (`of_kind`) and raises nothing."""

    remembered: Settings


def of_kind(settings: Mapping[str, Any], key: str, kind: type[Kind], default: Kind) -> Kind:
    """What is remembered there, if it is of that type."""
    value = settings.get(key)
    return value if isinstance(value, kind) else default


def state_file() -> Path:
    """$XDG_STATE_HOME/ptrain/dashboard.json, or where the system keeps such files."""
    return user_state_path("ptrain", appauthor=False) / "dashboard.json"


class Remembered:
    """What is remembered of a folder. A file that can't be read or written is told (`trouble`) and
    stops nothing; without a file nothing is remembered."""

    def __init__(self, file: Path | None, folder: Path) -> None:
        self._file, self._folder = file, str(folder)
        self.trouble = self._told = ""
        folders = self._read()
        last = next(reversed(folders.values()), {})  # a new folder begins with its colours
        theme = {"theme": last["theme"]} if "theme" in last else {}
        self.settings: Settings = folders.get(self._folder, theme)

    def news(self) -> str:
        """The trouble, if it has not been told yet."""
        new = self.trouble if self.trouble != self._told else ""
        self._told = self.trouble
        return new

    def keep(self, settings: Settings) -> None:
        """Write them, if they have changed."""
        if settings == self.settings or self._file is None:
            return
        from engine.contract.run_directory import write_atomically  # psutil: not before the paint

        self.settings = settings
        folders = self._read()  # another dashboard may have written since
        folders.pop(self._folder, None)
        folders[self._folder] = settings
        kept = dict(list(folders.items())[-FOLDERS:])
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._file, json.dumps({"folders": kept}, indent=1).encode())
        except OSError as error:
            self.trouble = f"{self._file} can't be written: {error.strerror}"

    def _read(self) -> dict[str, Settings]:
        if self._file is None:
            return {}
        try:
            folders = json.loads(self._file.read_text(encoding="utf-8"))["folders"]
            return {name: entry for name, entry in folders.items() if isinstance(entry, dict)}
        except FileNotFoundError:
            return {}
        except OSError as error:
            self.trouble = f"{self._file} can't be read: {error.strerror}"
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            self.trouble = f"{self._file} is damaged; what it remembered is forgotten"
        return {}

"""Experiments that wait for their device: `queue.json` in the runs folder.

An entry holds the experiment's text as it was when it was queued, and the file whose folder its
relative paths are relative to. Whoever changes the file holds `queue.lock` for that moment. What
starts the entries is one process a host (`ptrain queue run`), which holds `queue.HOST.lock` while
it lives; without it nothing starts, and nothing is lost.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import socket
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import msgspec

from engine.contract.devices import devices
from engine.contract.problems import InputError, Problem
from engine.contract.run_directory import Holder, RunDirectory, write_atomically
from engine.contract.runs import list_runs

State = Literal["waiting", "starting", "failed"]


class Entry(msgspec.Struct, kw_only=True, omit_defaults=True):
    """`text`: the experiment as it was when it was queued, `overrides` as after `--set`, typed in
    the folder `cwd`. `devices`: those that it needs, on `host`. `run`: its directory, once it is
    being started by the process `starter`. `error`: why it could not start; such an entry waits for
    a person and for nothing else."""

    id: str
    time: float
    host: str
    file: str
    text: str
    devices: list[str]
    overrides: list[str] = []
    cwd: str = "/"
    state: State = "waiting"
    starter: int = 0
    run: str = ""
    error: str = ""

    @property
    def name(self) -> str:
        return Path(self.file).name


class _File(msgspec.Struct):
    entries: list[Entry] = []


@dataclass(frozen=True)
class Queue:
    """The queue of a runs folder. Reading takes one `open`; a missing file is an empty queue."""

    root: Path

    @property
    def path(self) -> Path:
        return self.root / "queue.json"

    def entries(self) -> list[Entry]:
        """In the order in which they start. Raises InputError for a damaged file."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=_File).entries
        except FileNotFoundError:
            return []
        except (OSError, msgspec.MsgspecError) as error:
            hint = "delete it: what it held is lost then"
            raise InputError(Problem(f"{self.path} can't be read: {error}", hint=hint)) from None

    @contextmanager
    def changing(self) -> Iterator[list[Entry]]:
        """The entries, to be changed in place; nobody else changes them meanwhile. Raises OSError
        where the folder can't be written, and InputError."""
        self.root.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.root / "queue.lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            entries = self.entries()
            before = msgspec.json.encode(entries)
            yield entries
            if msgspec.json.encode(entries) != before:
                content = msgspec.json.format(msgspec.json.encode(_File(entries)), indent=1)
                write_atomically(self.path, content + b"\n")
        finally:
            os.close(handle)

    def add(self, file: Path, text: bytes, overrides: Sequence[str], device: str) -> Entry:
        """At the end. `device` as in `train.device`."""
        entry = Entry(
            id=secrets.token_hex(3),
            time=time.time(),
            host=socket.gethostname(),
            file=str(file),
            text=text.decode(),
            devices=canonical(device),
            overrides=list(overrides),
            cwd=str(Path.cwd()),
        )
        with self.changing() as entries:
            entries.append(entry)
        return entry

    def remove(self, id: str) -> bool:
        """False where it is gone already, or being started."""
        with self.changing() as entries:
            found = [entry for entry in entries if entry.id == id and entry.state != "starting"]
            for entry in found:
                entries.remove(entry)
        return bool(found)

    def move(self, id: str, by: int) -> bool:
        """Up (-1) or down (+1); False at an end."""
        with self.changing() as entries:
            at = next((place for place, entry in enumerate(entries) if entry.id == id), -1)
            to = at + by
            if at < 0 or not 0 <= to < len(entries):
                return False
            entries.insert(to, entries.pop(at))
        return True

    @contextmanager
    def moving_on(self) -> Iterator[int | None]:
        """Hold the right to start entries of this host; None where another process holds it. It
        ends with the process, however that dies."""
        self.root.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._mover, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            yield None
            return
        try:
            self._name(handle, json.dumps(vars(Holder.this_process())))
            yield handle
        finally:
            os.close(handle)

    def give_up(self, right: int) -> None:
        """Say that nothing is started any more, before the process ends."""
        self._name(right, "")

    @staticmethod
    def _name(handle: int, who: str) -> None:
        os.ftruncate(handle, 0)
        os.pwrite(handle, who.encode(), 0)

    def moves(self) -> bool:
        """Whether a process of this host starts its entries. It is asked by its name: taking the
        lock to see whether it is free would turn away whoever wants it in that moment."""
        try:
            return Holder(**json.loads(self._mover.read_bytes())).alive
        except (OSError, ValueError, TypeError):
            return False

    @property
    def _mover(self) -> Path:
        return self.root / f"queue.{socket.gethostname()}.lock"


def canonical(device: Any) -> list[str]:
    """`train.device` as names that can be compared: "auto" is the first GPU, if there is one."""
    if isinstance(device, list):
        return [name for each in device for name in canonical(each)]
    if device == "auto":
        return [_automatic()]
    return ["cuda:0" if device == "cuda" else str(device)]


@cache
def _automatic() -> str:
    """Asked once: it takes a twentieth of a second, and no GPU comes while a process lives."""
    return next((found.name for found in devices() if found.name != "cpu"), "cpu")


def on_devices(root: Path) -> dict[str, list[RunDirectory]]:
    """The runs of that folder that are under way on this host, by their devices."""
    found: dict[str, list[RunDirectory]] = {}
    for run in list_runs(root):
        holder = run.holder()
        if holder is not None and holder.here and holder.alive:
            for name in canonical(_device_of(run)):
                found.setdefault(name, []).append(run)
    return found


def _device_of(run: RunDirectory) -> Any:
    try:
        return tomllib.loads(run.experiment.read_text())["train"]["device"]
    except (OSError, ValueError, KeyError, TypeError):
        return "auto"


def reclaim(entries: list[Entry]) -> None:
    """What a process that died had begun to start: it has become a run, or it waits again."""
    for entry in list(entries):
        if entry.state != "starting" or _lives(entry):
            continue
        run = RunDirectory(Path(entry.run)) if entry.run else None
        holder = run.holder() if run is not None else None
        begun = run is not None and run.events.exists() and run.events.stat().st_size > 0
        if begun or (holder is not None and holder.here and holder.alive):
            entries.remove(entry)
        else:
            entry.state, entry.run = "waiting", ""


def _lives(entry: Entry) -> bool:
    return entry.host != socket.gethostname() or entry.starter == os.getpid()


def next_to_start(entries: Sequence[Entry], busy: Sequence[str]) -> Entry | None:
    """The first that waits and whose devices are all free: of one device, in the queue's order."""
    taken = set(busy)
    for entry in entries:
        if entry.state != "waiting" or entry.host != socket.gethostname():
            continue
        if not taken & set(entry.devices):
            return entry
        taken |= set(entry.devices)  # one behind it must not overtake it
    return None

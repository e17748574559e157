"""Moving the queue on: start what waits when its device is free. No torch here."""

from __future__ import annotations

import json as json_module
import os
import subprocess
import sys
import time
from contextlib import chdir
from pathlib import Path

from engine.commands import Launch, start_detached
from engine.contract.problems import InputError, Problem, PtrainError
from engine.contract.queue import Entry, Queue, next_to_start, on_devices, reclaim
from engine.contract.run_directory import RunDirectory, runs_root
from engine.contract.toml_file import read, read_bytes

LOOK_SECONDS = 2.0


def add(file: Path, overrides: list[str], runs: Path | None, *, json: bool) -> None:
    """Queue an experiment as it is now. Raises InputError with its problems."""
    found = read(file.absolute(), overrides)
    queue = Queue(runs_root(runs))
    try:
        entry = queue.add(found.path, found.text, overrides, found.experiment.train.device)
    except OSError as error:
        message = f"{queue.path} can't be written: {error.strerror}"
        raise InputError(Problem(message, "--runs")) from None
    move_on_detached(queue)
    ahead = [one for one in queue.entries() if set(one.devices) & set(entry.devices)]
    if json:
        print(json_module.dumps({"queued": entry.id, "devices": entry.devices}))
    else:
        where = ", ".join(entry.devices)
        before = len([one for one in ahead if one.id != entry.id and one.state != "failed"])
        print(f"{entry.id}: {entry.name} waits for {where}; {before} before it")


def move_on_detached(queue: Queue) -> None:
    """See to it that a process in a session of its own moves the queue on."""
    if queue.moves():
        return
    words = ["queue", "run", "--runs", str(queue.root)]
    with (queue.root / "queue.log").open("ab") as log:
        subprocess.Popen(
            [sys.executable, "-P", "-m", "engine.cli", *words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def move_on(queue: Queue) -> bool:
    """Start what waits until nothing does. False where another process does so already."""
    with queue.moving_on() as right:
        if right is None:
            return False
        while True:
            with queue.changing() as entries:
                reclaim(entries)
                entry = next_to_start(entries, list(on_devices(queue.root)))
                if entry is not None:
                    entry.state, entry.starter = "starting", os.getpid()
                elif not any(one.state == "waiting" for one in entries):
                    # Given up while nobody can add: whoever does so next starts another process.
                    queue.give_up(right)
                    return True
            if entry is None:
                time.sleep(LOOK_SECONDS)
            else:
                _start(queue, entry)


def _start(queue: Queue, entry: Entry) -> None:
    """A run that can't begin stays in the queue with its reason, and does not hold up the next."""
    error = ""
    try:
        with chdir(entry.cwd):  # what was typed there is relative to it
            file = read_bytes(Path(entry.file), entry.text.encode(), entry.overrides)
        launch = Launch(queue.root, detach=True, json=False, debug=False, into=None)
        start_detached(file, None, launch, lambda run: _note(queue, entry, run))
    except PtrainError as problem:
        error = str(problem)
    except OSError as problem:
        error = f"{problem.filename or queue.root}: {problem.strerror}"
    except Exception as problem:  # a bug of ours, or of a driver: the others wait all the same
        error = f"{type(problem).__name__}: {problem}"
    with queue.changing() as entries:
        for one in [one for one in entries if one.id == entry.id]:
            if error:
                one.state, one.error, one.run = "failed", error, ""
            else:
                entries.remove(one)


def _note(queue: Queue, entry: Entry, run: RunDirectory) -> None:
    """So that whoever comes after a crash knows what became of it."""
    with queue.changing() as entries:
        for one in entries:
            if one.id == entry.id:
                one.run = str(run.path)

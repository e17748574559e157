"""The run directory: the names in it, writing that cannot leave half a file, and who is alive.

runs/<experiment name>/<UTC time>-<short id>/
    experiment.toml  source.toml  events.jsonl  samples.jsonl  console.log  control.jsonl  lock
    checkpoints/
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from engine.contract.problems import InputError, Problem


@dataclass(frozen=True)
class Holder:
    """Who holds a run's lock. `start` is the process's start time: a pid is used again."""

    host: str
    pid: int
    start: float

    @classmethod
    def of(cls, pid: int) -> Holder:
        """A process of this host. Raises psutil.NoSuchProcess."""
        return cls(socket.gethostname(), pid, psutil.Process(pid).create_time())

    @classmethod
    def this_process(cls) -> Holder:
        return cls.of(os.getpid())

    @property
    def here(self) -> bool:
        return self.host == socket.gethostname()

    @property
    def alive(self) -> bool:
        """Whether that very process runs; only to be asked on its own host."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.start) < 2  # seconds; clocks are read twice
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:
            return True


@dataclass(frozen=True)
class RunDirectory:
    """A folder that tells a run's whole story; nothing here needs the engine to be alive."""

    path: Path

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def name(self) -> str:
        return self.path.parent.name

    @property
    def experiment(self) -> Path:
        return self.path / "experiment.toml"

    @property
    def source(self) -> Path:
        return self.path / "source.toml"

    @property
    def events(self) -> Path:
        return self.path / "events.jsonl"

    @property
    def samples(self) -> Path:
        return self.path / "samples.jsonl"

    @property
    def console(self) -> Path:
        return self.path / "console.log"

    @property
    def control(self) -> Path:
        return self.path / "control.jsonl"

    @property
    def lock(self) -> Path:
        return self.path / "lock"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    def holder(self) -> Holder | None:
        """Who the lock names; None without a lock, or with one that a full disk left empty."""
        try:
            return Holder(**json.loads(self.lock.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def refuse_if_held(self) -> None:
        """Raises InputError when an engine holds the run, here or on another host."""
        holder = self.holder()
        if holder is not None and (not holder.here or holder.alive):
            raise InputError(_running(self, holder))

    def hand_to(self, pid: int) -> None:
        """Lock the run for an engine that was just started and will soon do so itself."""
        with suppress(psutil.NoSuchProcess):  # it has ended already, and whoever waits will see
            write_atomically(self.lock, json.dumps(vars(Holder.of(pid))).encode())

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run while an engine lives. Raises InputError when another one does."""
        me = Holder.this_process()
        with _one_at_a_time(self.path):
            if self.holder() != me:  # else whoever started this engine has locked it in its name
                self.refuse_if_held()
            write_atomically(self.lock, json.dumps(vars(me)).encode())
        try:
            yield
        finally:
            # A process that was forked from the engine must not take its lock away.
            if self.holder() == me and os.getpid() == me.pid:
                self.lock.unlink(missing_ok=True)


def _running(run: RunDirectory, holder: Holder) -> Problem:
    if holder.here:
        hint = f"`ptrain follow {run.id}` shows it, `ptrain stop {run.id}` ends it"
        return Problem(f"{run.id} is already running (process {holder.pid})", hint=hint)
    return Problem(
        f"{run.id} is held by process {holder.pid} on the host {holder.host}",
        hint=f"stop it there; if that host is gone for good, delete {run.lock}",
    )


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Two engines that take a lock in the same moment: the second waits these milliseconds.

    The lock file itself is not flock'ed while the engine lives: forked workers would hold it on
    after the engine was killed.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def runs_root(given: Path | None) -> Path:
    """--runs, else $PTRAIN_RUNS, else `runs` in the working directory."""
    return Path(given or os.environ.get("PTRAIN_RUNS") or "runs").absolute()


def create(root: Path, name: str, experiment: str, source: bytes) -> RunDirectory:
    """A new run directory with its two files. Raises InputError where it can't be written."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    run = RunDirectory(root / name / f"{stamp}-{secrets.token_hex(2)}")
    try:
        run.path.mkdir(parents=True)
        run.checkpoints.mkdir()
        write_atomically(run.source, source)
        write_atomically(run.experiment, experiment.encode())
        run.events.touch()
    except OSError as error:
        raise InputError(
            Problem(
                f"the run directory {run.path} can't be written: {error.strerror}",
                key="--runs",
                hint="give a folder that you may write to: --runs DIR, or set PTRAIN_RUNS",
            )
        ) from None
    return run


def write_atomically(path: Path, content: bytes) -> None:
    """The whole file or the one before, whatever happens: a rename, after the bytes are on disk."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """A rename is on disk only when its folder is."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

"""Processes that load batches ahead. They last from one epoch to the next."""

from __future__ import annotations

import ctypes
import multiprocessing.util
import os
import signal
import socket
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils.data import DataLoader, Sampler

from engine.contract.problems import RunError
from engine.parts.reading import Batch, Failure, Key, Samples

REMEDY = (
    "Most often the memory ran out: use fewer workers or a smaller batch_size. In a container it "
    "may be the shared memory: give it more (docker run --shm-size=8g), or write workers = 0."
)

# Bytes: a socket's path has at most 103 on macOS, 107 on Linux, and ends as the second line does.
LONGEST_FOLDER = 103 - len("/pymp-12345678/listener-12345678")


class _Keys(Sampler[Key]):
    """What the workers shall load next. torch's loader takes its sampler once and for all, and
    with it keeps its workers, so the keys of an epoch are put in here."""

    keys: Iterable[Key] = ()

    def __iter__(self) -> Iterator[Key]:
        return iter(self.keys)


class Workers:
    """`count` processes, started at the first batch."""

    def __init__(self, samples: Samples, count: int, pin_memory: bool) -> None:
        self._keys = _Keys()
        self._iterator: Any = None
        with _quietly():
            self._loader: DataLoader[Any] = DataLoader(
                samples,
                batch_size=None,  # a key is already a whole batch
                sampler=self._keys,
                num_workers=count,
                collate_fn=_same,
                pin_memory=pin_memory,
                persistent_workers=True,
                worker_init_fn=_start,
                # A loader without one draws its workers' seeds from the global generator.
                generator=torch.Generator(),
                # Python 3.14 starts processes otherwise by itself: then the data would be copied.
                multiprocessing_context="fork" if sys.platform == "linux" else None,
            )

    def batches(self, keys: Iterable[Key]) -> Iterator[Batch]:
        """The batches of the keys, in their order. Raises RunError where a worker died."""
        self._keys.keys = keys
        if self._iterator is None:
            _room_for_sockets()
            _give_memory_back()
        with self._told(), _quietly(), _held_back():
            self._iterator = iterator = iter(self._loader)
        while True:
            with self._told():
                item = next(iterator, None)
            if item is None:
                return
            yield raised(item)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """A worker that died, told as such. All that a sample can raise arrives as a value, so
        what is raised here is about the processes themselves."""
        try:
            yield
        except (RuntimeError, OSError, EOFError) as error:
            codes = [process.exitcode for process in getattr(self._iterator, "_workers", [])]
            by = ", ".join(_exit_cause(code) for code in codes if code is not None)
            message = f"a process that loads the data died{by and f' ({by})'}: {error}"
            raise RunError(message, REMEDY) from error

    def close(self) -> None:
        if self._iterator is None:
            return
        processes = self._iterator._workers
        # Not by dropping it: whoever still holds an iterator would keep the processes alive.
        self._iterator._shutdown_workers()
        for process in processes:
            if process.is_alive():  # stuck, and deaf to SIGTERM
                process.kill()
                process.join()
        self._iterator = self._loader._iterator = None


def raised(item: Batch | Failure) -> Batch:
    if isinstance(item, Failure):
        raise RunError(item.message, item.remedy)
    return item


def _exit_cause(code: int) -> str:
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"exit code {code}"


def _room_for_sockets() -> None:
    """Workers hand batches over through sockets in the folder for temporary files. Where its path
    is too long for a socket every batch would be lost, without a word, and the run would wait for
    ever; so they go to /tmp then."""
    chosen = tempfile.gettempdir()
    if len(os.fsencode(chosen)) <= LONGEST_FOLDER or not hasattr(socket, "AF_UNIX"):
        return
    tempfile.tempdir = "/tmp"
    try:
        multiprocessing.util.get_temp_dir()  # made at the first call, and the same from then on
    finally:
        tempfile.tempdir = chosen


def _give_memory_back() -> None:
    """What is free in this process, to the system. A worker is forked with all of it, and keeps it
    for as long as it lives once this process has written there anew: 0.5 GB a worker for what the
    step before the training had computed (squeezenet1_1, a batch of 32 at 224 px)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:  # glibc's
        trim(0)


def _same(item: Any) -> Any:
    return item


# Whether to stop is the engine's decision, and a terminal sends Ctrl+C to the workers too. They end
# when the engine says so, or is gone. (Windows has no SIGHUP.)
_STOPPING = {
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
}


def _start(worker: int) -> None:
    for number in _STOPPING:
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)


@contextmanager
def _held_back() -> Iterator[None]:
    """Whatever asks this process or its workers to stop arrives afterwards.

    One that came between a worker's start and its `_start` would end it, and with it the run. And
    one that raised here in between would leave workers that nobody knows of, and that are deaf to
    it: Python waits for them at its end, for ever.
    """
    # The mask is this thread's. Any other may take the signal, and it is raised in the main one.
    main = threading.current_thread() is threading.main_thread()
    came: list[int] = []
    before = {n: signal.signal(n, lambda n, _: came.append(n)) for n in _STOPPING if main}
    try:
        with _blocked():
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        for number in came:
            signal.raise_signal(number)


@contextmanager
def _blocked() -> Iterator[None]:
    """For this thread, and for the workers until their `_start`."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the loader's warnings, and without the handler that it sets for children that die:
    that raises wherever the program happens to be, in the middle of writing a checkpoint too. The
    wait for the next batch finds the dead worker by itself, within 5 s."""
    main = threading.current_thread() is threading.main_thread()
    child = getattr(signal, "SIGCHLD", None)
    before = signal.getsignal(child) if main and child is not None else None
    with warnings.catch_warnings():
        # By their texts: the workers inherit this, and people's own warnings are theirs to see.
        warnings.filterwarnings("ignore", message=".*DataLoader will create")
        warnings.filterwarnings("ignore", message=".*use of fork")
        yield
    if child is not None and before is not None:
        signal.signal(child, before)

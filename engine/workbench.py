"""The warm workbench: imports torch once and then answers every `ptrain` command at once.

    python -P -m engine.workbench

One JSON object a line from standard input, one a line to standard output:

    {"id": 1, "arguments": ["check", "a.toml", "--json"], "text": null, "keep": false}
    {"cancel": 1}
    <- {"ready": true, "forks": true}
    <- {"id": 1, "code": 0, "out": "…", "err": "…"}

`text` is the command's standard input. What is asked before it is ready waits. Several commands run
at once; a cancelled one is killed and gets no answer. When standard input ends, whoever asked is
gone: what is under way is killed, except what is to be kept (a start), and the workbench ends.

Each command runs in a forked child. Where that is not safe (on macOS; where an import left threads
running or touched a GPU) each starts as a process that imports for itself. The workbench runs no
torch operation and loads nothing that an experiment names.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO, Any, Protocol

from engine import forking
from engine.importing import importing

# What the commands import, and what torch and torchvision import at their first use.
WARM = (
    "torch",
    "torchvision",
    "torchmetrics",
    "engine.check",
    "engine.layers",
    "engine.lr",
    "engine.run",
)
NICE = 10  # of the imports: the dashboard, and runs that are under way, go first
FORKS = sys.platform == "linux"  # macOS's own libraries end a child that was forked


class Process(Protocol):
    """What Popen and Forked have in common."""

    pid: int

    def poll(self) -> int | None: ...


@dataclass(frozen=True)
class Request:
    id: int
    arguments: list[str]
    text: str | None = None
    keep: bool = False


@dataclass
class Child:
    """A command under way, and the files that it writes to: it never waits for a reader."""

    request: Request
    process: Process
    out: IO[bytes]
    err: IO[bytes]
    cancelled: bool = False

    def kill(self) -> None:
        """With the workers that load its data. It may not have its own session yet."""
        for kill in (os.killpg, os.kill):
            with suppress(ProcessLookupError, PermissionError):
                kill(self.process.pid, signal.SIGKILL)

    def close(self) -> None:
        self.out.close()
        self.err.close()


class Workbench:
    """`requests` and `answers` are descriptors of pipes."""

    def __init__(self, requests: int, answers: int) -> None:
        self._requests, self._answers = requests, answers
        self._awake, self._wake = os.pipe()  # a child's end, and that of the imports, wake it
        self._heard = b""
        self._waiting: list[Request] = []
        self._children: dict[int, Child] = {}
        self._gone = self._ready = self._forks = False
        self._imported: bool | BaseException = not FORKS

    def serve(self) -> None:
        """Until whoever asks is gone. Raises what importing torch raises."""
        os.set_blocking(self._wake, False)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # ignored, it would wake nobody
        warming = threading.Thread(target=self._import, name="warming", daemon=True)
        if FORKS:
            warming.start()
        # A start that was asked for is not lost with whoever asked for it.
        while not self._gone or any(request.keep for request in self._waiting):
            if self._imported and not self._ready:
                if FORKS:
                    warming.join()
                self._be_ready()
            if self._ready:
                self._begin()
            self._answer()
            self._wait()
        for child in self._children.values():
            if not child.request.keep:
                child.kill()

    def _import(self) -> None:
        """In a thread: it alone has a low priority, which a process could not take back without
        rights; and meanwhile requests are heard, and the end of them."""
        try:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
            with importing():
                for name in WARM:
                    importlib.import_module(name)
            self._imported = True
        except BaseException as error:
            self._imported = error
        os.write(self._wake, b"\0")

    def _be_ready(self) -> None:
        if isinstance(self._imported, BaseException):
            raise self._imported
        self._forks = FORKS and forking.safe()
        self._ready = True
        self._say({"ready": True, "forks": self._forks})

    def _wait(self) -> None:
        """For a request, the end of a child or of the imports."""
        watched = [self._awake] if self._gone else [self._awake, self._requests]
        for descriptor in select.select(watched, [], [])[0]:
            got = os.read(descriptor, 1 << 16)
            if descriptor == self._requests:
                self._hear(got)

    def _hear(self, got: bytes) -> None:
        if not got:
            self._gone = True
            self._waiting = [request for request in self._waiting if request.keep]
        *lines, self._heard = (self._heard + got).split(b"\n")
        for line in lines:
            said: dict[str, Any] = json.loads(line)
            if "cancel" in said:
                self._cancel(said["cancel"])
            else:
                self._waiting.append(Request(**said))

    def _cancel(self, number: int) -> None:
        self._waiting = [request for request in self._waiting if request.id != number]
        if (child := self._children.get(number)) is not None:
            child.cancelled = True
            child.kill()

    def _begin(self) -> None:
        """All that waits."""
        waiting, self._waiting = self._waiting, []
        for request in waiting:
            with TemporaryFile() as given:
                given.write((request.text or "").encode())
                given.seek(0)
                out, err = TemporaryFile(), TemporaryFile()  # noqa: SIM115 -- until it has ended
                process = self._process(request.arguments, given, out, err)
            self._children[request.id] = Child(request, process, out, err)

    def _process(
        self, arguments: list[str], given: IO[bytes], out: IO[bytes], err: IO[bytes]
    ) -> Process:
        if self._forks:
            return forking.command(arguments, given, out, err, self._own)
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "engine.cli", *arguments],
            stdin=given,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )

    def _own(self) -> None:
        """Close, in a child, what is none of its business."""
        for descriptor in (self._requests, self._answers, self._awake, self._wake):
            os.close(descriptor)
        for child in self._children.values():
            child.close()

    def _answer(self) -> None:
        """For the commands that have ended."""
        for number, child in list(self._children.items()):
            code = child.process.poll()
            if code is None:
                continue
            del self._children[number]
            if not child.cancelled:
                out, err = map(_text, (child.out, child.err))
                self._say({"id": number, "code": code, "out": out, "err": err})
            child.close()

    def _say(self, said: dict[str, object]) -> None:
        rest = json.dumps(said).encode() + b"\n"
        with suppress(BrokenPipeError):  # the end of the requests will be read next
            while rest:
                rest = rest[os.write(self._answers, rest) :]


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def main() -> None:
    """Nothing that an import or a command prints gets between the answers."""
    requests, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    Workbench(requests, answers).serve()
    os._exit(0)  # without waiting for what is still being imported


if __name__ == "__main__":
    main()

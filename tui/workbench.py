"""The dashboard's end of the warm workbench, the process of `ptrain`'s that answers at once."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import Any

# -P: people have files named engine.py and tui.py, and must not have them imported.
COMMAND = (sys.executable, "-P", "-m", "engine.workbench")
LIVES = 2  # the first one that dies may have been unlucky
REASON = 200  # characters of its last words, which are for people


@dataclass(frozen=True)
class Answer:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


class NoWorkbenchError(Exception):
    """It can't answer. `begun`: it may have begun to do what it was asked."""

    def __init__(self, *, begun: bool) -> None:
        super().__init__()
        self.begun = begun


class Line:
    """One process, from its start to its end: JSON objects to it and from it. It ends when its
    standard input is closed, so also when the dashboard is killed.

    A pipe that is full is written to when it has room: nothing waits for it. Raises OSError.
    """

    def __init__(
        self,
        command: Sequence[str],
        heard: Callable[[dict[str, Any]], None],
        ended: Callable[[str], None],
    ) -> None:
        self._heard, self._ended = heard, ended
        self._errors = TemporaryFile()  # noqa: SIM115 -- as long as the process
        try:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                start_new_session=True,
            )
        except OSError:
            self._errors.close()
            raise
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._to, self._from = self.process.stdin.fileno(), self.process.stdout.fileno()
        self._unsent, self._unread = bytearray(), bytearray()
        self._loop = asyncio.get_running_loop()
        for descriptor in (self._to, self._from):
            os.set_blocking(descriptor, False)
        self._loop.add_reader(self._from, self._read)

    def send(self, said: dict[str, object]) -> None:
        self._unsent += json.dumps(said).encode() + b"\n"
        self._write()

    def close(self) -> None:
        """It ends by itself then, with what it has been asked but for starts."""
        self._loop.remove_reader(self._from)
        self._loop.remove_writer(self._to)
        for pipe in (self.process.stdin, self.process.stdout):
            with suppress(OSError):
                pipe.close()  # type: ignore[union-attr]
        self._errors.close()

    def _write(self) -> None:
        try:
            del self._unsent[: os.write(self._to, self._unsent)]
        except BlockingIOError:
            pass
        except BrokenPipeError:  # its end is read next
            self._unsent.clear()
        if self._unsent:
            self._loop.add_writer(self._to, self._write)
        else:
            self._loop.remove_writer(self._to)

    def _read(self) -> None:
        got = os.read(self._from, 1 << 16)
        self._unread += got
        if b"\n" in got:
            *lines, rest = self._unread.split(b"\n")
            self._unread = bytearray(rest)
            for line in lines:
                self._heard(json.loads(line))
        if not got:
            self._errors.seek(0)
            words = self._errors.read().decode(errors="replace").strip().rpartition("\n")[2]
            self.close()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(1.0)  # it has closed its end, so it is ending
            self._ended(words[:REASON])


class Workbench:
    """Begins at `warm_up` or when it is first asked, once more when it has died, and ends at
    `close`. `command` is given by tests."""

    def __init__(self, command: Sequence[str] = COMMAND) -> None:
        self._command = command
        self._lives = LIVES
        self._line: Line | None = None
        self._asked: dict[int, asyncio.Future[Answer]] = {}
        self._last = 0
        self._doing: Callable[[str], None] = lambda _: None
        self._gone: Callable[[str], None] = lambda _: None
        self.ready = False

    def warm_up(self, doing: Callable[[str], None], gone: Callable[[str], None]) -> None:
        """`doing` is told what it is about, and nothing when it is ready; `gone` why there will be
        none any more."""
        self._doing, self._gone = doing, gone
        self._begin()

    async def ask(
        self, arguments: Sequence[str], text: str | None = None, *, keep: bool = False
    ) -> Answer:
        """What `ptrain ARGUMENTS` printed. Cancelled, or the dashboard being left, the command is
        killed unless it is to be kept. Raises NoWorkbenchError."""
        self._begin()
        if self._line is None:
            raise NoWorkbenchError(begun=False)
        self._last += 1
        number, line = self._last, self._line
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        line.send({"id": number, "arguments": list(arguments), "text": text, "keep": keep})
        try:
            return await answer
        except asyncio.CancelledError:
            if not keep and line is self._line:
                line.send({"cancel": number})
            raise
        finally:
            self._asked.pop(number, None)

    def close(self) -> None:
        self._lives = 0
        if self._line is not None:
            self._line.close()
        self._line = None

    def _begin(self) -> None:
        if self._line is not None or not self._lives:
            return
        self._lives -= 1
        try:
            self._line = Line(self._command, self._heard, self._ended)
        except OSError as error:
            self._ended(str(error))
        else:
            self._doing("torch is warming up …")

    def _heard(self, said: dict[str, Any]) -> None:
        if "ready" in said:
            self.ready = True
            self._doing("")
        elif (answer := self._asked.pop(said["id"], None)) is not None and not answer.done():
            answer.set_result(Answer(said["code"], said["out"], said["err"]))

    def _ended(self, words: str) -> None:
        """By itself: it was killed, or torch can't be imported."""
        begun, self.ready, self._line = self.ready, False, None
        self._doing("")
        asked, self._asked = self._asked, {}
        if self._lives:
            self._begin()
        else:
            self._gone(words)
        for answer in asked.values():
            if not answer.done():
                answer.set_exception(NoWorkbenchError(begun=begun))

"""Starting runs: `ptrain` in processes of their own. Torch is imported there, never here."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Protocol

from engine.contract.problems import Problem
from engine.contract.run_directory import RunDirectory

LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Outcome:
    """What a command said. `run`: what it started. `words`: why it could not, beside problems."""

    run: Path | None = None
    problems: list[Problem] = field(default_factory=list)
    words: str = ""

    @property
    def errors(self) -> list[Problem]:
        return [problem for problem in self.problems if problem.severity == "error"]

    @property
    def ok(self) -> bool:
        return not self.errors and not self.words


@dataclass(frozen=True)
class Answer:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


class Launcher(Protocol):
    """What the screens need of it; tests give one that starts no process."""

    async def ask(self, *arguments: str, text: str | None = None) -> Answer:
        """Run a command that changes nothing; `text` is its standard input. Cancelled, it ends."""
        ...

    async def check(self, file: Path, device: str | None) -> Outcome: ...

    async def start(self, file: Path, device: str | None, runs: Path) -> Outcome: ...

    async def resume(self, run: RunDirectory, epochs: int | None) -> Outcome: ...


class Engine:
    """The launcher of real processes."""

    async def ask(self, *arguments: str, text: str | None = None) -> Answer:
        return await _ptrain(*arguments, text=text, leave_running=False)

    async def check(self, file: Path, device: str | None) -> Outcome:
        chosen = ["--set", f"train.device={device}"] if device else []
        return read_outcome(await self.ask("check", str(file), "--json", *chosen))

    async def start(self, file: Path, device: str | None, runs: Path) -> Outcome:
        chosen = ["--device", device] if device else []
        asked = ("run", str(file), "--detach", "--json", "--runs", str(runs), *chosen)
        return read_outcome(await _ptrain(*asked))

    async def resume(self, run: RunDirectory, epochs: int | None) -> Outcome:
        more = ["--epochs", str(epochs)] if epochs else []
        return read_outcome(await _ptrain("resume", str(run.path), "--detach", "--json", *more))


async def _ptrain(*arguments: str, text: str | None = None, leave_running: bool = True) -> Answer:
    """Run a command and wait, without a thread that would hold up the end of the dashboard.

    In a session of its own, with files for output: a start that is under way when the dashboard
    is left, or its line drops, comes to its end all the same.
    """
    with TemporaryFile() as given, TemporaryFile() as out, TemporaryFile() as err:
        given.write((text or "").encode())
        given.seek(0)
        # -P: people have files named engine.py and tui.py, and must not have them imported.
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "engine.cli", *arguments],
            stdin=given,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        try:
            while process.poll() is None:
                await asyncio.sleep(LOOK_SECONDS)
        except asyncio.CancelledError:
            if not leave_running:
                process.kill()
                process.wait()
            raise
        out.seek(0)
        err.seek(0)
        return Answer(process.returncode, out.read().decode(), err.read().decode())


def read_outcome(answer: Answer) -> Outcome:
    """From what a command with --json printed."""
    code, err = answer.code, answer.err
    try:
        said: dict[str, Any] = json.loads(answer.out)
    except ValueError:
        said = {}
    problems = [_problem(entry) for entry in said.get("problems", [])]
    run = Path(said["path"]) if "path" in said else None
    words = str(said.get("error", ""))
    if code != 0 and not problems and not words:
        words = err.strip() or f"ptrain ended with code {code} and said nothing"
    return Outcome(run, problems, words)


def _problem(entry: dict[str, Any]) -> Problem:
    file = entry.get("file")
    return Problem(**{**entry, "file": Path(file) if file else None})


def device_in(file: Path) -> str:
    """What the experiment itself says; `auto` where it says nothing or can't be read."""
    try:
        train = tomllib.loads(file.read_text(encoding="utf-8")).get("train", {})
        return str(train.get("device", "auto"))
    except (OSError, ValueError, AttributeError):
        return "auto"

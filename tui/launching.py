"""Asking `ptrain`, and starting runs. Torch is imported in other processes, never here."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Protocol

from engine.contract.problems import Problem
from engine.contract.run_directory import RunDirectory
from tui.workbench import Answer, NoWorkbenchError, Workbench

__all__ = ["Answer", "Engine", "Launcher", "Outcome", "device_in", "read_outcome"]

LOOK_SECONDS = 0.1
# What imports torch waits for the workbench rather than to do so beside it. The rest is started
# cold while that is not ready: it takes less than half a second.
HEAVY = frozenset({"check", "layers", "lr", "resume", "run"})
KILLED = "the process that was starting it was killed; the list of runs shows whether it began"


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


class Launcher(Protocol):
    """What the screens need of it; tests give one that starts no process."""

    def warm_up(self, doing: Callable[[str], None], gone: Callable[[str], None]) -> None:
        """Make ready for answering at once. `doing` is told what is done meanwhile, at its end
        nothing; `gone` why there will be no such thing."""
        ...

    def close(self) -> None: ...

    async def ask(self, *arguments: str, text: str | None = None) -> Answer:
        """Run a command that changes nothing; `text` is its standard input. Cancelled, it ends."""
        ...

    async def start(self, file: Path, device: str | None, runs: Path) -> Outcome: ...

    async def resume(
        self, run: RunDirectory, epochs: int | None, checkpoint: str | None = None
    ) -> Outcome: ...


class Engine:
    """The launcher of real commands: in the workbench's children, or without one as processes."""

    def __init__(self, workbench: Workbench | None = None) -> None:
        self._workbench = workbench

    def warm_up(self, doing: Callable[[str], None], gone: Callable[[str], None]) -> None:
        if self._workbench is not None:
            self._workbench.warm_up(doing, gone)

    def close(self) -> None:
        if self._workbench is not None:
            self._workbench.close()

    async def ask(self, *arguments: str, text: str | None = None) -> Answer:
        return await self._ptrain(*arguments, text=text)

    async def start(self, file: Path, device: str | None, runs: Path) -> Outcome:
        chosen = ["--device", device] if device else []
        asked = ("run", str(file), "--detach", "--json", "--runs", str(runs), *chosen)
        return read_outcome(await self._ptrain(*asked, keep=True))

    async def resume(
        self, run: RunDirectory, epochs: int | None, checkpoint: str | None = None
    ) -> Outcome:
        more = ["--epochs", str(epochs)] if epochs else []
        more += ["--from", checkpoint] if checkpoint else []
        asked = ("resume", str(run.path), "--detach", "--json", *more)
        return read_outcome(await self._ptrain(*asked, keep=True))

    async def _ptrain(self, *arguments: str, text: str | None = None, keep: bool = False) -> Answer:
        """`keep`: it comes to its end even when nobody waits for it any more."""
        bench = self._workbench
        if bench is not None and (bench.ready or arguments[0] in HEAVY):
            try:
                return await bench.ask(arguments, text, keep=keep)
            except NoWorkbenchError as error:
                if keep and error.begun:  # not a second time: there would be two runs
                    return Answer(1, "", KILLED)
        return await _cold(*arguments, text=text, keep=keep)


async def _cold(*arguments: str, text: str | None, keep: bool) -> Answer:
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
            if not keep:
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
    problems = [Problem.from_json(entry) for entry in said.get("problems", [])]
    run = Path(said["path"]) if "path" in said else None
    words = str(said.get("error", ""))
    if code != 0 and not problems and not words:
        words = err.strip() or f"ptrain ended with code {code} and said nothing"
    return Outcome(run, problems, words)


def device_in(file: Path) -> str | list[str]:
    """What the experiment itself says; `auto` where it says nothing or can't be read."""
    try:
        train = tomllib.loads(file.read_text(encoding="utf-8")).get("train", {})
        device = train.get("device", "auto")
        return [str(each) for each in device] if isinstance(device, list) else str(device)
    except (OSError, ValueError, AttributeError):
        return "auto"

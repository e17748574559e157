"""A run on the terminal: the same reader for `run`, which is its own engine, and for `follow`.

It reads the run directory and nothing else. A terminal that is gone is an OSError here and no
concern of the training.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from engine.contract.events import (
    AnyEvent,
    CheckpointSaved,
    Compiled,
    Compiling,
    LastWord,
    PrefixKept,
    RequestDone,
    RunFailed,
    RunFinished,
    RunResumed,
    RunStarted,
    RunStopped,
    Unfrozen,
    Validated,
    Warned,
)
from engine.contract.follower import Follower, catch_up
from engine.contract.news import words
from engine.contract.problems import first
from engine.contract.run_directory import RunDirectory
from engine.contract.run_state import RunState, fold

LOOK_SECONDS = 0.25  # four times a second: enough for a person, little for a slow line


class Display(Protocol):
    """What is done with what a look found."""

    def look(self) -> None: ...
    def close(self) -> None: ...


class JsonLines:
    """The events as they are: one JSON object a line on standard output."""

    def __init__(self, run: RunDirectory, out: IO[str], *, from_start: bool = True) -> None:
        self.follower, self.out = Follower(run.events), out
        if not from_start:
            for _ in self.follower.lines():
                continue

    def look(self) -> None:
        for line in self.follower.lines():
            self.out.write(line.decode() + "\n")
        self.out.flush()

    def close(self) -> None:
        self.look()


class Screen:
    """For people: lines that stay, and on a terminal a progress line below them."""

    def __init__(self, run: RunDirectory, out: IO[str], *, from_start: bool = True) -> None:
        self.run, self.state = run, RunState()
        self.events, self.log = Follower(run.events), Follower(run.console)
        # Without markup and emoji: "[model]", "layer[23]" and ":on:" are a person's words.
        self.console = Console(file=out, highlight=False, soft_wrap=True, markup=False, emoji=False)
        self.live: Live | None = None
        self.ended = False
        if not from_start:
            self._read_silently()
        if self.console.is_terminal:
            self.live = Live(console=self.console, auto_refresh=False, transient=True)
            self.live.start()

    def look(self) -> None:
        log = [line.decode(errors="replace") for line in self.log.lines()]
        events = list(self.events.events())
        if any(isinstance(event, RunFailed) for event in events):
            log = list(_without_traceback(log))
        for line in log:
            self.console.print(Text(line, style="dim"))
        for event in events:
            fold(self.state, event)
            self._tell(event)
        if self.live is not None and not self.ended:
            self.live.update(self._progress(), refresh=True)

    def close(self) -> None:
        self.look()
        if self.live is not None:
            self.live.stop()

    def _read_silently(self) -> None:
        catch_up(self.events, self.state)
        for _ in self.log.lines():
            continue
        if self.state.validated:
            self._tell(self.state.validated[-1])

    def _tell(self, event: AnyEvent) -> None:
        match event:
            case RunStarted():
                self.console.print(_beginning(event, self.run))
            case RunResumed():
                more = f" ({'; '.join(event.changed)})" if event.changed else ""
                self.console.print(
                    f"resumed from {event.checkpoint} at step {event.step} on {event.device}{more}"
                )
            case Validated():
                self.console.print(validation_line(event, self.state.epochs))
            case Warned() | Unfrozen() | PrefixKept() | Compiling() | Compiled():
                for line in words(event, self.state.epochs):
                    told = Text(line, "" if isinstance(event, Warned) else "dim")
                    told.highlight_regex("^warning:", "yellow")
                    self.console.print(told)
            case RequestDone():
                self.console.print(f"{event.request}: {event.outcome}")
            case LastWord():
                self._end(event)
            case CheckpointSaved():
                return  # on the screen's progress line; each would be a line an epoch

    def _end(self, event: LastWord) -> None:
        self.ended = True
        if self.live is not None:
            self.live.update(Text(""), refresh=True)
        self.console.print(ending(event, self.run))

    def _progress(self) -> Group:
        state = self.state
        if state.started is None and state.resumed is None:
            return Group(Text("starting …", style="dim"))
        done, planned = state.steps_done, max(1, state.planned_end)
        row = Table.grid(padding=(0, 1))
        epoch = state.last_step.epoch + 1 if state.last_step is not None else 1
        row.add_row(
            f"epoch {min(epoch, state.epochs)}/{state.epochs}",
            ProgressBar(total=planned, completed=done, width=24),
            f"{100 * done / planned:3.0f} %",
            Text(_numbers(state), no_wrap=True, overflow="ellipsis"),
        )
        return Group(row)


@contextmanager
def watching(display: Display) -> Iterator[None]:
    """Look at the run from a thread while the engine runs in this process."""
    ended = threading.Event()

    def look_on() -> None:
        try:
            while not ended.wait(LOOK_SECONDS):
                display.look()
            display.close()
        except (OSError, ValueError):
            return  # the terminal is gone; the training goes on, and the directory tells all

    thread = threading.Thread(target=look_on, name="display", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def duration(seconds: float) -> str:
    """3 s, 4 min 10 s, 2 h 5 min, 3 d 4 h."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def validation_line(event: Validated, epochs: int) -> str:
    """One line a validation: what a person without a terminal sees of a run."""
    numbers = "  ".join(
        f"{name} {'nan' if value is None else f'{value:.4f}'}"
        for name, value in event.metrics.items()
    )
    asked = "  (asked for)" if event.requested else ""
    return f"epoch {event.epoch + 1}/{epochs}  step {event.step}  {numbers}{asked}"


def what_is_learned(task: str, names: list[str]) -> str:
    """What follows the number of samples: ` in 2 classes`, ` with 2 numbers: angle, radius`."""
    if task == "classification":
        return f" in {len(names)} classes"
    if task == "segmentation":
        return f" with pixels in {len(names)} classes"
    kind = "label" if task == "multilabel" else "number"
    return f" with {len(names)} {kind}{'s' if len(names) != 1 else ''}: {first(names)}"


def _beginning(event: RunStarted, run: RunDirectory) -> str:
    validation = f"; {event.val_samples} to validate on" if event.val_samples else ""
    return "\n".join(
        [
            f"{event.name} {run.id} on {event.device}: {event.train_samples} samples"
            f"{what_is_learned(event.task, event.classes)}{validation}",
            *event.report,
            f"{event.epochs} epochs of {event.steps_per_epoch} steps",
        ]
    )


def ending(event: LastWord, run: RunDirectory) -> str:
    """The last lines: how it ended, where everything is, what to do next."""
    lines = [f"{_verdict(event)}: {event.epochs:.4g} epochs, {event.step} steps"]
    lines[0] += f" in {duration(event.seconds)}"
    if isinstance(event, RunFailed):
        lines += [event.error, f"    {event.remedy}" if event.remedy else ""]
    elif isinstance(event, RunStopped):
        lines.append(f"{event.reason}; `ptrain resume {run.id}` goes on exactly here")
    lines.append(f"run              {run.path}")
    if event.best_checkpoint is not None and event.best is not None:
        best = run.path / event.best_checkpoint
        lines.append(f"best checkpoint  {best}  ({event.monitor} {event.best:.4f})")
    if event.last_checkpoint is not None:
        lines.append(f"last checkpoint  {run.path / event.last_checkpoint}")
    return "\n".join(line for line in lines if line)


def _verdict(event: LastWord) -> str:
    if isinstance(event, RunFinished):
        return "finished"
    return "stopped" if isinstance(event, RunStopped) else "failed"


def _numbers(state: RunState) -> str:
    step = state.last_step
    if state.compiling is not None:
        return "compiling …"
    if step is None:
        return ""
    loss = "nan" if step.loss is None else f"{step.loss:.4f}"
    rates = " ".join("nan" if lr is None else f"{lr:.3g}" for lr in step.lr[:4])
    left = time_left(state)
    return (
        f"loss {loss}  lr {rates}  {step.samples_per_second:.0f} samples/s"
        f"{f'  left {duration(left)}' if left is not None else ''}"
    )


def time_left(state: RunState) -> float | None:
    """Seconds to the planned end, at the pace since the engine started, validations included."""
    newest = state.resumed or state.started
    if newest is None or state.last_step is None:
        return None
    first = state.resumed.step if state.resumed is not None else 0
    steps = state.steps_done - first
    elapsed = state.last_step.time - newest.time
    return elapsed / steps * (state.planned_end - state.steps_done) if steps > 0 else None


def _without_traceback(lines: list[str]) -> Iterator[str]:
    """The traceback of a failed run stays in console.log; the screen says what it means."""
    for line in lines:
        if line.startswith("Traceback (most recent call last)"):
            return
        yield line


def follow(display: Display, over: Callable[[], bool]) -> None:
    """Look until the run is over; what was written before that is seen in the last look."""
    while not over():
        display.look()
        time.sleep(LOOK_SECONDS)
    display.close()

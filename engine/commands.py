"""What the commands do that have to do with one run or one file. Torch is imported by need."""

from __future__ import annotations

import json as json_module
import os
import signal
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from engine.console import captured
from engine.contract.problems import EXIT_FAILED, EXIT_FINISHED, InputError, Problem, RunError
from engine.contract.run_directory import RunDirectory, create, runs_root
from engine.contract.runs import find_run, last_word, status
from engine.contract.toml_file import ExperimentFile, contents, read, read_bytes, resolved_text
from engine.display import Display, JsonLines, Screen, ending, follow, watching
from engine.importing import importing
from engine.launch import Begin, detach, end_now, spawn, stop, tell
from engine.printing import print_problems

if TYPE_CHECKING:
    from engine.control import Control


@dataclass(frozen=True)
class Launch:
    """How an engine is started. `into`: the directory that a detaching parent has made; `refetch`:
    damaged weights are downloaded again; `checkpoint`: what to go on from, not the last; `begin`:
    how one that is to be detached is started."""

    runs: Path | None
    detach: bool
    json: bool
    debug: bool
    into: Path | None
    refetch: bool = False
    checkpoint: str | None = None
    begin: Begin | None = None


def find(reference: str, runs: Path | None) -> RunDirectory:
    return find_run(reference, runs_root(runs))


def train_file(
    path: Path, overrides: list[str], earlier: RunDirectory | None, launch: Launch
) -> int:
    """Train, or go on with `earlier`; in this process, or in one of its own. The exit code."""
    file = _read(path, overrides, earlier, launch)
    if earlier is not None and launch.into is None:  # before seconds of importing torch
        earlier.refuse_if_held()
    if launch.detach:
        return _detached(file, earlier, launch)
    # From here on the line may drop and the terminal close: the training goes on. Until it has
    # begun, SIGTERM is what ctrl+c is: an end without a checkpoint.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if sys.stderr.isatty():
        print("importing torch …", file=sys.stderr)  # seconds in which nothing else is seen
    # So that torch numbers the GPUs as the driver, `ptrain devices` and nvidia-smi do.
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    return _engine(file, earlier, launch)


def _read(
    path: Path, overrides: list[str], earlier: RunDirectory | None, launch: Launch
) -> ExperimentFile:
    """A detached engine trains what its run directory says, even if the file was edited since."""
    if launch.into is not None and earlier is None:
        return read_bytes(path, contents(RunDirectory(launch.into).source), overrides)
    return read(path, overrides)


def _detached(file: ExperimentFile, earlier: RunDirectory | None, launch: Launch) -> int:
    run, pid, warnings = start_detached(file, earlier, launch)
    if launch.json:
        told = [problem.as_json() for problem in warnings]
        begun = {"run": run.id, "path": str(run.path), "pid": pid, "problems": told}
        print(json_module.dumps(begun))
    else:
        print_problems(warnings, json=False)
        print(run.id)
        print(f"`ptrain follow {run.id}` shows it; it is in {run.path}", file=sys.stderr)
    return EXIT_FINISHED


def start_detached(
    file: ExperimentFile,
    earlier: RunDirectory | None,
    launch: Launch,
    created: Callable[[RunDirectory], None] = lambda run: None,
) -> tuple[RunDirectory, int, list[Problem]]:
    """The run, its engine's process id once it trains, and what it warns of. `created` is told of
    its directory.

    Raises InputError or RunError with the engine's own words, and leaves no new directory then.
    """
    run = earlier or _create(file, launch)
    created(run)
    arguments = ["run", str(file.path), "--into", str(run.path)]
    for override in file.overrides:
        arguments += ["--set", override]
    arguments += ["--refetch"] if launch.refetch else []
    if earlier is not None:
        arguments += ["--resume", str(earlier.path)]
    if launch.checkpoint is not None:
        arguments += ["--from", launch.checkpoint]
    return run, *detach(run, arguments, launch.begin or spawn, new=earlier is None)


def _create(file: ExperimentFile, launch: Launch) -> RunDirectory:
    experiment = file.experiment
    return create(runs_root(launch.runs), experiment.name, resolved_text(experiment), file.text)


def _engine(file: ExperimentFile, earlier: RunDirectory | None, launch: Launch) -> int:
    """The engine itself, in this process."""
    try:
        return _begin(file, launch) if earlier is None else _go_on(earlier, file, launch)
    except InputError as error:
        if launch.into:
            tell(RunDirectory(launch.into), error.problems)
        raise


def _begin(file: ExperimentFile, launch: Launch) -> int:
    """Built before there is a directory: a run that can't begin leaves none behind."""
    with importing():
        from engine import run as engine
        from engine.check import checked
        from engine.control import Control

    parts = checked(file, refetch=launch.refetch)
    try:
        run = RunDirectory(launch.into) if launch.into else _create(file, launch)
    except InputError:
        parts.data.close()
        raise
    if launch.into:
        tell(run, parts.warnings)
    control = Control(run)
    return _shown(
        run, control, launch, lambda: engine.start(run, parts, control, file.path), resumed=False
    )


def _go_on(run: RunDirectory, file: ExperimentFile, launch: Launch) -> int:
    from engine.control import Control

    control = Control(run)
    control.skip_earlier()
    with importing():
        from engine import run as engine  # seconds, in which this engine may be asked something

    def go_on() -> int:
        return engine.resume(run, file, control, launch.checkpoint)

    return _shown(run, control, launch, go_on, resumed=True)


def _shown(
    run: RunDirectory,
    control: Control,
    launch: Launch,
    train: Callable[[], int],
    *,
    resumed: bool,
) -> int:
    """Train with a display of it, unless nobody looks."""
    with control.signals():
        if launch.into is not None:
            return train()
        capture = nullcontext((sys.stdout, sys.stderr)) if launch.debug else captured(run.console)
        with capture as (out, _):
            display: Display = (
                JsonLines(run, out, from_start=not resumed)
                if launch.json
                else Screen(run, out, from_start=not resumed)
            )
            with watching(display):
                return train()


def check_file(
    path: Path,
    overrides: list[str],
    text: bytes | None = None,
    *,
    json: bool,
    refetch: bool = False,
) -> int:
    """Print every problem. The exit code is 2 where there is one; warnings alone don't count."""
    file = read(path, overrides, text)
    with importing():
        from engine.check import check

    found = check(file, refetch=refetch)
    errors = [problem for problem in found if problem.severity == "error"]
    print_problems(found, json=json)
    if not errors and not json:
        warned = "1 warning" if len(found) == 1 else f"{len(found)} warnings"
        print(f"{path}: {f'no error, {warned}' if found else 'no problem found'}")
    return InputError.exit_code if errors else EXIT_FINISHED


def follow_run(run: RunDirectory, *, json: bool) -> int:
    """Show a run until it is over; the code is that of the run's own ending."""
    display: Display = JsonLines(run, sys.stdout) if json else Screen(run, sys.stdout)
    try:
        follow(display, lambda: status(run).over)
    except KeyboardInterrupt:
        display.close()
        print(f"{run.id} goes on; `ptrain stop {run.id}` would end it", file=sys.stderr)
        return EXIT_FINISHED
    how = status(run)
    if how.state == "lost":
        raise RunError(
            f"{run.id} is lost: {how.reason}",
            f"`ptrain resume {run.id}` goes on from its last checkpoint; see {run.console}",
        )
    return EXIT_FAILED if how.state == "failed" else EXIT_FINISHED


def stop_run(
    run: RunDirectory, after: Literal["step", "epoch"], *, now: bool, grace: float, json: bool
) -> int:
    """Ask, wait, and say what came of it."""
    how, answer = stop(run, after, grace)
    if now and not how.over:
        how = end_now(run, grace)
    if json:
        outcome = answer.outcome if answer is not None else None
        print(json_module.dumps({"run": run.id, "state": how.state, "answer": outcome}))
    elif how.over:
        word = last_word(run)
        print(ending(word, run) if word is not None else f"{run.id} is {how.state}: {how.reason}")
    elif answer is not None:
        print(f"{run.id} {answer.outcome}")
    if not how.over and answer is None:
        raise RunError(
            f"{run.id} has not answered within {grace:g} s: a step may take long",
            "the request stands and is answered at its next step; --now ends it in any case",
        )
    return EXIT_FINISHED

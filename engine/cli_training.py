"""The commands that train, plan a training, or have to do with one that is under way."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from engine.cli_options import (
    Debug,
    Detach,
    Device,
    File,
    From,
    Hidden,
    Json,
    Refetch,
    Run,
    Runs,
    Set,
    Stdin,
    given,
    overridden,
)
from engine.contract.problems import InputError, Problem


def run(
    context: typer.Context,
    file: File,
    device: Device = None,
    set_: Set = [],  # noqa: B006 -- typer reads the default, nothing changes it
    runs: Runs = None,
    resume: Annotated[str | None, typer.Option(metavar="RUN", help="Go on with this run.")] = None,
    from_: From = None,
    detach: Detach = False,
    refetch: Refetch = False,
    json: Json = False,
    debug: Debug = False,
    into: Hidden = None,
) -> None:
    """Train an experiment."""
    from engine.commands import Launch, find, train_file

    if from_ and not resume:
        raise InputError(Problem("which run's?", "--from", "give --resume RUN too"))
    launch = Launch(runs, detach, json, debug, into, refetch, from_, begin=context.obj)
    earlier = find(resume, runs) if resume else None
    raise typer.Exit(train_file(file.absolute(), overridden(set_, device), earlier, launch))


def resume(
    context: typer.Context,
    run: Run,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Train to this many epochs in all.")
    ] = None,
    from_: From = None,
    device: Device = None,
    runs: Runs = None,
    detach: Detach = False,
    json: Json = False,
    debug: Debug = False,
    into: Hidden = None,
) -> None:
    """Go on exactly where a run was, or where a chosen checkpoint is."""
    from engine.commands import Launch, find, train_file

    overrides = overridden([f"train.epochs={epochs}"] if epochs else [], device)
    launch = Launch(runs, detach, json, debug, into, checkpoint=from_, begin=context.obj)
    earlier = find(run, runs)
    raise typer.Exit(train_file(earlier.experiment, overrides, earlier, launch))


def check(
    file: File,
    set_: Set = [],  # noqa: B006
    refetch: Refetch = False,
    stdin: Stdin = False,
    json: Json = False,
) -> None:
    """Every problem of an experiment, without training."""
    from engine.commands import check_file

    raise typer.Exit(check_file(file, set_, given(stdin), json=json, refetch=refetch))


def profile(
    file: File,
    steps: Annotated[int, typer.Option(min=1, help="Steps to time, after some to warm up.")] = 20,
    device: Device = None,
    set_: Set = [],  # noqa: B006
    trace: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Write a trace for Perfetto: .json, or .json.gz."),
    ] = None,
    json: Json = False,
) -> None:
    """Where the time of a few training steps goes, without a run."""
    from engine.profile import profile_file

    overrides = overridden(set_, device)
    raise typer.Exit(profile_file(file, overrides, steps, trace, json=json))


def lr(
    file: File,
    set_: Set = [],  # noqa: B006
    steps_per_epoch: Annotated[
        int | None, typer.Option(min=1, help="Take this many; then no data is needed.")
    ] = None,
    metric: Annotated[
        str | None, typer.Option(metavar='"1.0,0.9,…"', help="What a plateau sees, an epoch each.")
    ] = None,
    most_points: Annotated[
        int | None,
        typer.Option(min=2, help="With --json: only about so many, those that draw the curve."),
    ] = None,
    stdin: Stdin = False,
    json: Json = False,
) -> None:
    """The planned learning rate of every group for every step."""
    from engine.lr import lr_of_file

    text = given(stdin)
    raise typer.Exit(
        lr_of_file(file, set_, steps_per_epoch, metric, text, json=json, most_points=most_points)
    )


def follow(run: Run, runs: Runs = None, json: Json = False) -> None:
    """Show a run live. Leaving with ctrl+c harms nothing."""
    from engine.commands import find, follow_run

    raise typer.Exit(follow_run(find(run, runs), json=json))


def stop(
    run: Run,
    after: Annotated[
        str, typer.Option(metavar="step|epoch", help="When: at the next step, or epoch's end.")
    ] = "step",
    now: Annotated[
        bool, typer.Option("--now", help="End it even if it doesn't answer in the grace period.")
    ] = False,
    grace: Annotated[float, typer.Option(min=0, help="Seconds to wait for its answer.")] = 60.0,
    runs: Runs = None,
    json: Json = False,
) -> None:
    """Ask a run for a checkpoint and an orderly end."""
    from engine.commands import find, stop_run

    if after not in ("step", "epoch"):
        raise InputError(Problem(f'"{after}" is not known', "--after", "step or epoch"))
    when: Literal["step", "epoch"] = "epoch" if after == "epoch" else "step"
    raise typer.Exit(stop_run(find(run, runs), when, now=now, grace=grace, json=json))

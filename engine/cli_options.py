"""Arguments and options that several commands have, and how a result is printed."""

from __future__ import annotations

import json as json_module
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

File = Annotated[Path, typer.Argument(metavar="FILE", help="The experiment's TOML file.")]
Run = Annotated[
    str, typer.Argument(metavar="RUN", help="A run's id, its beginning, its folder, or `last`.")
]
Runs = Annotated[
    Path | None,
    typer.Option("--runs", metavar="DIR", help="Default: $PTRAIN_RUNS, else ./runs."),
]
Set = Annotated[
    list[str],
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key: --set train.epochs=5."),
]
Device = Annotated[
    str | None,
    typer.Option("--device", metavar="D", help="auto, cpu, cuda, cuda:1, mps: train.device."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks; don't capture output.")]
Detach = Annotated[
    bool, typer.Option("--detach", help="Train in a session of its own; print the run's id.")
]
Refetch = Annotated[
    bool, typer.Option("--refetch", help="Download the weights again if their file is damaged.")
]
From = Annotated[
    str | None,
    typer.Option("--from", metavar="CHECKPOINT", help="best, epoch-0007, …; default: the last."),
]
Stdin = Annotated[
    bool,
    typer.Option("--stdin", help="Read standard input in the place of FILE, as if it stood there."),
]
Hidden = Annotated[Path | None, typer.Option("--into", hidden=True)]


def overridden(set_: list[str], device: str | None) -> list[str]:
    """What --set and --device say, as --set would."""
    return [*set_, *([f"train.device={device}"] if device else [])]


def given(stdin: bool) -> bytes | None:
    """The text that stands for a file's, as an editor has it that has not saved yet."""
    return sys.stdin.buffer.read() if stdin else None


def print_line(values: dict[str, Any], *, json: bool) -> None:
    """One result: an object for programs, its values for people."""
    print(json_module.dumps(values) if json else "  ".join(str(v) for v in values.values()))

"""`ptrain`: the commands, their exit codes, and what they print.

Torch takes seconds to import, so each command imports what it needs, and only that.
"""

from __future__ import annotations

import json as json_module
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from engine import __version__
from engine.contract.problems import (
    EXIT_FAILED,
    EXIT_INPUT,
    EXIT_INTERRUPTED,
    InputError,
    Problem,
    PtrainError,
)

if TYPE_CHECKING:
    from engine.launch import Begin

app = typer.Typer(
    name="ptrain",
    help="Fine-tune PyTorch models from one TOML file.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

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


@app.command()
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

    overrides = [*set_, *([f"train.device={device}"] if device else [])]
    if from_ and not resume:
        raise InputError(Problem("which run's?", "--from", "give --resume RUN too"))
    launch = Launch(runs, detach, json, debug, into, refetch, from_, begin=context.obj)
    earlier = find(resume, runs) if resume else None
    raise typer.Exit(train_file(file.absolute(), overrides, earlier, launch))


@app.command()
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

    overrides = [f"train.epochs={epochs}"] if epochs else []
    overrides += [f"train.device={device}"] if device else []
    launch = Launch(runs, detach, json, debug, into, checkpoint=from_, begin=context.obj)
    earlier = find(run, runs)
    raise typer.Exit(train_file(earlier.experiment, overrides, earlier, launch))


@app.command()
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


@app.command()
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

    overrides = [*set_, *([f"train.device={device}"] if device else [])]
    raise typer.Exit(profile_file(file, overrides, steps, trace, json=json))


@app.command()
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


@app.command()
def follow(run: Run, runs: Runs = None, json: Json = False) -> None:
    """Show a run live. Leaving with ctrl+c harms nothing."""
    from engine.commands import find, follow_run

    raise typer.Exit(follow_run(find(run, runs), json=json))


@app.command()
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


@app.command("runs")
def list_(runs: Runs = None, json: Json = False) -> None:
    """The runs there are, the newest last."""
    from engine.tables import print_runs

    print_runs(runs, json=json)


@app.command()
def show(run: Run, runs: Runs = None, json: Json = False) -> None:
    """How a run went: its numbers, its curve, its checkpoints."""
    from engine.commands import find
    from engine.tables import print_run

    print_run(find(run, runs), json=json)


@app.command()
def compare(
    run: Annotated[
        list[str], typer.Argument(metavar="RUN RUN …", help="Two or more, each as in `show`.")
    ],
    runs: Runs = None,
    json: Json = False,
) -> None:
    """Runs beside each other: how they went, and what differs in their experiments."""
    from engine.compare import compare_runs
    from engine.contract.run_directory import runs_root
    from engine.contract.runs import find_run

    compare_runs([find_run(reference, runs_root(runs)) for reference in run], json=json)


@app.command()
def hardest(
    run: Run,
    epoch: Annotated[
        int | None, typer.Option(min=1, help="From 1. Default: the last; as JSON, all of them.")
    ] = None,
    most: Annotated[
        int | None, typer.Option(min=0, help="Samples to list: 20, at most the 100 kept.")
    ] = None,
    runs: Runs = None,
    json: Json = False,
) -> None:
    """The loss of each class and the hardest samples, of a run with reduction = "none"."""
    from engine.commands import find
    from engine.hardest import print_hardest

    print_hardest(find(run, runs), epoch, most, json=json)


queue_app = typer.Typer(
    help="What waits for its device: list, add, remove, run.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(queue_app, name="queue")


@queue_app.callback(invoke_without_command=True)
def queue(context: typer.Context, runs: Runs = None, json: Json = False) -> None:
    """The experiments that wait for their device, the next one first."""
    if context.invoked_subcommand is None:
        from engine.queue_table import print_queue

        print_queue(runs, json=json)


@queue_app.command("add")
def queue_add(
    file: File,
    device: Device = None,
    set_: Set = [],  # noqa: B006
    runs: Runs = None,
    json: Json = False,
) -> None:
    """Queue an experiment as it is now; it starts when its device is free."""
    from engine.queue import add

    add(file, [*set_, *([f"train.device={device}"] if device else [])], runs, json=json)


@queue_app.command("remove")
def queue_remove(
    place: Annotated[int, typer.Argument(metavar="N", help="Its place in the list, from 1.")],
    runs: Runs = None,
    json: Json = False,
) -> None:
    """Take an experiment out of the queue."""
    from engine.queue_table import remove

    remove(place, runs, json=json)


@queue_app.command("run")
def queue_run(
    detach: Annotated[bool, typer.Option("--detach", help="In a session of its own.")] = False,
    runs: Runs = None,
    json: Json = False,
) -> None:
    """Start what waits, until nothing does; `add` has it done by itself."""
    from engine.contract.queue import Queue
    from engine.contract.run_directory import runs_root
    from engine.queue import move_on, move_on_detached

    found = Queue(runs_root(runs))
    if detach:
        move_on_detached(found)
    elif not move_on(found):
        print_line({"queue": "another process moves it on already"}, json=json)


@app.command()
def devices(json: Json = False) -> None:
    """What there is to train on, with its free memory and who uses it."""
    from engine.tables import print_devices

    print_devices(json=json)


@app.command()
def backbones(
    name: Annotated[str, typer.Argument(help="Only those whose name contains this.")] = "",
    json: Json = False,
) -> None:
    """The models that can be fine-tuned, their sizes and weights."""
    from engine.tables import print_backbones

    print_backbones(name, json=json)


@app.command()
def layers(
    named: Annotated[
        str, typer.Argument(metavar="FILE-or-BACKBONE", help="An experiment, or a backbone.")
    ],
    depth: Annotated[
        int | None, typer.Option(min=0, help="The deepest level to show. Default: all.")
    ] = None,
    set_: Set = [],  # noqa: B006
    stdin: Stdin = False,
    json: Json = False,
) -> None:
    """The module tree: shapes, parameters, what is frozen, group and learning rate."""
    from engine.importing import importing

    with importing():
        from engine.layers import print_layers

    print_layers(named, set_, depth, given(stdin), json=json)


@app.command()
def cache(
    clear: Annotated[bool, typer.Option("--clear", help="Take all of it away.")] = False,
    json: Json = False,
) -> None:
    """What frozen layers made of images, and images, kept for later runs: train.cache."""
    from engine.tables import clear_cache, print_cache

    if clear:
        clear_cache(json=json)
    else:
        print_cache(json=json)


@app.command()
def new(
    file: File,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="NAME", help="An example to begin with.")
    ] = None,
    json: Json = False,
) -> None:
    """Write a commented experiment to start from."""
    from engine.contract.template import write_new

    print_line(write_new(file, from_), json=json)


@app.command()
def schema(json: Json = True) -> None:
    """The JSON Schema of the experiment file, for editors. It is JSON in any case."""
    from engine.contract.experiment import Experiment

    print(json_module.dumps(Experiment.model_json_schema(), indent=2))


@app.command()
def version(json: Json = False) -> None:
    """The version of ptrain."""
    print_line({"version": __version__}, json=json)


def given(stdin: bool) -> bytes | None:
    """The text that stands for a file's, as an editor has it that has not saved yet."""
    return sys.stdin.buffer.read() if stdin else None


def print_line(values: dict[str, Any], *, json: bool) -> None:
    """One result: an object for programs, its values for people."""
    print(json_module.dumps(values) if json else "  ".join(str(v) for v in values.values()))


def main() -> None:
    """The console script."""
    sys.exit(command(sys.argv[1:]))


def command(arguments: list[str], begin: Begin | None = None) -> int:
    """Run one; gives its exit code. Every error that is a person's to mend is told without a
    traceback. `begin`: how an engine is started that is to be detached."""
    try:
        code = app(arguments, standalone_mode=False, obj=begin)
    except PtrainError as error:
        if "--debug" in arguments:
            raise
        code = _tell(error, json="--json" in arguments)
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone (`| head`); what is left to flush has no reader.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 128 + signal.SIGPIPE
    except typer.Abort:
        code = EXIT_INTERRUPTED
    except Exception as error:
        code = _usage(error)
    return code or 0


def _tell(error: PtrainError, *, json: bool) -> int:
    problems = error.problems if isinstance(error, InputError) else None
    if problems is not None:
        from engine.printing import print_problems

        print_problems(problems, json=json)
    elif json:
        print(json_module.dumps({"error": str(error)}))
    else:
        print(error, file=sys.stderr)
    return error.exit_code


def _usage(error: Exception) -> int:
    """A mistake on the command line, which typer words; anything else is a bug of ours."""
    show, code = getattr(error, "show", None), getattr(error, "exit_code", EXIT_FAILED)
    if show is None:
        raise error
    show()
    return int(code) if code is not None else EXIT_INPUT


if __name__ == "__main__":
    main()

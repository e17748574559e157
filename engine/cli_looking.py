"""The commands that show what there is: runs, devices, backbones, layers, what is kept."""

from __future__ import annotations

import json as json_module
from typing import Annotated

import typer

from engine import __version__
from engine.cli_options import File, Json, Run, Runs, Set, Stdin, given, print_line


def list_runs(runs: Runs = None, json: Json = False) -> None:
    """The runs there are, the newest last."""
    from engine.tables import print_runs

    print_runs(runs, json=json)


def show(run: Run, runs: Runs = None, json: Json = False) -> None:
    """How a run went: its numbers, its curve, its checkpoints."""
    from engine.commands import find
    from engine.tables import print_run

    print_run(find(run, runs), json=json)


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


def devices(json: Json = False) -> None:
    """What there is to train on, with its free memory and who uses it."""
    from engine.tables import print_devices

    print_devices(json=json)


def backbones(
    name: Annotated[str, typer.Argument(help="Only those whose name contains this.")] = "",
    json: Json = False,
) -> None:
    """The models that can be fine-tuned, their sizes and weights."""
    from engine.tables import print_backbones

    print_backbones(name, json=json)


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


def schema(json: Json = True) -> None:
    """The JSON Schema of the experiment file, for editors. It is JSON in any case."""
    from engine.contract.experiment import Experiment

    print(json_module.dumps(Experiment.model_json_schema(), indent=2))


def version(json: Json = False) -> None:
    """The version of ptrain."""
    print_line({"version": __version__}, json=json)

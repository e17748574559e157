"""The commands of the queue: what waits for its device."""

from __future__ import annotations

from typing import Annotated

import typer

from engine.cli_options import Device, File, Json, Runs, Set, overridden, print_line

queue_app = typer.Typer(
    help="What waits for its device: list, add, remove, run.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


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

    add(file, overridden(set_, device), runs, json=json)


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

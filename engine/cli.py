"""`ptrain`: the commands, their exit codes, and what is told of a mistake.

Torch takes seconds to import, so each command imports what it needs, and only that.
"""

from __future__ import annotations

import json as json_module
import os
import signal
import sys
from typing import TYPE_CHECKING

import typer

from engine.cli_looking import (
    backbones,
    cache,
    compare,
    devices,
    hardest,
    layers,
    list_runs,
    new,
    schema,
    show,
    version,
)
from engine.cli_queue import queue_app
from engine.cli_training import check, follow, lr, profile, resume, run, stop
from engine.contract.problems import (
    EXIT_FAILED,
    EXIT_INPUT,
    EXIT_INTERRUPTED,
    InputError,
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
# In the order in which `ptrain --help` lists them.
for training in (run, resume, check, profile, lr, follow, stop):
    app.command()(training)
app.command("runs")(list_runs)
for looking in (show, compare, hardest, devices, backbones, layers, cache, new, schema, version):
    app.command()(looking)
app.add_typer(queue_app, name="queue")


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

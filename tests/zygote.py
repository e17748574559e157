"""A process that has imported torch once and forks for each training that a test asks for.

Importing takes seconds, a fork milliseconds. It runs no torch operation itself: a fork from a
process with torch's threads would hang. One JSON object a line in, one a line out.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import Any


def serve() -> None:
    """Read requests until the end of standard input."""
    import engine.run  # noqa: F401  # the import that is worth doing once

    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            os._exit(in_child(request))
        _, status = os.waitpid(pid, 0)
        print(json.dumps({"code": os.waitstatus_to_exitcode(status)}), flush=True)


def in_child(request: dict[str, Any]) -> int:
    """Train as `ptrain run` does, its output in a file."""
    from engine.contract.problems import PtrainError

    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for descriptor in (1, 2):
        os.dup2(log, descriptor)
    try:
        return trained(request)
    except PtrainError as error:
        print(error)
        return error.exit_code
    except BaseException:
        traceback.print_exc()
        return 99
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def trained(request: dict[str, Any]) -> int:
    import torch

    import engine.run as engine
    from engine.contract.run_directory import RunDirectory, create
    from engine.contract.toml_file import read, resolved_text
    from engine.control import Control

    torch.set_num_threads(1)
    path, overrides = Path(request["path"]), request["overrides"]
    if request["at"]:
        act_at({int(step): action for step, action in request["at"].items()})
    if request["resume"]:
        run = RunDirectory(path)
        file = read(run.experiment, overrides)
    else:
        file = read(path, overrides)
        parts = engine.build_located(file)
        text = resolved_text(file.experiment)
        run = create(Path(request["runs"]), file.experiment.name, text, file.text)
    # Asked after every step, so that a request is answered at the step where it was made.
    control = Control(run, poll_seconds=0.0)
    with control.signals():
        if request["resume"]:
            control.skip_earlier()
            return engine.resume(run, file, control, request.get("from"))
        return engine.start(run, parts, control)


def act_at(actions: dict[int, Any]) -> None:
    """From now on something happens when the recorder is handed one of those steps.

    An action is a signal's name, "full disk", or the keywords of a request to the engine.
    """
    import engine.run as engine
    from engine.contract.control import ask
    from engine.contract.run_directory import RunDirectory
    from engine.recorder import Recorder, StepRecord

    def written() -> None:
        for thread in threading.enumerate():
            if thread.name == "checkpoint":
                thread.join()

    class Acting(Recorder):
        def step(self, record: StepRecord) -> None:
            super().step(record)
            match actions.get(record.step):
                case None:
                    return
                case "full disk":
                    written()  # between two checkpoints, not in the middle of one
                    # No file may grow beyond this: checkpoints fail half-way, events go on.
                    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
                case "room again":
                    written()
                    room = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
                    resource.setrlimit(resource.RLIMIT_FSIZE, room)
                case str(name):
                    self.flush()
                    os.kill(os.getpid(), signal.Signals[name])
                case dict(request):
                    ask(RunDirectory(self._file.path.parent), **request)

    engine.Recorder = Acting  # type: ignore[misc]


if __name__ == "__main__":
    serve()

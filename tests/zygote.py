"""A process that has imported torch once and forks for each training that a test asks for.

Importing takes seconds, a fork milliseconds. It runs no torch operation itself: a fork from a
process with torch's threads would hang. One JSON object a line in, one a line out.
"""

from __future__ import annotations

import json
import os
import signal
import sys
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
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for descriptor in (1, 2):
        os.dup2(log, descriptor)
    try:
        return trained(request)
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
    path = Path(request["path"])
    if request.get("stop_at") is not None:
        interrupt_at(request["stop_at"], request["by"])
    if request["resume"]:
        run = RunDirectory(path)
        file = read(run.experiment)
    else:
        file = read(path)
        parts = engine.build_located(file)
        text = resolved_text(file.experiment)
        run = create(Path(request["runs"]), file.experiment.name, text, file.text)
    # Asked after every step, so that a request is answered at the step where it was made.
    control = Control(run, poll_seconds=0.0)
    with control.signals():
        if request["resume"]:
            return engine.resume(run, file, control)
        return engine.start(run, parts, control)


def interrupt_at(step: int, by: str) -> None:
    """From now on the recorder interrupts its own process when it is handed that step."""
    import engine.run as engine
    from engine.contract.control import ask
    from engine.contract.run_directory import RunDirectory
    from engine.recorder import Recorder, StepRecord

    class Interrupting(Recorder):
        def step(self, record: StepRecord) -> None:
            super().step(record)
            if record.step != step:
                return
            match by:
                case "ptrain stop":
                    ask(RunDirectory(self._file.path.parent), "stop")
                case "SIGTERM":
                    os.kill(os.getpid(), signal.SIGTERM)
                case "SIGKILL":
                    self.flush()
                    os.kill(os.getpid(), signal.SIGKILL)

    engine.Recorder = Interrupting  # type: ignore[misc]


if __name__ == "__main__":
    serve()

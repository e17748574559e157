"""From asking for a run to its first step, and other questions: warm, from the workbench, against
cold.

    uv run python benchmarks/starting.py [FILE] [--repeats N]

Both are asked in turn, as the dashboard asks. `data` is what a run needs in any case before its
first step: building the parts and making the first batch, in a process that has imported torch.
A start's first step is the time of its first `step` event; the run is then stopped.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from engine.contract.events import Step
from engine.contract.follower import Follower
from engine.contract.run_directory import RunDirectory
from tui.launching import Engine
from tui.workbench import Workbench

DIGITS = Path(__file__).parent.parent / "experiments" / "digits.toml"
DATA = """
import sys, time
from pathlib import Path
from engine.contract.toml_file import read
from engine.run import build_located
file = read(Path(sys.argv[1]), [])
begun = time.perf_counter()
parts = build_located(file)
next(iter(parts.data.train_batches(0)))
print(time.perf_counter() - begun)
parts.data.close()
"""


async def first_step(engine: Engine, file: Path, runs: Path) -> float:
    """Seconds until it."""
    begun = time.time()
    outcome = await engine.start(file, None, runs)
    assert outcome.run is not None, outcome
    run = RunDirectory(outcome.run)
    holder, follower = run.holder(), Follower(run.events)
    while True:
        for event in follower.events():
            if isinstance(event, Step):
                if holder is not None and holder.alive:
                    os.kill(holder.pid, signal.SIGKILL)
                return event.time - begun
        await asyncio.sleep(0.01)


async def asked(engine: Engine, *arguments: str) -> float:
    begun = time.perf_counter()
    answer = await engine.ask(*arguments)
    assert answer.code == 0, answer.err
    return time.perf_counter() - begun


async def data(file: Path) -> float:
    import sys

    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-c", DATA, str(file), stdout=asyncio.subprocess.PIPE
    )
    return float(json.loads((await process.communicate())[0]))

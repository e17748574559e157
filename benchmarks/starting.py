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
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
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


async def asked(engine: Engine, arguments: Sequence[str]) -> float:
    begun = time.perf_counter()
    answer = await engine.ask(*arguments)
    assert answer.code == 0, answer.err
    return time.perf_counter() - begun


def data(file: Path) -> float:
    command = [sys.executable, "-P", "-c", DATA, str(file)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


async def warmed(workbench: Workbench) -> float:
    """Seconds until it is ready."""
    begun = time.perf_counter()
    workbench.warm_up(lambda _: None, lambda why: sys.exit(f"no workbench: {why}"))
    while not workbench.ready:
        await asyncio.sleep(0.01)
    return time.perf_counter() - begun


async def measure(
    file: Path, runs: Path, repeats: int
) -> tuple[dict[str, tuple[list[float], ...]], list[float]]:
    """Seconds, cold and warm, and of parts and data alone, all in turn."""
    workbench = Workbench()
    print(f"the workbench is ready after {await warmed(workbench):.1f} s")
    engines = Engine(), Engine(workbench)
    ways: dict[str, Callable[[Engine], Awaitable[float]]] = {
        "run: to its first step": lambda engine: first_step(engine, file, runs),
        **{
            f"{words[0]}": partial(asked, arguments=(*words, "--json"))
            for words in (("check", str(file)), ("layers", str(file)), ("lr", str(file)))
        },
    }
    times: dict[str, tuple[list[float], ...]] = {name: ([], []) for name in ways}
    datas = []
    for _ in range(repeats):
        datas.append(data(file))
        for name, way in ways.items():
            for engine, taken in zip(engines, times[name], strict=True):
                taken.append(await way(engine))
    workbench.close()
    return times, datas


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", metavar="FILE", nargs="?", type=Path, default=DIGITS)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as runs:
        times, datas = asyncio.run(measure(options.file, Path(runs), options.repeats))
    needed = statistics.median(datas)
    print(f"{options.file.name}; medians of {options.repeats}, in seconds")
    print(f"{'':28}{'cold':>8}{'warm':>8}{'ratio':>8}")
    for name, taken in times.items():
        cold, warm = map(statistics.median, taken)
        print(f"{name:28}{cold:8.2f}{warm:8.2f}{cold / warm:8.1f}")
    print(f"{'  of which parts and data':28}{needed:8.2f}{needed:8.2f}")
    beyond = statistics.median(times["run: to its first step"][1]) - needed
    print(f"{'  warm, beyond these':28}{'':8}{beyond:8.2f}")


if __name__ == "__main__":
    main()

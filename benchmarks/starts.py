"""The part `start`: from asking for a training to the end of its first step."""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from finetuning import prepared, squeezenet
from tables import Table, median, ratio
from work import Prepared, Work

if TYPE_CHECKING:
    from run import Options

ABOUT = (
    "squeezenet1_1, nothing trains but its head, images from JPEG files. From the start of the "
    "process, or from asking the dashboard for a run, to the end of the first step. ptrain checks "
    "the experiment before it begins. `warm`: started by the dashboard, which has imported torch "
    "meanwhile."
)
FIRST_STEP = """
import pickle, sys
sys.path.insert(0, sys.argv[1])
with open(sys.argv[2], "rb") as file:
    work, prepared = pickle.load(file)
from by_hand import first_step
print(first_step(work, prepared))
"""


def starting_times(options: Options, folder: Path) -> Iterator[Table]:
    work = squeezenet(options)
    start = prepared(work, folder)
    times = asyncio.run(measured(work, start, options.repeats))
    table = Table("Starting", ABOUT, ["", "seconds", "times as fast"])
    hand = median(times["by hand"])
    for name, own in times.items():
        table.rows.append([name, f"{median(own):.2f}", ratio(hand / median(own))])
    yield table


async def measured(work: Work, start: Prepared, repeats: int) -> dict[str, list[float]]:
    from starting import first_step, warmed  # which imports the dashboard

    from tui.launching import Engine
    from tui.workbench import Workbench

    workbench = Workbench()
    await warmed(workbench)
    folder = Path(start.start).parent
    file, runs = folder / "work.toml", folder / "runs"
    times: dict[str, list[float]] = {"by hand": [], "ptrain": [], "ptrain, warm": []}
    for _ in range(repeats):
        times["by hand"].append(by_hand(work, start, folder))
        times["ptrain"].append(await first_step(Engine(), file, runs))
        times["ptrain, warm"].append(await first_step(Engine(workbench), file, runs))
    workbench.close()
    return times


def by_hand(work: Work, start: Prepared, folder: Path) -> float:
    given = folder / "work.pickle"
    given.write_bytes(pickle.dumps((work, start)))
    here = str(Path(__file__).parent)
    command = [sys.executable, "-c", FIRST_STEP, here, str(given)]
    begun = time.time()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout) - begun


PARTS = {"start": starting_times}

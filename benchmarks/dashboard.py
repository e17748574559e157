"""What the dashboard costs: opening a run of a million steps, and drawing its charts.

    uv run python benchmarks/dashboard.py [--steps N] [--repeats N] [--seconds S]

Each repetition of `open` is a process of its own, because memory is a process's highest mark: it
imports the dashboard's widgets, reads events.jsonl (two groups, an epoch every thousandth of the
steps) and draws both charts at 160x45. `base` is that process without a run. A redraw is the loss
chart from its content, as a key that zooms makes it. No torch anywhere,
but in the trainings of dashboard_live.py, whose rows follow.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import dashboard_live
import msgspec

from engine.contract.events import Parameters, RunStarted, Step, System, Validated, encode
from engine.contract.follower import Follower, catch_up
from engine.contract.run_state import RunState, fold
from tui.chart_contents import charts_of, content_of
from tui.chart_view import View, zoomed
from tui.content import Content
from tui.picture import draw
from tui.run_curves import CurveReader
from tui.widgets.run_charts import RunCharts

WIDTH, LOSS_HEIGHT, LR_HEIGHT = 160, 27, 18
EPOCHS = 1000
SMOOTHING = 0.99


def write_run(path: Path, steps: int) -> None:
    """As the engine writes it: losses and rates with all their digits."""
    dice = random.Random(0)
    per_epoch = max(1, steps // EPOCHS)
    started = RunStarted(
        time=1.7e9, version="", pid=1, host="", device="cpu", name="long",
        steps_per_epoch=per_epoch, epochs=EPOCHS, planned_end=steps, groups=["head", "backbone"],
        parameters=Parameters(1, 1), train_samples=1, val_samples=1, classes=[], workers=0,
        precision="fp32", frozen=[],
    )  # fmt: skip
    with path.open("wb") as file:
        file.write(encode(started))
        for step in range(steps):
            now = 1.7e9 + step * 0.0123
            rate = 0.01 * math.cos(1.5 * step / steps)
            loss = 2 * math.exp(-3 * step / steps) + dice.random() * 0.3
            event = Step(
                time=now, step=step, epoch=step // per_epoch, loss=loss, lr=[rate, rate / 10],
                samples_per_second=400 + dice.random(),
            )  # fmt: skip
            file.write(encode(event))
            if step % 400 == 0:  # every five seconds
                file.write(encode(System(time=now, memory=1 << 30, cpu=99.0)))
            if step % per_epoch == per_epoch - 1:
                metrics: dict[str, float | None] = {"val/loss": loss + 0.1, "val/accuracy": loss}
                epoch = step // per_epoch
                told = Validated(time=now, step=step + 1, epoch=epoch, metrics=metrics, seconds=1.0)
                file.write(encode(told))


def opened(path: Path) -> dict[str, float]:
    """In a process of its own: seconds of each part of the way to both charts, and MiB."""
    times, begun = [time.perf_counter()], time.process_time()
    state = RunState()
    catch_up(Follower(path), state)
    times.append(time.perf_counter())
    reader = CurveReader(state)
    contents = contents_of(reader)
    times.append(time.perf_counter())
    for content, height in zip(contents, (LOSS_HEIGHT, LR_HEIGHT), strict=True):
        draw(content, View(), WIDTH, height)
    times.append(time.perf_counter())
    read, prepare, drawn = (1000 * (b - a) for a, b in pairwise(times))
    used, both = 1000 * (time.process_time() - begun), highest()
    for content in all_contents(reader):
        draw(content, View(), WIDTH, LR_HEIGHT)
    return {
        "read": read, "prepare": prepare, "draw": drawn, "used": used, "memory": both,
        "memory, all": highest(),
    }  # fmt: skip


def contents_of(reader: CurveReader) -> tuple[Content, Content]:
    curves = reader.read()
    loss, lr = (content_of(key, reader, curves, "step", SMOOTHING, None) for key in ("loss", "lr"))
    return loss, lr


def all_contents(reader: CurveReader) -> list[Content]:
    """Of every chart that the run has, as where a person has ticked them all."""
    curves = reader.read()
    return [
        content_of(named.key, reader, curves, "step", SMOOTHING, None)
        for named in charts_of(curves)
    ]


def highest() -> float:
    """MiB that the process has had at most."""
    unit = 1 if sys.platform == "darwin" else 1024  # what ru_maxrss counts in
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def in_a_process(path: Path | None) -> dict[str, float]:
    command = [sys.executable, __file__, "--open", str(path or "")]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(ran.stdout)
    return found


def redraws(path: Path, repeats: int) -> dict[str, list[float]]:
    """ms of drawing, and of what a new step costs a chart that is looked at."""
    state = RunState()
    catch_up(Follower(path), state)
    reader = CurveReader(state)
    content, rates = contents_of(reader)
    near = zoomed(View(), content.whole, 0.1)

    def at(view: View, content: Content = content, *, log: bool = False) -> Callable[[], object]:
        return lambda: draw(content, view, WIDTH, LOSS_HEIGHT, log=log)

    def refreshed() -> None:
        last = state.last_step
        assert last is not None
        fold(state, msgspec.structs.replace(last, step=last.step + 1))
        for content, height in zip(contents_of(reader), (LOSS_HEIGHT, LR_HEIGHT), strict=True):
            draw(content, View(), WIDTH, height)

    def every_refreshed() -> None:
        last = state.last_step
        assert last is not None
        fold(state, msgspec.structs.replace(last, step=last.step + 1))
        for content in all_contents(reader):
            draw(content, View(), WIDTH, LR_HEIGHT)

    every_refreshed()  # reads the columns that were not shown before
    ways = {
        "redraw, all of the run": at(View()),
        "redraw, logarithmic": at(View(), log=True),
        "redraw, a tenth of the run": at(near),
        "redraw, learning rates": at(View(), rates),
        "a new step, both charts": refreshed,
        f"a new step, all {len(all_contents(reader))} charts": every_refreshed,
    }
    return {name: [_timed(way) for _ in range(repeats)] for name, way in ways.items()}


def _timed(way: Callable[[], object]) -> float:
    start = time.perf_counter()
    way()
    return 1000 * (time.perf_counter() - start)


def main() -> None:
    """Its rows, then those of dashboard_live.py."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each of the live rows")
    parser.add_argument("--open", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.open is not None:
        assert RunCharts is not None  # imported: a dashboard's memory has it
        found = opened(Path(options.open)) if options.open else {"memory": highest()}
        print(json.dumps(found))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.jsonl"
        write_run(path, options.steps)
        size = path.stat().st_size / 2**20
        print(f"{options.steps:,} steps, {size:.0f} MiB; medians of {options.repeats}; {WIDTH}x45")
        opens = [in_a_process(path) for _ in range(options.repeats)]
        base = [in_a_process(None) for _ in range(options.repeats)]
        for name in ("read", "prepare", "draw"):
            print(f"{'open: ' + name:34}{statistics.median(o[name] for o in opens):10.1f} ms")
        whole = statistics.median(o["read"] + o["prepare"] + o["draw"] for o in opens)
        print(f"{'open: to both charts':34}{whole:10.1f} ms")
        used = statistics.median(o["used"] for o in opens)
        print(f"{'open: processor time of that':34}{used:10.1f} ms")  # others may use it as well
        for name, runs, key in (
            ("memory, highest", opens, "memory"),
            ("memory, with every chart", opens, "memory, all"),
            ("memory, base", base, "memory"),
        ):
            print(f"{name:34}{statistics.median(run[key] for run in runs):10.1f} MiB")
        for name, times in redraws(path, options.repeats).items():
            print(f"{name:34}{statistics.median(times):10.1f} ms")
    dashboard_live.report(options.repeats, options.seconds)


if __name__ == "__main__":
    main()

"""What there is and what has run, as tables for people and as JSON for programs."""

from __future__ import annotations

import json as json_module
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from engine.contract.backbones import BACKBONES
from engine.contract.events import as_dict
from engine.contract.feature_folder import cache_folder, entries, remove
from engine.contract.follower import read_state
from engine.contract.news import words
from engine.contract.outcome import epochs_done
from engine.contract.run_directory import RunDirectory, runs_root
from engine.contract.run_state import Curve, RunState
from engine.contract.runs import list_runs, status
from engine.display import duration, ending, validation_line
from engine.terminal import console

BLOCKS = "▁▂▃▄▅▆▇█"


def print_devices(*, json: bool) -> None:
    from engine.contract.devices import devices  # NVIDIA's library: a tenth of a second

    rows = devices()
    if json:
        _print_json([row.as_json() for row in rows])
        return
    shown = table("device", "model", "memory free", "of", "busy", "used by")
    for row in rows:
        busy = "" if row.utilisation is None else f"{row.utilisation} %"
        shown.add_row(
            row.name,
            row.model,
            gigabytes(row.memory_free),
            gigabytes(row.memory_total),
            busy,
            ", ".join(row.users),
        )
    print_table(shown)


def print_backbones(part: str, *, json: bool) -> None:
    """Those whose name contains `part`."""
    rows = [row for name, row in BACKBONES.items() if part.lower() in name]
    if json:
        _print_json(
            [
                {
                    "name": row.name,
                    "task": row.task,
                    "parameters": row.parameters,
                    "image_size": row.image_size,
                    "smallest": row.smallest,
                    "heads": list(row.heads),
                    "weights": list(row.weights),
                    "default": row.default,
                }
                for row in rows
            ]
        )
        return
    shown = table("backbone", "task", "parameters", "pixels", "at least", "head", "weights")
    for row in rows:
        parameters = f"{row.parameters / 1e6:.1f} M"
        sizes = str(row.image_size), str(row.smallest)
        shown.add_row(row.name, row.task, parameters, *sizes, row.heads[0], ", ".join(row.weights))
    print_table(shown)


def print_cache(*, json: bool) -> None:
    """What `train.cache` keeps on the disk, the one used last first."""
    folder = cache_folder()
    kept = entries(folder)
    if json:
        _print_json(
            [
                {"path": str(one.path), "bytes": one.bytes, "used": one.used, **one.about}
                for one in kept
            ]
        )
        return
    if not kept:
        print(f"nothing is kept in {folder}")
        return
    shown = table("backbone", "first used by", "samples", "size", "last used", "folder")
    for one in kept:
        shown.add_row(
            one.about.get("backbone", ""),
            one.about.get("name", ""),
            str(one.about.get("samples", "")),
            f"{one.bytes / 1e6:.1f} MB",
            f"{duration(max(0.0, time.time() - one.used))} ago",
            one.path.name[:12],
        )
    print_table(shown)
    print(f"{sum(one.bytes for one in kept) / 1e9:.2f} GB in {folder}")


def clear_cache(*, json: bool) -> None:
    """All but what a run is using."""
    kept = entries(cache_folder())
    gone = [one for one in kept if remove(one.path)]
    freed, left = sum(one.bytes for one in gone), len(kept) - len(gone)
    if json:
        _print_json([{"freed": freed, "in_use": left}])
        return
    in_use = f"; {left} in use by a run stay" if left else ""
    print(f"{freed / 1e9:.2f} GB are free again{in_use}")


def print_runs(runs: Path | None, *, json: bool) -> None:
    """Every run, the newest last, where a terminal shows it without scrolling."""
    rows = [_summary(run) for run in list_runs(runs_root(runs))]
    if json:
        _print_json(rows)
        return
    if not rows:
        print(f"no runs in {runs_root(runs)}; `ptrain run FILE` makes one")
        return
    shown = table("run", "experiment", "state", "epoch", "best", "loss", "last heard of")
    for row in rows:
        shown.add_row(
            row["run"],
            row["experiment"],
            row["state"],
            f"{row['epochs_done']}/{row['epochs']}",
            f"{_number(row['best'])} {row['monitor']}".strip() if row["best"] is not None else "",
            _number(row["loss"]),
            f"{duration(max(0.0, time.time() - row['time']))} ago" if row["time"] else "",
        )
    print_table(shown)


def _summary(run: RunDirectory) -> dict[str, Any]:
    state, how = read_state(run.events), status(run)
    best = state.best
    return {
        "run": run.id,
        "experiment": run.name,
        "path": str(run.path),
        "state": how.state,
        "reason": how.reason,
        "step": state.steps_done,
        "planned_end": state.planned_end,
        "epochs_done": epochs_done(state),
        "epochs": state.epochs,
        "loss": state.last_step.loss if state.last_step is not None else None,
        "best": best.metric if best is not None else None,
        "monitor": state.started.monitor if state.started is not None else "",
        "best_checkpoint": best.path if best is not None else None,
        "metrics": state.validated[-1].metrics if state.validated else {},
        "time": state.last_time,
    }


def print_run(run: RunDirectory, *, json: bool) -> None:
    """One run's story."""
    state = read_state(run.events)
    if json:
        checkpoints = [as_dict(event) for event in newest_checkpoints(state)]
        validated = [as_dict(event) for event in state.validated]
        warnings = [as_dict(event) for event in state.warnings]
        more = {"validated": validated, "checkpoints": checkpoints, "warnings": warnings}
        print(_dumps(_summary(run) | more))
        return
    how = status(run)
    print(f"{run.name} {run.id}: {how.state}{f' ({how.reason})' if how.reason else ''}")
    if len(state.curve.step):
        first, last = state.curve.step[0], state.curve.step[-1]
        print(f"\nloss of steps {first} to {last}\n{curve(state.curve)}\n")
    for news in state.news:
        print("\n".join(words(news, state.epochs)))
    for event in state.validated:
        print(validation_line(event, state.epochs))
    for saved in newest_checkpoints(state):
        metric = "" if saved.metric is None else f"  {saved.metric:.4f}"
        print(f"{saved.kind:>5}  step {saved.step}  {run.path / saved.path}{metric}")
    print(ending(state.last_word, run) if state.last_word is not None else f"run  {run.path}")


def newest_checkpoints(state: RunState) -> list[Any]:
    """The newest event of each file: `last` and `best` were written many times."""
    return list({event.path: event for event in state.checkpoints}.values())


def curve(points: Curve, width: int = 72, height: int = 8) -> str:
    """The loss as blocks: each column the mean of its steps, the range written beside it."""
    columns = _columns(list(points.loss), width)
    finite = [value for value in columns if math.isfinite(value)]
    if not finite:
        return "no finite loss"
    low, high = min(finite), max(finite)
    span = (high - low) or 1.0
    levels = [
        round((value - low) / span * (height * 8 - 1)) + 1 if math.isfinite(value) else 0
        for value in columns
    ]
    rows = []
    for row in reversed(range(height)):
        cells = (min(8, max(0, level - row * 8)) for level in levels)
        label = f"{high:9.4f} " if row == height - 1 else f"{low:9.4f} " if row == 0 else " " * 10
        rows.append(label + "".join(" " if not cell else BLOCKS[cell - 1] for cell in cells))
    return "\n".join(row.rstrip() for row in rows)


def _columns(values: Sequence[float], width: int) -> list[float]:
    width = min(width, len(values))
    means = []
    for column in range(width):
        part = values[column * len(values) // width : (column + 1) * len(values) // width]
        finite = [value for value in part if math.isfinite(value)]
        means.append(sum(finite) / len(finite) if finite else math.nan)
    return means


def gigabytes(count: int) -> str:
    return f"{count / 2**30:.1f} GiB"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def table(*columns: str) -> Table:
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, no_wrap=True)
    return made


def print_table(rows: Table) -> None:
    console().print(rows)


def _dumps(values: Any) -> str:
    return json_module.dumps(values)


def _print_json(rows: list[dict[str, Any]]) -> None:
    """One object a line."""
    for row in rows:
        print(_dumps(row))

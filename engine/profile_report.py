"""The profile as people read it, and as programs do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from engine.build import Parts
from engine.profile_layers import Layer
from engine.profile_memory import Memory
from engine.profile_rehearsal import WARM_UP
from engine.profile_steps import TRACED, Measured
from engine.profile_timed import Steps
from engine.profile_verdict import percent, verdict
from engine.run import device_label
from engine.tables import gigabytes, print_table, table
from engine.timeline import BACKWARD, DATA, FORWARD, LOSS, METRICS, OPTIMIZER, OTHER

TRAINING = (DATA, FORWARD, LOSS, BACKWARD, OPTIMIZER, OTHER)
VALIDATION = (DATA, FORWARD, METRICS, OTHER)
EIGHTHS = " ▏▎▍▌▋▊▉"
BAR = 24  # cells of a whole step
OPERATIONS = 5  # of the ten in the JSON: names that say little to most


def print_profile(parts: Parts, measured: Measured) -> None:
    """Within 80 columns, unless a layer's name is long."""
    for line in _head(parts):
        say(line)
    say(f"\nthe first epoch: {_counted(measured.training)}, after {WARM_UP} to warm up")
    _print_steps(measured.training)
    if measured.later is not None:
        say(f"\nlater epochs, from what the first one keeps: {_counted(measured.later)}")
        _print_steps(measured.later)
    say("")
    for line in _below(parts, measured):
        say(line)
    _print_layers(parts, measured)
    say(f"\n{verdict(parts, measured)}")


def say(text: str) -> None:
    """Broken between words on a terminal; in a pipe a line is a line."""
    console = Console(highlight=False, markup=False, emoji=False)
    console.print(text, soft_wrap=not console.is_terminal)


def _head(parts: Parts) -> list[str]:
    experiment, data = parts.experiment, parts.data
    accumulate = experiment.train.accumulate
    of = f"{accumulate} batches of" if accumulate > 1 else "batches of"
    workers = {0: "no workers", 1: "1 worker"}.get(data.workers, f"{data.workers} workers")
    return [
        f"{experiment.name}: {experiment.model.backbone}, {of} {experiment.data.batch_size}",
        f"{device_label(parts.device)}, {experiment.train.precision}, {workers}",
        parts.freezing.describe().splitlines()[0].partition(":")[0],
        *parts.stages.describe(),
    ]


def _counted(steps: Steps) -> str:
    count = len(steps.seconds)
    told = "1 step" if count == 1 else f"{count} steps"
    if steps.skipped:
        told += f" ({steps.skipped} of them skipped)"
    return told


def _print_steps(steps: Steps) -> None:
    digits = 3 if steps.step < 0.001 else 2 if steps.step < 0.1 else 1 if steps.step < 10 else 0
    shown = table("part", "mean ms", "median", "share", "")
    for part in TRAINING:
        share = steps.share(part)
        each = (_ms(seconds, digits) for seconds in (steps.mean(part), steps.median(part)))
        shown.add_row(part, *each, percent(share), bar(share))
    each = (_ms(seconds, digits) for seconds in (steps.step, steps.median_step))
    rate = f"{steps.samples_per_second:.4g} samples/s"
    shown.add_row("step", *each, percent(1.0), rate, style="bold")
    _print_numbers(shown, 3)


def _print_numbers(shown: Table, count: int) -> None:
    """With so many columns of numbers after the first."""
    for column in shown.columns[1 : count + 1]:
        column.justify = "right"
    print_table(shown)


def bar(share: float) -> str:
    whole, part = divmod(round(8 * BAR * share), 8)
    return ("█" * whole + EIGHTHS[part]).rstrip()


def _below(parts: Parts, measured: Measured) -> list[str]:
    lines = [f"memory: {_memory(measured.memory)}"]
    evaluations = measured.training.evaluations
    if parts.needs_closure:
        of = f"{evaluations:.3g} forward and backward passes"
        lines.append(f"L-BFGS makes {of} a step, which are told together")
    lines.append(f"validation: {_validation(measured)}")
    names = ("training", "validation")
    lines += [f"{n}: {said}" for n, said in zip(names, measured.said, strict=True) if said]
    busiest = measured.traced.operations[:OPERATIONS]
    told = (f"{one.name.removeprefix('aten::')} {100 * one.share:.0f}" for one in busiest)
    return [*lines, f"operations, % of their time: {', '.join(told)}"]


def _memory(memory: Memory) -> str:
    if memory.reserved is not None:
        peak, held = _size(memory.peak), _size(memory.reserved)
        return f"{peak} of the device allocated at most, {held} reserved"
    more = memory.peak - memory.before
    return f"{_size(memory.peak)} at most, {_size(more)} more than before anything was built"


def _validation(measured: Measured) -> str:
    steps = measured.validation
    if steps is None:
        return "there is none"
    shares = [(part, steps.share(part)) for part in VALIDATION]
    shares.sort(key=lambda row: -row[1])
    told = ", ".join(f"{part} {percent(share)}" for part, share in shares if share >= 0.005)
    later = measured.later_validation
    again = "" if later is None else f"; later {1000 * later.step:.3g} ms"
    return f"{1000 * steps.step:.4g} ms a batch ({told}){again}"


def _print_layers(parts: Parts, measured: Measured) -> None:
    layers = measured.traced.layers
    if not layers:
        if parts.experiment.train.compile != "off":
            say('\nlayers: torch.compile has made one of them; compile = "off" tells them apart')
        return
    every = [*layers, *measured.traced.rest]
    whole = sum(layer.both for layer in every)
    say(f"\nlayers, ms a step: {TRACED} more steps, under torch.profiler, which slows them")
    shown = table("layer", "forward", "backward", "share", "")
    for layer in layers:
        share = layer.both / whole if whole else 0.0
        shown.add_row(*_row(layer), percent(share), bar(share), style="dim" * layer.frozen)
    if rest := measured.traced.rest:
        forward, backward = (sum(getattr(layer, way) for layer in rest) for way in _WAYS)
        other = Layer(f"{len(rest)} more", forward, backward, False)
        share = other.both / whole if whole else 0.0
        shown.add_row(*_row(other), percent(share), bar(share))
    _print_numbers(shown, 3)


_WAYS = ("forward", "backward")


def _size(count: int) -> str:
    return gigabytes(count) if count >= 2**30 else f"{count / 2**20:.0f} MiB"


def _row(layer: Layer) -> tuple[str, str, str]:
    name = f"{layer.name} (frozen)" if layer.frozen else layer.name
    return name, f"{layer.forward:.2f}", f"{layer.backward:.2f}" if layer.backward else ""


def _ms(seconds: float, digits: int) -> str:
    return f"{1000 * seconds:.{digits}f}"


def as_json(parts: Parts, measured: Measured, trace: Path | None) -> dict[str, Any]:
    """The numbers of `print_profile`, in milliseconds and bytes; shares from 0 to 1."""
    experiment, memory, traced = parts.experiment, measured.memory, measured.traced
    return {
        "name": experiment.name,
        "backbone": experiment.model.backbone,
        "device": device_label(parts.device),
        "precision": experiment.train.precision,
        "batch_size": experiment.data.batch_size,
        "accumulate": experiment.train.accumulate,
        "workers": parts.data.workers,
        "parameters": {"total": parts.freezing.total, "trained": parts.freezing.trainable_count},
        "warm_up": WARM_UP,
        "training": _steps(measured.training, TRAINING),
        "later_epochs": _steps(measured.later, TRAINING),
        "validation": _steps(measured.validation, VALIDATION),
        "later_validation": _steps(measured.later_validation, VALIDATION),
        "kept": dict(zip(("training", "validation"), measured.said, strict=True)),
        "memory": {"before": memory.before, "peak": memory.peak, "reserved": memory.reserved},
        "traced": TRACED,
        "layers": [
            {
                "layer": layer.name,
                "forward_ms": layer.forward,
                "backward_ms": layer.backward,
                "frozen": layer.frozen,
            }
            for layer in [*traced.layers, *traced.rest]
        ],
        "operations": [
            {"operation": one.name, "ms": one.ms, "calls": one.calls, "share": one.share}
            for one in traced.operations
        ],
        "device_busy_ms": traced.busy,
        "verdict": verdict(parts, measured),
        "trace": None if trace is None else str(trace),
    }


def _steps(steps: Steps | None, parts: tuple[str, ...]) -> dict[str, Any] | None:
    if steps is None:
        return None
    return {
        "steps": len(steps.seconds),
        "skipped": steps.skipped,
        "evaluations": steps.evaluations,
        "ms": 1000 * steps.step,
        "median_ms": 1000 * steps.median_step,
        "samples_per_second": steps.samples_per_second,
        "parts": [
            {
                "part": part,
                "ms": 1000 * steps.mean(part),
                "median_ms": 1000 * steps.median(part),
                "share": steps.share(part),
            }
            for part in parts
        ],
    }

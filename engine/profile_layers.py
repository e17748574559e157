"""Which layers and which operations take the time, from a few steps under torch.profiler.

Each module's call is a range of its name, in the trace file too. What backward does of a layer is
found by autograd's sequence numbers: a node of the graph has that of the operation that made it.
Both take time for each operation, so this is of other steps than those that are timed.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from torch import nn
from torch._C._autograd import DeviceType
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile, record_function

from engine.build import Parts
from engine.contract.run_directory import write_atomically

MOST = 10  # layers, and operations, that are told
OPENED = 0.5  # of the time of all layers: one that takes more is told by those inside of it
BACKWARD_NODE = 1  # RecordScope's BACKWARD_FUNCTION


@dataclass(frozen=True)
class Layer:
    """Milliseconds a step, of all its calls."""

    name: str
    forward: float
    backward: float
    frozen: bool

    @property
    def both(self) -> float:
        return self.forward + self.backward


@dataclass(frozen=True)
class Operation:
    """Milliseconds a step of it alone, without what it calls, and its share of all operations'."""

    name: str
    ms: float
    calls: float
    share: float


@dataclass(frozen=True)
class Found:
    """The most expensive first. `rest`: layers that are not told. `busy`: milliseconds a step that
    a CUDA device computes and copies; None elsewhere."""

    layers: list[Layer]
    rest: list[Layer]
    operations: list[Operation]
    busy: float | None


class Trace:
    """torch.profiler over some steps of these parts. Stopping it takes the names away again."""

    def __init__(self, parts: Parts) -> None:
        self._model, self._cuda = parts.model, parts.device.type == "cuda"
        self._parts = parts
        cuda = [ProfilerActivity.CUDA] if self._cuda else []
        self._profile = profile(activities=[ProfilerActivity.CPU, *cuda])
        self._names = ExitStack()
        # torch.compile makes one call of the whole forward, and would compile it anew with names.
        self._named = parts.experiment.train.compile == "off"
        self._running = False

    def start(self) -> None:
        self._profile.start()
        self._running = True
        open_: list[record_function] = []
        for name, module in self._model.named_modules():
            if not name or not self._named:
                continue

            def begin(_module: object, _inputs: object, name: str = name) -> None:
                open_.append(record_function(name))
                open_[-1].__enter__()  # type: ignore[no-untyped-call]

            def end(*_: object) -> None:
                open_.pop().__exit__(None, None, None)

            for handle in (
                module.register_forward_pre_hook(begin),
                module.register_forward_hook(end),
            ):
                self._names.callback(handle.remove)

    def stop(self) -> None:
        """May be called again."""
        if self._running:
            self._names.close()
            self._profile.stop()
            self._running = False

    def write(self, path: Path, scratch: Path) -> None:
        """For Perfetto, chrome://tracing and TensorBoard; packed where the name ends in .gz.
        `scratch`: a folder to make it in. Raises OSError."""
        made = scratch / f"trace{path.suffix if path.suffix == '.gz' else '.json'}"
        self._profile.export_chrome_trace(str(made))
        write_atomically(path, made.read_bytes())

    def found(self, steps: int) -> Found:
        """What a step of so many takes."""
        events = list(self._profile.events() or [])  # type: ignore[no-untyped-call]
        times = _times(events, {name for name, _ in self._model.named_modules()}, self._cuda)
        layers = [
            Layer(name, forward / steps, backward / steps, _is_frozen(self._parts, name))
            for name, (forward, backward) in times.items()
        ]
        told, rest = _told(self._model, {layer.name: layer for layer in layers})
        return Found(told, rest, _operations(self._profile, self._cuda, steps), self._busy(steps))

    def _busy(self, steps: int) -> float | None:
        if not self._cuda:
            return None
        on_device = (
            row
            for row in self._profile.key_averages()
            if row.device_type == DeviceType.CUDA and not row.is_user_annotation
        )
        return float(sum(row.self_device_time_total for row in on_device)) / 1000 / steps


def _times(
    events: list[FunctionEvent], names: set[str], cuda: bool
) -> dict[str, tuple[float, float]]:
    """Milliseconds of forward and backward of each module, what is inside of it included."""
    host = [event for event in events if event.device_type == DeviceType.CPU]
    inside: dict[int, str] = {}  # an event's id → the innermost module that it is in
    made: dict[int, str] = {}  # a sequence number → the module whose operation made the node
    forward: dict[str, float] = {}
    for event in sorted(host, key=lambda event: event.time_range.start):
        within = inside.get(event.cpu_parent.id, "") if event.cpu_parent is not None else ""
        if event.is_user_annotation and event.name in names:
            forward[event.name] = forward.get(event.name, 0.0) + _ms(event, cuda)
            within = event.name
        inside[event.id] = within
        # Of several with one number, the last made the node: the others had nothing to record.
        if event.sequence_nr >= 0 and event.scope != BACKWARD_NODE and within:
            made[event.sequence_nr] = within
    backward: dict[str, float] = {}
    for event in host:
        if event.scope == BACKWARD_NODE and event.sequence_nr in made:
            for name in _with_parents(made[event.sequence_nr]):
                backward[name] = backward.get(name, 0.0) + _ms(event, cuda)
    _sum_up(forward)
    return {name: (time, backward.get(name, 0.0)) for name, time in forward.items()}


def _sum_up(times: dict[str, float]) -> None:
    """What was not called itself, as where the network is split, is the sum of what is inside."""
    called = set(times)
    for name in sorted(called):
        outer = _with_parents(name)[1:]
        # The innermost one around it that was called has its time already, and those around that.
        for parent in outer:
            if parent in called:
                break
            times[parent] = times.get(parent, 0.0) + times[name]


def _with_parents(name: str) -> list[str]:
    """Itself first: features.3.squeeze, features.3, features."""
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(len(parts), 0, -1)]


def _ms(event: FunctionEvent, cuda: bool) -> float:
    return float(event.device_time_total if cuda else event.cpu_time_total) / 1000


def _told(model: nn.Module, layers: dict[str, Layer]) -> tuple[list[Layer], list[Layer]]:
    """The children of the model; one that takes most of the time is opened."""

    def children(of: str) -> list[Layer]:
        inner = model.get_submodule(of).named_children()
        names = (f"{of}.{name}" if of else name for name, _ in inner)
        return [layers[name] for name in names if name in layers]

    shown = children("")
    whole = sum(layer.both for layer in shown)
    while shown:
        largest = max(shown, key=lambda layer: layer.both)
        inner = children(largest.name)
        if largest.both <= OPENED * whole or len(inner) < 2:
            break
        shown.remove(largest)
        shown += inner
    shown.sort(key=lambda layer: -layer.both)
    return shown[:MOST], shown[MOST:]


def _is_frozen(parts: Parts, name: str) -> bool:
    module = parts.model.get_submodule(name)
    parameters = list(module.parameters())
    if not parameters:
        return module in parts.freezing.evaluating
    return not any(parameter.requires_grad for parameter in parameters)


def _operations(traced: profile, cuda: bool, steps: int) -> list[Operation]:
    times = {
        row: row.self_device_time_total if cuda else row.self_cpu_time_total
        for row in traced.key_averages()
        if not row.is_user_annotation and row.device_type == DeviceType.CPU
    }
    whole = sum(times.values())
    longest = sorted(times, key=lambda row: -times[row])[:MOST]
    return [
        Operation(row.key, times[row] / 1000 / steps, row.count / steps, times[row] / whole)
        for row in longest
        if times[row] > 0
    ]

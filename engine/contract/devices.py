"""What there is to train on: asked of the drivers, not of torch, so that it takes milliseconds."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass, field
from typing import Any

import psutil


@dataclass(frozen=True)
class Device:
    """`name` is what `train.device` takes. Memory in bytes; `users` are the processes on it."""

    name: str
    model: str
    memory_total: int
    memory_free: int
    utilisation: int | None = None  # per cent
    users: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def nvml() -> Any:
    """NVIDIA's driver. Imported by the first that asks: it takes 0.1 s, and who only lists runs or
    what is queued asks nobody."""
    import pynvml

    return pynvml


def devices() -> list[Device]:
    """Every device of this machine, the CPU first."""
    memory = psutil.virtual_memory()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    cpu = Device(
        "cpu", f"{cores} cores", memory.total, memory.available, round(psutil.cpu_percent(0.05))
    )
    return [cpu, *_cuda_devices(), *_mps()]


def device_usage(index: int) -> tuple[int, int, int] | None:
    """(memory used, memory total, utilisation in per cent) of cuda:index; None without a driver."""
    try:
        nvml().nvmlInit()
        handle = nvml().nvmlDeviceGetHandleByIndex(_visible(nvml().nvmlDeviceGetCount())[index])
        memory = nvml().nvmlDeviceGetMemoryInfo(handle)
        usage = nvml().nvmlDeviceGetUtilizationRates(handle).gpu
    except (nvml().NVMLError, IndexError):
        return None
    return int(memory.used), int(memory.total), int(usage)


def _cuda_devices() -> list[Device]:
    try:
        nvml().nvmlInit()
        indices = _visible(nvml().nvmlDeviceGetCount())
        return [_cuda_device(order, index) for order, index in enumerate(indices)]
    except nvml().NVMLError:
        return []  # no NVIDIA driver here, which is an answer and not an error


def _cuda_device(order: int, index: int) -> Device:
    handle = nvml().nvmlDeviceGetHandleByIndex(index)
    memory = nvml().nvmlDeviceGetMemoryInfo(handle)
    processes = nvml().nvmlDeviceGetComputeRunningProcesses(handle)
    return Device(
        f"cuda:{order}",
        str(nvml().nvmlDeviceGetName(handle)),
        int(memory.total),
        int(memory.free),
        int(nvml().nvmlDeviceGetUtilizationRates(handle).gpu),
        [_user(process.pid) for process in processes],
    )


def _visible(count: int) -> list[int]:
    """The driver's numbers of what CUDA_VISIBLE_DEVICES lets torch see, in torch's order.

    The engine sets CUDA_DEVICE_ORDER=PCI_BUS_ID, so that torch counts as the driver does.
    """
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return list(range(count))
    numbers: list[int] = []
    for entry in filter(None, (part.strip() for part in chosen.split(","))):
        if entry.isdecimal() and int(entry) < count:
            numbers.append(int(entry))
        elif entry.startswith("GPU-"):
            numbers.append(
                nvml().nvmlDeviceGetIndex(nvml().nvmlDeviceGetHandleByUUID(entry.encode()))
            )
        else:
            break  # CUDA itself ignores what follows an entry it doesn't know
    return numbers


def _user(pid: int) -> str:
    try:
        process = psutil.Process(pid)
        return f"{process.username()}: {process.name()} ({pid})"
    except psutil.Error:
        return f"process {pid}"


def _mps() -> list[Device]:
    """Apple's GPU shares the machine's memory."""
    if platform.system() != "Darwin" or platform.machine() != "arm64":
        return []
    memory = psutil.virtual_memory()
    return [Device("mps", "Apple GPU", memory.total, memory.available)]

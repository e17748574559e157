"""The most memory that some steps take, from a moment on."""

from __future__ import annotations

import resource
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Memory:
    """Bytes. On a CUDA device `peak` is what torch had allocated there at most, and `reserved` what
    it held for that; elsewhere `peak` is of this process, without those that load data, and
    `before` what it had before anything was built."""

    before: int
    peak: int
    reserved: int | None = None


class MemoryWatch:
    """From its making on. `before`: bytes of this process, once."""

    def __init__(self, device: torch.device, before: int) -> None:
        self._device, self._before = device, before
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            return
        # Linux begins its peak anew when told so. Elsewhere it is that of the process's whole life.
        with suppress(OSError):
            CLEAR.write_text("5")

    def seen(self) -> Memory:
        """Until now."""
        if self._device.type == "cuda":
            peak = torch.cuda.max_memory_allocated(self._device)
            return Memory(0, peak, torch.cuda.max_memory_reserved(self._device))
        return Memory(self._before, max(self._before, _highest()))


def resident() -> int:
    """Bytes of this process that are in memory now."""
    return int(psutil.Process().memory_info().rss)


def _highest() -> int:
    """The most that was in memory of this process."""
    try:
        (line,) = (row for row in STATUS.read_text().splitlines() if row.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024

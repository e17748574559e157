"""A table for the terminal and for Markdown, and the machine that its numbers are of."""

from __future__ import annotations

import os
import platform
import statistics
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil


@dataclass
class Table:
    """`about`: what is measured and what is wanted, in sentences. The first column names."""

    title: str
    about: str
    columns: Sequence[str]
    rows: list[list[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def text(self) -> str:
        lines = [list(self.columns), *self.rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.columns))]
        shown = [
            "  ".join(
                cell.ljust(width) if i == 0 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
            for line in lines
        ]
        about = textwrap.wrap(self.about, 100)
        return "\n".join([f"\n{self.title}", *about, *shown, *self.notes])

    def markdown(self) -> str:
        """Without the title."""
        rules = ["---", *["---:"] * (len(self.columns) - 1)]
        lines = [f"| {' | '.join(line)} |" for line in [list(self.columns), rules, *self.rows]]
        texts = [self.about, *self.notes]
        about, *notes = ("\n".join(textwrap.wrap(text, 100)) for text in texts)
        return "\n\n".join([about, "\n".join(lines), *notes])


def keep(file: Path, device: str, table: Table, setting: str) -> None:
    """Put the table into `file`, in the place of that device's of the same title, or at its end."""
    text = file.read_text() if file.exists() else ""
    name = f"{device} {table.title}"
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    about = "\n".join(textwrap.wrap(setting, 100))
    title = f"## {table.title}{', on a GPU' if device == 'cuda' else ''}"
    block = "\n\n".join([begin, title, table.markdown(), about, end])
    if begin in text:
        before, _, rest = text.partition(begin)
        text = before + block + rest.partition(end)[2]
    else:
        text = f"{text.rstrip()}\n\n{block}\n".lstrip()
    file.write_text(text)


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def ratio(value: float) -> str:
    return f"{value:.3f}" if value < 2 else f"{value:.1f}" if value < 50 else f"{value:.0f}"


def turns(ratios: Sequence[float]) -> str:
    """The least and the largest of the turns'."""
    return f"{ratio(min(ratios))} to {ratio(max(ratios))}" if len(ratios) > 1 else "one"


def machine(device: str) -> str:
    """In a line: what the numbers belong to."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        cores = os.cpu_count() or 1
    memory = psutil.virtual_memory().total / 2**30
    parts = [f"{cores} cores of {_processor()}", f"{memory:.0f} GiB"]
    if device == "cuda":
        import torch

        parts.append(torch.cuda.get_device_name())
    parts.append(f"Python {platform.python_version()}")
    parts += [f"{name} {found}" for name in SEEN if (found := installed(name))]
    return ", ".join(parts)


SEEN = ("torch", "torchvision", "lightning", "timm", "fastai")


def installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()

"""samples.jsonl: with reduction = "none", the loss of each class and the hardest samples of each
epoch, one JSON object a line."""

from __future__ import annotations

import os

import msgspec

from engine.contract.json_lines import json_line
from engine.contract.run_directory import RunDirectory


class ClassLoss(msgspec.Struct, frozen=True):
    """`loss`: the mean over what counts of a class, label or number; None without any."""

    name: str
    loss: float | None
    count: float


class HardSample(msgspec.Struct, frozen=True):
    """`sample`: its file, where there is one."""

    sample: str
    loss: float


class EpochSamples(msgspec.Struct, frozen=True):
    """`epoch` from 0; `hardest`: the highest loss first. As the samples came in training, each
    with the weights of its step."""

    epoch: int
    step: int
    classes: list[ClassLoss]
    hardest: list[HardSample]


_decoder = msgspec.json.Decoder(EpochSamples)


def append_samples(run: RunDirectory, epoch: EpochSamples) -> None:
    """A line in one write, on a line of its own even where a killed engine left half of one.
    Raises OSError."""
    with run.samples.open("ab+") as file:
        begin = b""
        if file.tell():
            file.seek(-1, os.SEEK_END)
            begin = b"" if file.read(1) == b"\n" else b"\n"
        file.write(begin + json_line(epoch))


def read_samples(run: RunDirectory) -> list[EpochSamples]:
    """Every epoch once, in its order: of one that was done again, the last line. A line that is
    not complete, or damaged, is left out."""
    if not run.samples.exists():
        return []
    found = {}
    for line in run.samples.read_bytes().splitlines():
        try:
            epoch = _decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue
        found[epoch.epoch] = epoch
    return [found[epoch] for epoch in sorted(found)]

"""Whether it pays to keep what frozen layers give is judged by all that would be saved."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from engine.frozen_side import TRIED, Side
from engine.parts.batches import Batch
from engine.parts.feature_cache import Limits
from engine.parts.frozen_split import split_frozen

SAMPLES, BATCH = 12, 4


class Source:
    targets = torch.zeros(SAMPLES, dtype=torch.int64)

    def __len__(self) -> int:
        return SAMPLES


@dataclass
class Samples:
    """Reading one takes as long as the clock is moved on by it."""

    clock: list[float]
    reading: float
    views: None = None
    source: Source = field(default_factory=Source)

    def __getitem__(self, key: object) -> Any:
        self.clock[0] += self.reading


@dataclass
class Data:
    workers: int

    def inputs(self, batch: Batch, device: torch.device, *, channels_last: bool = False) -> Tensor:
        return batch.inputs


def judged(monkeypatch: pytest.MonkeyPatch, workers: int, reading: float, taking: float) -> Side:
    """After the batches that are tried, of which none was waited for."""
    clock = [0.0]
    monkeypatch.setattr("engine.frozen_side.time.perf_counter", lambda: clock[0])
    monkeypatch.setattr(Side, "_taking", lambda self: taking)
    model = nn.Sequential(nn.Conv2d(3, 2, 1), nn.Flatten(), nn.Linear(8, 2))
    model[0].requires_grad_(False).eval()
    samples: Any = Samples(clock, reading)
    data: Any = Data(workers)
    side = Side(
        split_frozen(model),
        data,
        samples,
        torch.device("cpu"),
        nullcontext(),
        None,
        Limits(10**6, 0),
        False,
    )
    for at in range(0, TRIED * BATCH, BATCH):
        inputs = torch.randn(BATCH, 3, 2, 2)
        side.forward(Batch(inputs, torch.zeros(BATCH), list(range(at, at + BATCH)), []))
    return side


def test_what_workers_read_ahead_is_saved_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers give a sample each 0.5 s; 12 of them are 6 s, of which taking may be 4.8 s."""
    assert "computed once" in judged(monkeypatch, workers=2, reading=1.0, taking=4.7).said
    assert "would not pay" in judged(monkeypatch, workers=2, reading=1.0, taking=4.9).said


def test_without_workers_what_was_waited_for_is_all(monkeypatch: pytest.MonkeyPatch) -> None:
    side = judged(monkeypatch, workers=0, reading=1.0, taking=0.1)
    assert "would not pay: 0 ms a sample to compute" in side.said

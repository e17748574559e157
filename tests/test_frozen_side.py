"""Whether it pays to keep what frozen layers give is judged by all that would be saved."""

from __future__ import annotations

from collections.abc import Sequence
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
    return filled(nn.Flatten(), Samples(clock, reading), workers=workers)


def filled(then: nn.Module, samples: Any, *, workers: int = 0, always: bool = False) -> Side:
    """A side that has seen every sample; `then` follows what is frozen."""
    model = nn.Sequential(nn.Conv2d(3, 4, 1), then, nn.Flatten(), nn.Linear(16, 2))
    model[0].requires_grad_(False).eval()
    data: Any = Data(workers)
    split, cpu, limits = split_frozen(model), torch.device("cpu"), Limits(10**6, 0)
    side = Side(split, data, samples, cpu, nullcontext(), None, limits, always)
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


@pytest.mark.parametrize("inference", [False, True])
@pytest.mark.parametrize("in_place", [False, True])
def test_what_is_kept_is_copied_where_the_tail_would_change_it(
    in_place: bool, inference: bool
) -> None:
    """Samples that follow each other need no copy else: validation takes them so."""
    side = filled(nn.Dropout(0.5, inplace=in_place), Samples([0.0], 0), always=True)
    indices = torch.arange(2, 6)
    with torch.inference_mode(inference):
        kept = [part.clone() for part in taken(side, indices)]
        for _ in range(3):
            side.forward(side.batch(0, indices))
        first, second = (taken(side, indices)[0] for _ in range(2))
        others = [taken(side, torch.tensor([3, 2]))[0] for _ in range(2)]
    assert torch.equal(first, kept[0])
    assert (first.data_ptr() == second.data_ptr()) is not in_place
    assert others[0].data_ptr() != others[1].data_ptr()


def taken(side: Side, indices: Tensor) -> Sequence[Tensor]:
    features = side.batch(0, indices).features
    assert features is not None
    return features

"""What an epoch's steps add up to: the mean of each term of the loss, and the samples' own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from engine.parts.losses import SampleLosses

# The samples of a batch, by their index, and what is kept of them.
Kept = tuple[Sequence[int], SampleLosses]


@dataclass
class EpochLoss:
    """The running sums of an epoch's training loss, one a term, in the order of its steps."""

    totals: list[float] = field(default_factory=list)
    counts: list[float] = field(default_factory=list)

    def add(self, values: Iterable[float], counts: Iterable[float], sums: Sequence[bool]) -> None:
        """`sums`: whether the term's number is a sum over what counts, not a mean."""
        if not self.totals:
            self.totals, self.counts = [0.0] * len(sums), [0.0] * len(sums)
        for index, (value, count) in enumerate(zip(values, counts, strict=True)):
            self.totals[index] += value if sums[index] else value * count
            self.counts[index] += count

    def means(self, terms: int) -> list[float]:
        """NaN where nothing counted."""
        if not self.totals:
            return [float("nan")] * terms
        pairs = zip(self.totals, self.counts, strict=True)
        return [total / count if count else float("nan") for total, count in pairs]

    def state_dict(self) -> dict[str, Any]:
        return {"totals": list(self.totals), "counts": list(self.counts)}


@dataclass
class EpochSamples:
    """The loss of each training sample of an epoch, in the order in which they came, and the sums
    by class. 16 bytes a sample, so that a million of them are no burden to a checkpoint."""

    indices: list[int] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    class_totals: list[float] = field(default_factory=list)
    class_counts: list[float] = field(default_factory=list)

    def add(self, kept: Sequence[Kept]) -> None:
        """What a step keeps of its batches; none of a batch that was left out of it."""
        if not kept:
            return
        self.indices += [index for indices, _ in kept for index in indices]
        self.losses += torch.cat([batch.losses for _, batch in kept]).tolist()
        totals = torch.stack([batch.class_totals for _, batch in kept]).double().sum(0).tolist()
        counts = torch.stack([batch.class_counts for _, batch in kept]).double().sum(0).tolist()
        if not self.class_totals:
            self.class_totals, self.class_counts = totals, counts
            return
        self.class_totals = [a + b for a, b in zip(self.class_totals, totals, strict=True)]
        self.class_counts = [a + b for a, b in zip(self.class_counts, counts, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        return {
            "indices": torch.tensor(self.indices, dtype=torch.int64),
            "losses": torch.tensor(self.losses, dtype=torch.float64),
            "class_totals": list(self.class_totals),
            "class_counts": list(self.class_counts),
        }

    @classmethod
    def of_state(cls, state: dict[str, Any]) -> EpochSamples:
        plain = state["indices"].tolist(), state["losses"].tolist()
        return cls(*plain, list(state["class_totals"]), list(state["class_counts"]))

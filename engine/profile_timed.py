"""Parts of a training that tell a timeline when the loop calls them, and what that adds up to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from torch import Tensor

from engine.build import Parts
from engine.parts.batches import Batch
from engine.timeline import BACKWARD, FORWARD, LOSS, METRICS, OPTIMIZER, OTHER, Marks, Timeline


@dataclass
class Timed(Parts):
    """Parts that tell the timeline when they are called."""

    timeline: Timeline = field(kw_only=True)
    kept: list[bool] = field(default_factory=list, kw_only=True)
    """Of each batch of the step, or of the validation: whether it came from what is kept."""
    seen: dict[str, set[int]] = field(
        default_factory=lambda: {"train": set(), "val": set()}, kw_only=True
    )
    """Samples that have been read, and are kept where prepared images are."""
    validated: list[Marks] = field(default_factory=list, kw_only=True)

    def __post_init__(self) -> None:
        enter = self.timeline.enter
        self.criterion.register_forward_pre_hook(lambda *_: enter(LOSS))
        self.criterion.register_forward_hook(lambda *_: enter(OTHER))

    def train_batches(self, epoch: int, start: int) -> Iterator[Batch]:
        for batch in self.timeline.waits(super().train_batches(epoch, start)):
            self.kept.append(self._is_kept("train", batch))
            yield batch

    def forward(self, batch: Batch) -> Any:
        self.timeline.enter(FORWARD)
        output = super().forward(batch)
        self.timeline.enter(OTHER)
        return output

    def backward(self, loss: Tensor) -> None:
        self.timeline.enter(BACKWARD)
        super().backward(loss)
        self.timeline.enter(OPTIMIZER)  # clipping, the step, the learning rates: to the step's end

    def val_batches(self) -> Iterator[Batch]:
        for batch in self.timeline.waits(super().val_batches()):
            self.kept.append(self._is_kept("val", batch))
            yield batch
            self.validated.append(self.timeline.end())

    def keeps_images(self, split: str) -> bool:
        samples = self.data.side(split)
        return samples is not None and samples.kept is not None

    def _is_kept(self, split: str, batch: Batch) -> bool:
        seen = self.seen[split]
        known = seen.issuperset(batch.indices)
        seen.update(batch.indices)
        return batch.features is not None or (known and self.keeps_images(split))

    def forget(self) -> None:
        """Of the training samples: they are to be read and computed as in the first epoch."""
        samples = self.data.side("train")
        if samples is not None and samples.kept is not None:
            samples.kept.store.forget()
        if self.prefix is not None and self.prefix.train is not None:
            self.prefix.train.forget()
        self.seen["train"].clear()

    def forward_val(self, batch: Batch) -> Any:
        self.timeline.enter(FORWARD)
        output = super().forward_val(batch)
        self.timeline.enter(METRICS)
        return output


@dataclass(frozen=True)
class Steps:
    """Steps, or batches of validation, that were timed one by one: the `seconds` of each part."""

    seconds: list[dict[str, float]]
    samples: int = 0
    skipped: int = 0
    evaluations: float = 1.0
    """Forward and backward passes of a batch, a step: L-BFGS makes several."""

    @property
    def step(self) -> float:
        """Seconds of a step, on average: what its parts add up to."""
        return sum(sum(step.values()) for step in self.seconds) / len(self.seconds)

    @property
    def median_step(self) -> float:
        return median(sum(step.values()) for step in self.seconds)

    @property
    def samples_per_second(self) -> float:
        return self.samples / len(self.seconds) / self.step if self.step else 0.0

    def mean(self, part: str) -> float:
        return sum(step.get(part, 0.0) for step in self.seconds) / len(self.seconds)

    def median(self, part: str) -> float:
        return median(step.get(part, 0.0) for step in self.seconds)

    def share(self, part: str) -> float:
        """Of the average step, from 0 to 1."""
        return self.mean(part) / self.step if self.step else 0.0

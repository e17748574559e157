"""What the beginning of a pipeline made of each image, kept: decoded, resized, cropped, as bytes.

Whoever makes it, a worker or the engine's own process, puts it into the store, which all of them
share: one in memory by the mapping that workers inherit, one on the disk by the file. Each sample's
record is complete before its mark, so nobody takes half of one.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from engine.parts.feature_store import FeatureStore, Layout
from engine.parts.sources import Source


class KeptImages:
    """For one side of the data. What doesn't lie in memory as the first images did, of another size
    for instance, is not kept: what is taken has the bits and the strides of what was made."""

    def __init__(self, store: FeatureStore, source: Source) -> None:
        self.store, self._source = store, source

    def get(self, index: int) -> tuple[Tensor, Any] | None:
        number = torch.tensor([index])
        if not self.store.holds(number):
            return None
        image, *mask = (part[0] for part in self.store.take(number))
        if mask:
            return image, mask[0]
        assert self._source.targets is not None
        target = self._source.targets[index]
        return image, int(target) if self._source.task == "classification" else target

    def put(self, index: int, image: Tensor, target: Any) -> None:
        record = record_of(image, target, self._source)
        if Layout.of(record) == self.store.layout and dense(record[0]):
            self.store.put([index], record)


def record_of(image: Tensor, target: Any, source: Source) -> list[Tensor]:
    """The tensors of one sample's record, each with a batch dimension: the image, and the target
    where it is a mask."""
    return [image[None], *([target[None]] if source.targets is None else [])]


def kept_alike(record: list[Tensor], first: list[Tensor]) -> bool:
    return dense(record[0]) and Layout.of(record) == Layout.of(first)


def dense(image: Tensor) -> bool:
    """(1, 3, H, W): without gaps, and in an order that a store gives back."""
    last = image.is_contiguous(memory_format=torch.channels_last)
    return bool(last or image.is_contiguous())

"""One side of the data, training or validation: its batches, prepared or loaded when needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain, islice
from typing import Protocol

import torch
from torch import Tensor

from engine.parts.kept_images import KeptImages
from engine.parts.reading import Batch, Samples
from engine.parts.workers import Workers, raised


class Kept(Protocol):
    """What was computed of some samples, and need not be read again."""

    def holds(self, epoch: int, indices: Tensor) -> bool:
        """Whether it has a whole batch."""
        ...

    def batch(self, epoch: int, indices: Tensor) -> Batch:
        """One that it holds."""
        ...


class Split:
    """One side of the data. Its images are transformed once where that is possible (`prepared`),
    else when they are needed, here or in workers."""

    def __init__(
        self, samples: Samples, seed: int, *, prepared: bool, workers: int, pin_memory: bool
    ) -> None:
        self.source, self.seed = samples.source, seed
        self.worker_count = 0 if prepared else workers
        self.samples, self._prepared, self._pin = samples, prepared, pin_memory
        self._workers = (
            Workers(samples, self.worker_count, pin_memory) if self.worker_count else None
        )

    def batches(
        self, epoch: int, order: Tensor, batch_size: int, kept: Kept | None = None
    ) -> Iterator[Batch]:
        """The samples of `order`, so many at a time; only what is not `kept` is read."""
        if kept is not None:
            return self._around(kept, epoch, order, batch_size)
        whole = self._whole if self._prepared else None
        if whole is not None:
            batches = self._select(*whole, order, batch_size)
        else:
            keys = ((epoch, part.tolist()) for part in _parts(order, batch_size))
            if self._workers is not None:
                return self._workers.batches(keys)  # they pin in a thread of their own
            batches = (raised(self.samples[key]) for key in keys)
        return (_pinned(batch) for batch in batches) if self._pin else batches

    def _around(self, kept: Kept, epoch: int, order: Tensor, batch_size: int) -> Iterator[Batch]:
        parts = list(_parts(order, batch_size))
        held = [kept.holds(epoch, part) for part in parts]
        # Only the last part can be short, so the rest falls into the same batches again.
        rest = [part for part, there in zip(parts, held, strict=True) if not there]
        fresh = self.batches(epoch, torch.cat(rest), batch_size) if rest else iter(())
        for part, there in zip(parts, held, strict=True):
            yield kept.batch(epoch, part) if there else next(fresh)

    def few(self, epoch: int, indices: list[int]) -> Batch:
        """One batch of these samples, read here: no worker is started for it."""
        return raised(self.samples[epoch, indices])

    def keep(self, images: KeptImages | None) -> None:
        """What is read and put from now on. Workers that run don't know of it: they end, and others
        start with the next batch."""
        if self.samples.kept is not images:
            self.close()
            self.samples.kept = images

    def close(self) -> None:
        if self._workers is not None:
            self._workers.close()

    @cached_property
    def _whole(self) -> tuple[Tensor, Tensor] | None:
        """All images (N, 3, H, W), finished, and their targets, made at the first use. None where a
        sample can't be read: the batch that it belongs to has to tell.

        As floats: to finish each batch again would take 1 % of a step of 1 ms.
        """
        keys = ((0, [index]) for index in range(len(self.source)))
        batches = [raised(self.samples[key]) for key in keys]
        if any(batch.unreadable for batch in batches):
            return None
        images = self.samples.pipeline.finish(torch.cat([batch.inputs for batch in batches]))
        if self.source.targets is not None:
            return images, self.source.targets
        return images, torch.cat([batch.targets for batch in batches])

    def _select(
        self, images: Tensor, targets: Tensor, order: Tensor, batch_size: int
    ) -> Iterator[Batch]:
        targets, indices = targets.index_select(0, order), order.tolist()
        begins = range(0, len(order), batch_size)
        # Not strict: of nothing, which is what is left of a finished epoch, split makes one part.
        for at, part, chosen in zip(
            begins, torch.split(order, batch_size), torch.split(targets, batch_size), strict=False
        ):
            inputs = images.index_select(0, part)
            yield Batch(inputs, chosen, indices[at : at + batch_size], [], finished=True)


class Ahead:
    """Batches of which the first can be looked at before they are taken."""

    def __init__(self, batches: Iterator[Batch], seen: Sequence[Batch] = ()) -> None:
        self.seen = list(seen)
        self._rest = batches

    def first(self, count: int) -> list[Batch]:
        """Fewer where there are fewer."""
        self.seen += islice(self._rest, max(0, count - len(self.seen)))
        return self.seen[:count]

    def __iter__(self) -> Iterator[Batch]:
        return chain(self.seen, self._rest)


def _parts(order: Tensor, size: int) -> Iterator[Tensor]:
    return (order[at : at + size] for at in range(0, len(order), size))


def _pinned(batch: Batch) -> Batch:
    return batch._replace(inputs=batch.inputs.pin_memory(), targets=batch.targets.pin_memory())

"""Samples → batches: shuffled, augmented, from any batch of any epoch on, and always the same.

What is in a batch depends on the seed, the epoch and the sample's index: never on the number of
workers, on what was read before, or on the global random generators, which stay as they were. So
nothing has to be saved to go on in the middle of an epoch.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from engine.contract.data import Data as DataSection
from engine.contract.problems import InputError
from engine.parts.datasets import build_sources
from engine.parts.randomness import generator
from engine.parts.reading import Batch, Samples, Unreadable
from engine.parts.sources import Source
from engine.parts.steps import batches_per_epoch
from engine.parts.transforms import Preset, build_transforms
from engine.parts.workers import Workers, raised

__all__ = ["Batch", "Data", "Unreadable", "build_data"]

PREPARED_BYTES = 2**30  # at most that much memory for images that are transformed only once
SMALL = 10_000  # samples in memory for which starting workers costs more than it gains
VALIDATION = -1  # the "epoch" of validation: whatever is drawn there is the same each time

A = TypeVar("A")
B = TypeVar("B")


class Data:
    """The batches of one experiment.

    classes            their names; a target is an index into them
    train_targets      (N,) int64, of the training samples
    train_samples, val_samples      how many; no validation where `val_samples` is 0
    batches_per_epoch  of training
    workers            processes that load, for training and as many for validation

    `train_batches` and `val_batches` raise RunError where a worker dies, where a transform fails
    on an image, and where images of a batch differ in size.
    """

    def __init__(self, train: Split, val: Split | None, batch_size: int, drop_last: bool) -> None:
        self._train, self._val = train, val
        self._batch_size, self._drop_last = batch_size, drop_last
        self.classes = train.source.classes
        self.train_targets = train.source.targets
        self.train_samples = len(train.source)
        self.val_samples = 0 if val is None else len(val.source)
        self.workers = train.worker_count
        self.batches_per_epoch = batches_per_epoch(
            self.train_samples, batch_size, drop_last=drop_last
        )

    @cached_property
    def fingerprint(self) -> str:
        """Tells whether it is the same data: a hash over the names of the samples, relative to
        their folder, their targets and the split. What is in the files is not looked at."""
        digest = hashlib.sha256()
        for split in (self._train, self._val):
            source = None if split is None else split.source
            digest.update(f"split\0{source and source.classes}\0".encode())
            if source is not None:
                for index, target in enumerate(source.targets.tolist()):
                    digest.update(f"{source.relative_name(index)}\0{target}\0".encode(*_ANY))
        return digest.hexdigest()

    def train_batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch (from 0), from batch number `start` on.

        One epoch at a time: a new call ends the batches of the one before.
        """
        seed = self._train.seed
        order = torch.randperm(self.train_samples, generator=generator(seed, "shuffle", epoch))
        end = self.batches_per_epoch * self._batch_size
        return self._train.batches(epoch, order[start * self._batch_size : end], self._batch_size)

    def val_batches(self) -> Iterator[Batch]:
        """All validation samples in their order; the last batch may be short."""
        if self._val is None:
            return iter(())
        return self._val.batches(VALIDATION, torch.arange(self.val_samples), self._batch_size)

    def sample_name(self, index: int, split: str = "train") -> str:
        """For messages: the file of the sample, `split` being "train" or "val"."""
        chosen = self._train if split == "train" or self._val is None else self._val
        return chosen.source.name(index)

    def close(self) -> None:
        """The workers are gone afterwards."""
        for split in (self._train, self._val):
            if split is not None:
                split.close()


_ANY = ("utf-8", "surrogateescape")  # file names may be any bytes


class Split:
    """One side of the data. Its images are transformed once where that is possible (`prepared`),
    else when they are needed, here or in workers."""

    def __init__(
        self, samples: Samples, seed: int, *, prepared: bool, workers: int, pin_memory: bool
    ) -> None:
        self.source, self.seed = samples.source, seed
        self.worker_count = 0 if prepared else workers
        self._samples, self._prepared, self._pin = samples, prepared, pin_memory
        self._workers = (
            Workers(samples, self.worker_count, pin_memory) if self.worker_count else None
        )

    def batches(self, epoch: int, order: Tensor, batch_size: int) -> Iterator[Batch]:
        if self._prepared:
            batches = self._select(order, batch_size)
        else:
            keys = ((epoch, part.tolist()) for part in _parts(order, batch_size))
            if self._workers is not None:
                return self._workers.batches(keys)  # they pin in a thread of their own
            batches = (raised(self._samples[key]) for key in keys)
        return (_pinned(batch) for batch in batches) if self._pin else batches

    def close(self) -> None:
        if self._workers is not None:
            self._workers.close()

    @cached_property
    def _images(self) -> Tensor:
        """(N, 3, H, W), made at the first use."""
        keys = ((0, [index]) for index in range(len(self.source)))
        return torch.cat([raised(self._samples[key]).inputs for key in keys])

    def _select(self, order: Tensor, batch_size: int) -> Iterator[Batch]:
        targets, indices = self.source.targets.index_select(0, order), order.tolist()
        begins = range(0, len(order), batch_size)
        # Not strict: of nothing, which is what is left of a finished epoch, split makes one part.
        for at, part, chosen in zip(
            begins, torch.split(order, batch_size), torch.split(targets, batch_size), strict=False
        ):
            inputs = self._images.index_select(0, part)
            yield Batch(inputs, chosen, indices[at : at + batch_size], [])


def _parts(order: Tensor, size: int) -> Iterator[Tensor]:
    return (order[at : at + size] for at in range(0, len(order), size))


def _pinned(batch: Batch) -> Batch:
    return batch._replace(inputs=batch.inputs.pin_memory(), targets=batch.targets.pin_memory())


def build_data(
    section: DataSection, preset: Preset, *, seed: int, folder: Path, pin_memory: bool = False
) -> Data:
    """`folder`: what a relative `root` or file of `target` is relative to. `pin_memory` makes
    copying to a GPU asynchronous; it does nothing where there is none.

    Raises InputError with the problems of `[data]`.
    """
    transforms, sources = _both(
        lambda: build_transforms(section, preset), lambda: build_sources(section, folder, seed)
    )
    pin_memory = pin_memory and torch.cuda.is_available()
    free = PREPARED_BYTES

    def split(source: Source, transform: Callable[..., Tensor], random: bool, shape: int) -> Split:
        nonlocal free
        size = 4 * shape * len(source)
        prepared = source.in_memory and not random and size <= free
        free -= size if prepared else 0
        samples = Samples(source, transform, seed, draws=random or source.draws)
        workers = _worker_count(section.workers, source)
        return Split(samples, seed, prepared=prepared, workers=workers, pin_memory=pin_memory)

    pixels = torch.Size(transforms.train_shape).numel(), torch.Size(transforms.eval_shape).numel()
    train = split(sources.train, transforms.train, transforms.random, pixels[0])
    val = None
    if sources.val is not None:
        val = split(sources.val, transforms.eval, False, pixels[1])
    return Data(train, val, section.batch_size, section.drop_last)


def _both(first: Callable[[], A], second: Callable[[], B]) -> tuple[A, B]:
    """Raises InputError with the problems of both."""
    try:
        one = first()
    except InputError as error:
        try:
            second()
        except InputError as other:
            raise InputError(*error.problems, *other.problems) from error
        raise
    return one, second()


def _worker_count(workers: int | str, source: Source) -> int:
    if isinstance(workers, int):
        return workers
    if source.in_memory and len(source) <= SMALL:
        return 0
    if source.draws and sys.platform != "linux":
        return 0  # without fork, a worker would have to import one's own code by its module's name
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        cores = os.cpu_count() or 1
    return min(8, cores - 1)

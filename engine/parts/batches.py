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
from engine.contract.tasks import Task
from engine.parts.datasets import build_sources
from engine.parts.device import placed
from engine.parts.joint_transforms import JointPipeline, build_joint_transforms
from engine.parts.kept_images import KeptImages
from engine.parts.pipeline import Pipeline
from engine.parts.randomness import generator
from engine.parts.reading import Batch, Samples, Unreadable
from engine.parts.sources import Source
from engine.parts.split import Ahead, Kept, Split
from engine.parts.steps import batches_per_epoch
from engine.parts.target_counts import TargetCounts, target_counts
from engine.parts.transforms import Preset, build_transforms

__all__ = ["Batch", "Data", "Kept", "Unreadable", "build_data"]

PREPARED_BYTES = 2**30  # at most that much memory for images that are transformed only once
SMALL = 10_000  # samples in memory for which starting workers costs more than it gains
# On two cores, which train too: the last epoch of four trainings from JPEG files took 0.83 to 1.05
# of its time with one worker, and 0.86 to 0.99 of that without any. Each is two batches ahead.
MOST_WORKERS = 8
VALIDATION = -1  # the "epoch" of validation: whatever is drawn there is the same each time

A = TypeVar("A")
B = TypeVar("B")


class Data:
    """The batches of one experiment.

    task               what the targets are
    classes            the names of the classes or labels, or the columns of the numbers
    train_targets      of the training samples, of a Batch's shape and type; None where they are
                       masks, which are read with their images
    train_samples, val_samples      how many; no validation where `val_samples` is 0
    batches_per_epoch  of training
    workers            processes that load, for training and as many for validation

    `train_batches` and `val_batches` raise RunError where a worker dies, where a transform fails
    on an image, and where images of a batch differ in size.
    """

    def __init__(self, train: Split, val: Split | None, section: DataSection) -> None:
        self._train, self._val, self._section = train, val, section
        self._batch_size = batch_size = section.batch_size
        self._ahead: Ahead | None = None
        self.task = train.source.task
        self.classes = train.source.classes
        self.train_targets = train.source.targets
        self.train_samples = len(train.source)
        self.val_samples = 0 if val is None else len(val.source)
        self.workers = train.worker_count
        self.batches_per_epoch = batches_per_epoch(
            self.train_samples, batch_size, drop_last=section.drop_last
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
                targets = source.targets
                each: list[object] = [source.task] * len(source)
                if targets is not None:
                    whole = not targets.is_floating_point()
                    each = targets.tolist() if whole else [row.numpy().tobytes() for row in targets]
                for index, target in enumerate(each):
                    digest.update(f"{source.relative_name(index)}\0{target}\0".encode(*_ANY))
        return digest.hexdigest()

    @cached_property
    def target_counts(self) -> TargetCounts:
        """How often each target of the training samples occurs; only for a classification or a
        segmentation. Masks are all read for it, once: seconds for thousands.

        Raises InputError for masks that can't be read or hold what is no class.
        """
        section, source = self._section, self._train.source
        key = "data.root" if section.target is None else "data.target"
        return target_counts(
            source, key=key, seed=self._train.seed, skip_unreadable=section.skip_unreadable
        )

    def train_batches(
        self, epoch: int, start: int = 0, kept: Kept | None = None
    ) -> Iterator[Batch]:
        """The batches of an epoch (from 0), from batch number `start` on; only what is not `kept`
        is read.

        One epoch at a time: a new call ends the batches of the one before.
        """
        ahead, self._ahead = self._ahead, None
        seed, size = self._train.seed, self._batch_size
        order = torch.randperm(self.train_samples, generator=generator(seed, "shuffle", epoch))
        order = order[start * size : self.batches_per_epoch * size]
        known = kept is not None and any(kept.holds(0, part) for part in torch.split(order, size))
        if ahead is not None and epoch == start == 0 and not known:
            return iter(ahead)
        return self._train.batches(epoch, order, size, kept)

    def first_batches(self, count: int) -> list[Batch]:
        """The first of epoch 0, looked at before training: `train_batches(0)` begins with them at
        its next call, so that nothing is read twice."""
        if self._ahead is None:
            self._ahead = Ahead(self.train_batches(0))
        return self._ahead.first(count)

    def first_val_samples(self, count: int) -> Batch | None:
        """A batch of the first validation samples, read in this process, so that no worker starts
        before it is needed. None without validation."""
        if self._val is None:
            return None
        return self._val.few(VALIDATION, list(range(min(count, self.val_samples))))

    def inputs(
        self, batch: Batch, device: torch.device | None = None, *, channels_last: bool = False
    ) -> Tensor:
        """What the model takes of a batch: (batch, 3, height, width) float32, on that device, by
        default where it is. Turned around while it is bytes still."""
        inputs = placed(batch.inputs, device or batch.inputs.device, channels_last)
        if batch.finished or not batch.indices:
            return inputs
        return self._train.samples.pipeline.finish(inputs)

    @property
    def val_targets(self) -> Tensor | None:
        """As `train_targets`, of the validation samples; None without validation too."""
        return None if self._val is None else self._val.source.targets

    def val_batches(self, kept: Kept | None = None) -> Iterator[Batch]:
        """All validation samples in their order; the last batch may be short. Only what is not
        `kept` is read."""
        if self._val is None:
            return iter(())
        order = torch.arange(self.val_samples)
        return self._val.batches(VALIDATION, order, self._batch_size, kept)

    def side(self, split: str) -> Samples | None:
        """What is read of "train" or "val", and how."""
        chosen = self._train if split == "train" else self._val
        return None if chosen is None else chosen.samples

    def keep_images(self, split: str, images: KeptImages | None) -> None:
        """Of "train" or "val": what is read and filled from the next batch on. What was looked at
        before training is not read again."""
        chosen = self._train if split == "train" else self._val
        if chosen is None or chosen.samples.kept is images:
            return
        chosen.keep(images)
        if chosen is self._train and (ahead := self._ahead) is not None:
            self._ahead = None
            rest = self.train_batches(0, start=len(ahead.seen))
            self._ahead = Ahead(rest, ahead.seen)

    def can_keep_images(self, split: str) -> bool:
        """Whether all processes that read can share them, and reading is what takes the time."""
        chosen = self._train if split == "train" else self._val
        if chosen is None or chosen.samples.source.in_memory or chosen.samples.source.draws:
            return False
        return chosen.worker_count == 0 or sys.platform == "linux"  # where workers are forked

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


def build_data(
    section: DataSection,
    preset: Preset,
    *,
    seed: int,
    folder: Path,
    pin_memory: bool = False,
    task: Task = "classification",
    ignore_index: int = -100,
) -> Data:
    """`folder`: what a relative `root` or file of `target` is relative to. `pin_memory` makes
    copying to a GPU asynchronous; it does nothing where there is none. `ignore_index`: the target
    that doesn't count, which masks get where there is no image.

    Raises InputError with the problems of `[data]`.
    """
    masks = task == "segmentation"
    transforms, sources = _both(
        lambda: (
            build_joint_transforms(section, preset, ignore_index)
            if masks
            else build_transforms(section, preset)
        ),
        lambda: build_sources(section, folder, seed, task=task, ignore_index=ignore_index),
    )
    pin_memory = pin_memory and torch.cuda.is_available()
    free = PREPARED_BYTES

    def split(
        source: Source, pipeline: Pipeline | JointPipeline, random: bool, shape: torch.Size
    ) -> Split:
        nonlocal free
        size = len(source) * (4 * shape.numel() + (8 * shape[1:].numel() if masks else 0))
        prepared = source.in_memory and not random and size <= free
        free -= size if prepared else 0
        views = section.views if random else None
        samples = Samples(source, pipeline, seed, draws=random or source.draws, views=views)
        workers = _worker_count(section.workers, source)
        return Split(samples, seed, prepared=prepared, workers=workers, pin_memory=pin_memory)

    shapes = torch.Size(transforms.train_shape), torch.Size(transforms.eval_shape)
    train = split(sources.train, transforms.train, transforms.random, shapes[0])
    val = None
    if sources.val is not None:
        val = split(sources.val, transforms.eval, False, shapes[1])
    return Data(train, val, section)


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
    return min(MOST_WORKERS, max(2, cores - 1) if cores > 1 else 0)

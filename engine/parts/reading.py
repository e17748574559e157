"""Samples read and transformed, a batch at a time, in whichever process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from PIL import UnidentifiedImageError
from torch import Tensor
from torch.utils.data import Dataset

from engine.contract.problems import RunError
from engine.parts.images import as_rgb
from engine.parts.joint_transforms import JointPipeline
from engine.parts.kept_images import KeptImages
from engine.parts.masks import MaskError
from engine.parts.pipeline import Pipeline
from engine.parts.randomness import generators_kept, mix, seed_generators
from engine.parts.sources import Source, Target

Key = tuple[int, list[int]]  # the epoch, and the indices of a batch


@dataclass(frozen=True)
class Unreadable:
    """A sample that could not be read, and why."""

    index: int
    name: str
    error: str


class Batch(NamedTuple):
    """Without its unreadable samples: it may be short, or empty."""

    inputs: Tensor  # (batch, 3, height, width), uint8 or float32; `Data.inputs` finishes them
    targets: Tensor  # (batch,) int64; (batch, labels or numbers) float32; (batch, H, W) int64
    indices: list[int]  # into the training or validation samples
    unreadable: list[Unreadable]
    features: tuple[Tensor, ...] | None = None  # what was kept, in the place of the inputs
    finished: bool = False  # whether the inputs are what the model takes already


@dataclass(frozen=True)
class Failure:
    """A RunError on its way out of a worker: an exception raised there would arrive wrapped in
    a traceback."""

    message: str
    remedy: str


class Samples(Dataset[Batch | Failure]):
    """A batch by its key. `draws`: whether random numbers are drawn for a sample; they are
    seeded by (seed, epoch, index), with `views` by (seed, epoch modulo views, index).

    Reads on one thread, whatever torch's number of threads is: for one image at a time more of them
    gain next to nothing, and where others use the cores as well they wait for each other, 4.0 s
    instead of 0.8 s for 244 photos.
    """

    def __init__(
        self,
        source: Source,
        pipeline: Pipeline | JointPipeline,
        seed: int,
        *,
        draws: bool,
        views: int | None = None,
    ) -> None:
        self.source, self.draws, self.views = source, draws, views
        self.pipeline, self._seed = pipeline, seed
        self.kept: KeptImages | None = None

    def __getitem__(self, key: Key) -> Batch | Failure:
        with one_thread(), generators_kept() if self.draws else contextlib.nullcontext():
            try:
                return self._batch(*key)
            except RunError as failed:
                return Failure(failed.message, failed.remedy)
            except MemoryError:
                remedy = "use a smaller batch_size, fewer workers or a smaller image_size"
                return Failure("the memory ran out while a batch was loaded", remedy)

    def _batch(self, epoch: int, indices: list[int]) -> Batch:
        images: list[Tensor] = []
        targets: list[Target] = []
        read: list[int] = []
        unreadable = []
        view = epoch % self.views if self.views and epoch >= 0 else epoch
        for index in indices:
            if self.draws:
                seed_generators(mix(self._seed, view, index))
            begun = self._begun(index)
            if isinstance(begun, Unreadable):
                unreadable.append(begun)
                continue
            with self._named(index):
                pixels, target = self.pipeline.rest(*begun)
            images.append(pixels)
            targets.append(target)
            read.append(index)
        return Batch(self._stack(images, read), self._targets(targets), read, unreadable)

    def _begun(self, index: int) -> tuple[Tensor, Any] | Unreadable:
        """The image after the beginning of the pipeline, and the target."""
        if self.kept is not None and (held := self.kept.get(index)) is not None:
            return held
        begun = self.made(index)
        if self.kept is not None and not isinstance(begun, Unreadable):
            self.kept.put(index, *begun)
        return begun

    def made(self, index: int) -> tuple[Tensor, Any] | Unreadable:
        """As it is when nothing is kept."""
        try:
            image, target = self.source.read(index, tensor=self.pipeline.takes_tensors)
            image = as_rgb(image)
        except MemoryError:
            raise
        except Exception as error:  # decoders, and people's own code, raise all there is
            return Unreadable(index, self.source.name(index), why(error))
        with self._named(index):
            return self.pipeline.begin(image, target)

    @contextlib.contextmanager
    def _named(self, index: int) -> Iterator[None]:
        try:
            yield
        except RunError as failed:
            message = f"{self.source.name(index)}: {failed.message}"
            raise RunError(message, failed.remedy) from failed

    def _targets(self, targets: list[Any]) -> Tensor:
        """Masks have the sizes of their images, which are equal."""
        if self.source.task == "classification":
            return torch.tensor(targets).long()
        if targets:
            return torch.stack(targets)
        if self.source.task == "segmentation":
            return torch.empty(0, 0, 0, dtype=torch.int64)
        return torch.empty(0, len(self.source.classes))

    def _stack(self, images: list[Tensor], indices: list[int]) -> Tensor:
        if not images:
            return torch.empty(0)
        for image, index in zip(images, indices, strict=True):
            if image.shape != images[0].shape:
                names = self.source.name(indices[0]), self.source.name(index)
                sizes = ["x".join(map(str, i.shape[1:])) for i in (images[0], image)]
                raise RunError(
                    f"images differ in size after the transforms: {names[0]} has {sizes[0]} "
                    f"pixels, {names[1]} has {sizes[1]}",
                    "end data.augment or data.preprocess with a crop of one size",
                )
        return torch.stack(images)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """torch computes on this thread alone within. Takes 0.2 µs."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def why(error: Exception) -> str:
    """One line for a person."""
    match error:
        case FileNotFoundError():
            return "the file is not there any more"
        case PermissionError():
            return "no permission to read it"
        case UnidentifiedImageError():
            return "not an image, or an empty or damaged one"
        case OSError():
            return error.strerror or str(error) or type(error).__name__
        case MaskError():
            return str(error)
    return f"{type(error).__name__}: {error}"

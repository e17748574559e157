"""Images as the beginning of their pipeline leaves them, kept where no frozen layer's output is.

Training that augments reads, decodes, resizes and crops each image in each epoch, and only then
comes to what is random; validation always does the same. With `train.cache`, what comes before is
done once, in the first epoch, and kept like the features of frozen layers, on the disk or in
memory. It takes images of one size: where a random crop is the first thing that is done to
them there is nothing to keep.
"""

from __future__ import annotations

import time
from dataclasses import asdict

import PIL
import torch
from torch import Tensor

from engine.contract.experiment import Experiment
from engine.contract.feature_folder import StoreError, cache_folder
from engine.contract.problems import RunError
from engine.frozen_prefix import FrozenPrefix
from engine.frozen_side import PAYS
from engine.parts.batches import Data
from engine.parts.feature_cache import Limits, Shelf, key_of, new_store, stamps_of
from engine.parts.feature_store import FeatureStore, Layout
from engine.parts.kept_images import KeptImages, kept_alike, record_of
from engine.parts.presets import preset_of
from engine.parts.reading import Samples, Unreadable, one_thread

TRIED = 8  # images that are measured before it is decided whether keeping pays
LOOKED_AT = 32  # images among which these are looked for; some may be unreadable


class ImageCache:
    """Of both sides, from one stage of the training to the next."""

    def __init__(self, experiment: Experiment, data: Data) -> None:
        self._experiment, self._data = experiment, data
        self._shelves: list[Shelf] = []
        self._kept: dict[str, KeptImages] = {}
        self._said: dict[str, str] = {}

    def enter(self, prefix: FrozenPrefix) -> None:
        """Keep the images of each side that `prefix` keeps nothing of, and tell it so."""
        if self._experiment.train.cache == "off":
            return
        for name, side in (("train", prefix.train), ("val", prefix.val)):
            if side is not None or name in self._said or self._data.side(name) is None:
                continue
            if self._data.can_keep_images(name):
                self._said[name] = self._begin(name)
        prefix.images = self._said

    def close(self) -> None:
        for name, kept in self._kept.items():
            self._data.keep_images(name, None)
            kept.store.close()
        for shelf in self._shelves:
            shelf.close()

    def _begin(self, name: str) -> str:
        """What was decided, for a person."""
        samples = self._data.side(name)
        assert samples is not None
        shelf = self._shelf(name, samples) if self._experiment.train.cache_disk else None
        if shelf is not None:
            self._shelves.append(shelf)
            if found := shelf.found():
                self._keep(name, KeptImages(found[0], samples.source))
                return "images: prepared by an earlier run"
        tried, making = _tried(samples)
        if not tried:
            return ""
        if any(not kept_alike(record, tried[0][1]) for _, record in tried):
            return "images are prepared each time: they differ in size before what is random"
        try:
            limits = Limits.of(self._experiment.train)
            store = new_store(shelf, Layout.of(tried[0][1]), len(samples.source), [], limits)
        except StoreError as error:
            return f"images are prepared each time: {error}"
        taking = _taking(store, tried)
        told = f"{1000 * making:.3g} ms an image to make, {1000 * taking:.3g} ms to take"
        if self._experiment.train.cache == "auto" and taking > PAYS * making:
            store.close()
            return f"images are prepared each time, to keep them would not pay: {told}"
        self._keep(name, KeptImages(store, samples.source))
        return f"images: prepared once, {store.bytes / 1e6:.3g} MB ({told})"

    def _keep(self, name: str, kept: KeptImages) -> None:
        self._kept[name] = kept
        self._data.keep_images(name, kept)

    def _shelf(self, name: str, samples: Samples) -> Shelf | None:
        """None where the data can't tell whether its files have changed."""
        stamps = stamps_of(samples.source)
        if stamps is None:
            return None
        data, pipeline = self._experiment.data, samples.pipeline
        keys = {step.key for step in pipeline.fixed}
        begin = [step for at, step in enumerate(data.augment) if f"data.augment.{at}" in keys]
        masks = samples.source.targets is None
        facts = {
            "images": PIL.__version__,
            "preset": asdict(preset_of(self._experiment.model, data.image_size)),
            "steps": [step.name for step in pipeline.fixed],
            "keywords": [s.model_dump(mode="json") for s in (*(data.preprocess or []), *begin)],
            "masks": [data.mask_values, samples.source.classes, self._experiment.ignore_index]
            if masks
            else None,
        }
        about = {
            "backbone": "(images)",
            "name": self._experiment.name,
            "split": name,
            "samples": len(samples.source),
        }
        return Shelf(cache_folder() / key_of("", [], samples.source, facts), stamps, about)


def _tried(samples: Samples) -> tuple[list[tuple[int, list[Tensor]]], float]:
    """Some of the images, each with its number, as they are to be kept; seconds that one takes."""
    tried = []
    began, looked_at = time.perf_counter(), 0
    with one_thread():
        for index in range(min(LOOKED_AT, len(samples.source))):
            try:
                made = samples.made(index)
            except (RunError, MemoryError):  # the batch that it is in tells it
                made = None
            looked_at += 1
            if made is not None and not isinstance(made, Unreadable):
                tried.append((index, record_of(*made, samples.source)))
            if len(tried) == TRIED:
                break
    return tried, (time.perf_counter() - began) / max(1, looked_at)


def _taking(store: FeatureStore, tried: list[tuple[int, list[Tensor]]]) -> float:
    """Seconds an image."""
    for index, record in tried:
        store.put([index], record)
    began = time.perf_counter()
    for index, _ in tried:
        store.take(torch.tensor([index]))
    return (time.perf_counter() - began) / len(tried)

"""What cannot change is computed once: the frozen beginning of the network, of every sample.

In the first epoch each batch goes through the prefix as it always did, and what comes out is kept.
From then on a batch is taken from there: no file is read, no image decoded, no frozen layer run.
Validation too. Where the input is random (augmentation without `data.views`), or nothing at the
beginning is frozen, that side is trained as it is without this.

The loop asks for batches and for outputs as it would ask data and model; a later run that shares
network, data and transforms finds all of it on the disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import nn

from engine.contract.experiment import Experiment
from engine.contract.feature_folder import cache_folder
from engine.contract.problems import Problem
from engine.frozen_side import Side
from engine.parts.batches import Batch, Data
from engine.parts.compiling import Forward
from engine.parts.feature_cache import Limits, Shelf, key_of, stamps_of
from engine.parts.freezing import Freezing
from engine.parts.frozen_split import (
    FrozenSplit,
    UnsplitError,
    prefix_tensors,
    split_frozen,
)
from engine.parts.presets import preset_of
from engine.parts.reading import Samples


class FrozenPrefix:
    """Of one stage of the training. `train` and `val` are None where that side is as ever; `why`
    says of each for what reason."""

    def __init__(self, train: Side | None, val: Side | None, why: dict[str, str]) -> None:
        self.train, self.val, self.why = train, val, why
        self.images: dict[str, str] = {}  # the same of images where no layer's output is kept
        self._told: tuple[str, str] | None = None

    def news(self) -> tuple[str, str] | None:
        """What is to be said of training and validation, if it is not what was said before."""
        said = self.said
        if said == self._told or not any(said):
            return None
        self._told = said
        return said

    @property
    def said(self) -> tuple[str, str]:
        """Of training and validation; empty where there is nothing to say."""
        return self._said("train", self.train), self._said("val", self.val)

    def _said(self, name: str, side: Side | None) -> str:
        if side is not None:
            return side.said
        return "; ".join(filter(None, [self.why.get(name, ""), self.images.get(name, "")]))

    def train_batches(self, data: Data, epoch: int, start: int) -> Iterator[Batch]:
        if self.train is None:
            return data.train_batches(epoch, start)
        return self.train.timed(epoch, data.train_batches(epoch, start, self.train))

    def val_batches(self, data: Data) -> Iterator[Batch]:
        if self.val is None:
            return data.val_batches()
        return self.val.timed(-1, data.val_batches(self.val))

    def close(self) -> None:
        for side in (self.train, self.val):
            if side is not None:
                side.close()


def exactness_problem(
    experiment: Experiment, model: nn.Module, freezing: Freezing, data: Data
) -> Problem | None:
    """With cache = "on": why the training side can't be kept, from the first epoch on."""
    samples = data.side("train")
    if experiment.train.cache != "on" or samples is None:
        return None
    key = "train.cache"
    if samples.source.draws:
        message = "can't be exact: one's own data may give other images each time"
        return Problem(message, key, 'write cache = "auto": validation is kept all the same')
    if samples.draws and samples.views is None:
        message = "can't be exact: data.augment makes other images in each epoch"
        return Problem(message, key, 'write views = 4 under [data], or cache = "auto"')
    freezing.train_mode(model)
    try:
        split_frozen(model)
    except UnsplitError as error:
        return Problem(f"has nothing to keep: {error}", key, "look at model.freeze")
    return None


def build_prefix(
    experiment: Experiment,
    model: nn.Module,
    freezing: Freezing,
    data: Data,
    device: torch.device,
    autocast: AbstractContextManager[object],
    channels_last: bool,
    forward: Callable[[nn.Module, str], Forward],
) -> FrozenPrefix:
    """With the model frozen as in the stage that begins. Leaves it in training mode."""
    section = experiment.train
    if section.cache == "off":
        return FrozenPrefix(None, None, {})
    freezing.train_mode(model)
    limits = Limits.of(section)
    why: dict[str, str] = {}

    def side(name: str) -> Side | None:
        samples = data.side(name)
        if samples is None:
            return None
        if samples.draws and (samples.views is None or samples.source.draws):
            if freezing.frozen:
                why[name] = "each epoch has other images, so frozen layers are computed each time"
            return None
        try:
            split = split_frozen(model)
        except UnsplitError as error:
            if freezing.frozen:
                why[name] = f"nothing is computed once: {error}"
            return None
        shelf = None
        if section.cache_disk:
            shelf = _shelf(name, experiment, split, samples, device, channels_last)
        always = section.cache == "on"
        return Side(
            split,
            data,
            samples,
            device,
            autocast,
            shelf,
            limits,
            always,
            channels_last,
            lambda module: forward(module, name),
        )

    train = side("train")
    model.eval()
    val = side("val")
    freezing.train_mode(model)
    return FrozenPrefix(train, val, why)


def _shelf(
    name: str,
    experiment: Experiment,
    split: FrozenSplit,
    samples: Samples,
    device: torch.device,
    channels_last: bool,
) -> Shelf | None:
    """Its place on the disk; None where the data can't tell whether its files have changed."""
    stamps = stamps_of(samples.source)
    if stamps is None:
        return None
    data, train = experiment.data, experiment.train
    facts = {
        "preset": asdict(preset_of(experiment.model, data.image_size)),
        "preprocess": _plain(data.preprocess),
        "augment": _plain(data.augment) if name == "train" else None,
        "draws": [experiment.seed, samples.views] if samples.draws else None,
        "task": samples.source.task,
        "classes": samples.source.classes if samples.source.targets is None else None,
        "masks": [data.mask_values, experiment.ignore_index]
        if samples.source.targets is None
        else None,
        "precision": train.precision,
        "device": device.type,
        "channels_last": channels_last,
    }
    key = key_of(split.prefix.code, prefix_tensors(split), samples.source, facts)
    views = samples.views or 1
    about = {
        "backbone": experiment.model.backbone,
        "name": experiment.name,
        "split": name,
        "samples": len(samples.source) * views,
    }
    return Shelf(cache_folder() / key, np.tile(stamps, views), about)


def _plain(value: Any) -> Any:
    """Transforms as JSON."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value

"""Data sets of (image, class index) that others wrote, as a source of samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from engine.contract.problems import InputError, Problem
from engine.parts.custom import described
from engine.parts.transforms import AnyImage, as_rgb

# Where data sets keep their targets: as numbers, or last in a tuple with the file's name.
_TARGETS = ("targets", "labels", "_labels", "y")
_SAMPLES = ("samples", "_samples", "imgs", "_flat_character_images")


class MapStyle:
    """A map-style data set as a source of samples. Raises InputError at `key` where it gives
    something else than (image, class index)."""

    def __init__(self, dataset: Any, title: str, key: str, *, draws: bool) -> None:
        self._dataset, self._title, self.draws = dataset, title, draws
        self._length = self._checked_length(key)
        self.in_memory = not draws and isinstance(
            getattr(dataset, "data", None), Tensor | np.ndarray
        )
        probes = {index: self._probe(index, key) for index in (0, self._length // 2)}
        self.targets = self._known_targets(probes)
        if self.targets is None:
            self.targets = torch.tensor([self._probe(i, key) for i in range(self._length)])
        self.classes = self._class_names(key)

    def __len__(self) -> int:
        return self._length

    def read(self, index: int) -> tuple[AnyImage, int]:
        image, target = self._dataset[index]
        if isinstance(image, np.ndarray):
            image = Image.fromarray(image)
        if not isinstance(image, Image.Image | Tensor):
            raise TypeError(f"the image is a {type(image).__name__}, not a Pillow image or tensor")
        number = _class_index(target)
        if number is None or not 0 <= number < len(self.classes):
            raise ValueError(f"the target is {target!r}, not one of {len(self.classes)} classes")
        return image, number

    def name(self, index: int) -> str:
        return f"{self._title}[{index}]"

    relative_name = name

    def _checked_length(self, key: str) -> int:
        if not (hasattr(self._dataset, "__len__") and hasattr(self._dataset, "__getitem__")):
            message = (
                f"{self._title} gives a {type(self._dataset).__name__}, not a map-style Dataset"
            )
            hint = "give an object with __len__ and __getitem__, as torch.utils.data.Dataset has"
            raise InputError(Problem(message, key, hint))
        try:
            length = len(self._dataset)
        except Exception as error:
            message = f"the length of {self._title} fails: {described(error)}"
            raise InputError(Problem(message, key)) from error
        if length == 0:
            raise InputError(Problem(f"{self._title} has no samples", key))
        return length

    def _probe(self, index: int, key: str) -> int:
        """The class of a sample; InputError where that isn't one."""
        try:
            sample = self._dataset[index]
        except Exception as error:
            message = f"sample {index} of {self._title} fails: {described(error)}"
            raise InputError(Problem(message, key)) from error
        if not isinstance(sample, tuple | list) or len(sample) != 2:
            message = f"a sample of {self._title} is {shown(sample)}, not (image, class index)"
            raise InputError(Problem(message, key, "classification is what ptrain trains"))
        image, target = sample
        if isinstance(image, np.ndarray):
            image = Image.fromarray(image)
        if not isinstance(image, Image.Image | Tensor):
            message = f"an image of {self._title} is {shown(image)}"
            hint = "give a Pillow image, or a uint8 tensor (3, height, width)"
            raise InputError(Problem(message, key, hint))
        try:
            as_rgb(image)
        except ValueError as error:
            hint = "leave scaling and normalizing out: ptrain does both, as the backbone expects"
            raise InputError(Problem(f"{self._title}: {error}", key, hint)) from error
        number = _class_index(target)
        if number is None or number < 0:
            message = f"a target of {self._title} is {shown(target)}, not a class index"
            raise InputError(Problem(message, key, "classification is what ptrain trains"))
        return number

    def _known_targets(self, probes: dict[int, int]) -> Any:
        """(N,) int64 as the data set itself keeps them, or None. Believed only where the probed
        samples agree."""
        kept = [getattr(self._dataset, name, None) for name in _TARGETS]
        for name in _SAMPLES:
            pairs = getattr(self._dataset, name, None)
            if isinstance(pairs, list) and pairs and isinstance(pairs[0], tuple):
                kept.append([pair[-1] for pair in pairs])
        for values in kept:
            try:
                numbers = torch.as_tensor(values)
            except (TypeError, ValueError, RuntimeError):
                continue
            if numbers.shape != (self._length,) or numbers.is_floating_point():
                continue
            if all(int(numbers[index]) == target for index, target in probes.items()):
                return numbers.long().clone()
        return None

    def _class_names(self, key: str) -> list[str]:
        needed = int(self.targets.max()) + 1
        for name in ("classes", "categories"):
            names = getattr(self._dataset, name, None)
            if isinstance(names, list | tuple) and names:
                if len(names) < needed or int(self.targets.min()) < 0:
                    message = f"{self._title} names {len(names)} classes, but has the target "
                    raise InputError(Problem(f"{message}{needed - 1}", key))
                return [n if isinstance(n, str) else ", ".join(map(str, n)) for n in names]
        count = getattr(self._dataset, "num_classes", 0)
        return [str(n) for n in range(max(needed, count if isinstance(count, int) else 0))]


def _class_index(target: Any) -> int | None:
    if isinstance(target, Tensor) and target.ndim == 0 and not target.is_floating_point():
        target = target.item()
    if isinstance(target, int | np.integer) and not isinstance(target, bool):
        return int(target)
    return None


def shown(value: Any) -> str:
    if isinstance(value, Tensor | np.ndarray):
        return f"a {type(value).__name__} of shape {tuple(value.shape)}"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    return f"a {type(value).__name__}"

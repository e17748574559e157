"""Data sets of (image, target) that others wrote, as a source of samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from engine.contract.data import Data
from engine.contract.problems import InputError, Problem
from engine.contract.tasks import Task
from engine.parts.custom import described
from engine.parts.image_masks import classes_of
from engine.parts.images import AnyImage, as_rgb
from engine.parts.map_targets import WANTED, known_targets, shown, target_of, task_hint
from engine.parts.masks import MaskCodes, MaskError, check_size
from engine.parts.sources import Target
from engine.parts.target_counts import count_mask, scan, total


class MapStyle:
    """A map-style data set as a source of samples. Raises InputError at `key` where it gives
    something else than an image and a target of the task.

    `draws`: it is one's own code, which may draw random numbers. `names`: of the classes of masks,
    where they are known from the training samples.
    """

    def __init__(
        self,
        dataset: Any,
        title: str,
        key: str,
        *,
        draws: bool,
        section: Data,
        task: Task = "classification",
        ignore_index: int = -100,
        names: list[str] | None = None,
    ) -> None:
        self._dataset, self._title, self.draws = dataset, title, draws
        self.task: Task = task
        told = names or section.classes
        count = None if told is None else len(told)
        self._codes = MaskCodes(section.mask_values, count, ignore_index)
        self._length = self._checked_length(key)
        self.in_memory = not draws and isinstance(
            getattr(dataset, "data", None), Tensor | np.ndarray
        )
        probes = {index: self._probe(index, key) for index in (0, self._length // 2)}
        self.targets = self._all_targets(probes, key)
        self.classes = names or self._names(section, key)
        if task == "segmentation":
            self._codes = MaskCodes(section.mask_values, len(self.classes), ignore_index)

    def __len__(self) -> int:
        return self._length

    def read(self, index: int, *, tensor: bool = False) -> tuple[AnyImage, Target]:
        image, target = self._dataset[index]
        if isinstance(image, np.ndarray):
            image = Image.fromarray(image)
        if not isinstance(image, Image.Image | Tensor):
            raise TypeError(f"the image is a {type(image).__name__}, not a Pillow image or tensor")
        if self.task == "segmentation":
            mask = self._codes.indices(target)
            check_size(image, mask)
            return image, mask
        try:
            value: Target = target_of(target, self.task)
        except ValueError as error:
            raise ValueError(f"the target {error}") from error
        found, wanted = value if isinstance(value, int) else len(value), len(self.classes)
        if isinstance(value, int) and found >= wanted:
            raise ValueError(f"the target is {target!r}, not one of {wanted} classes")
        if not isinstance(value, int) and found != wanted:
            raise ValueError(f"the target holds {found} numbers, not {wanted}")
        return image, value

    def name(self, index: int) -> str:
        return f"{self._title}[{index}]"

    relative_name = name

    def files(self, index: int) -> list[Path] | None:
        return None

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

    def _probe(self, index: int, key: str) -> Any:
        """The target of a sample; InputError where that isn't one."""
        try:
            sample = self._dataset[index]
        except Exception as error:
            message = f"sample {index} of {self._title} fails: {described(error)}"
            raise InputError(Problem(message, key)) from error
        if not isinstance(sample, tuple | list) or len(sample) != 2:
            wanted = WANTED[self.task].removeprefix("a ")
            message = f"a sample of {self._title} is {shown(sample)}, not (image, {wanted})"
            raise InputError(Problem(message, key, f"data.task is {self.task}"))
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
        return self._probed_target(image, target, key)

    def _probed_target(self, image: AnyImage, target: Any, key: str) -> Any:
        try:
            if self.task == "segmentation":
                mask = self._codes.indices(target)
                check_size(image, mask)
                return mask
            return target_of(target, self.task)
        except MaskError as error:
            message = f"a mask of {self._title}: {error.message}"
            raise InputError(Problem(message, key, error.hint)) from error
        except ValueError as error:
            hint = task_hint(target) if self.task == "classification" else ""
            hint = hint or f"data.task is {self.task}: a target is {WANTED[self.task]}"
            message = f"a target of {self._title} {error}"
            raise InputError(Problem(message, key, hint)) from error

    def _all_targets(self, probes: dict[int, Any], key: str) -> Tensor | None:
        if self.task == "segmentation":
            return None
        known = known_targets(self._dataset, self._length, self.task, probes)
        if known is not None:
            return known
        every = [self._probe(index, key) for index in range(self._length)]
        if self.task == "classification":
            return torch.tensor(every)
        lengths = [len(target) for target in every]
        other = next((n for n, length in enumerate(lengths) if length != lengths[0]), None)
        if other is not None:
            message = (
                f"the targets of {self._title} differ in length: sample 0 has {lengths[0]} "
                f"numbers, sample {other} has {lengths[other]}"
            )
            raise InputError(Problem(message, key, "each sample has the same numbers"))
        return torch.stack(every)

    def _names(self, section: Data, key: str) -> list[str]:
        match self.task:
            case "classification":
                return self._class_names(section, key)
            case "segmentation":
                return self._mask_classes(section, key)
        assert self.targets is not None
        width = self.targets.shape[1]
        if self.task == "multilabel":
            wanted, chosen_key, told = section.classes, "data.classes", ("classes", "attr_names")
        else:
            wanted, chosen_key, told = section.targets, "data.targets", ("columns", "target_names")
        if wanted is not None and len(wanted) != width:
            message = f"{len(wanted)} names for {width} numbers of a target of {self._title}"
            raise InputError(Problem(message, chosen_key, "one name for each"))
        if wanted is not None:
            return wanted
        own = [[name for name in self._listed(attribute) if name] for attribute in told]
        numbered = [str(number) for number in range(width)]
        return next((names for names in own if len(names) == width), numbered)

    def _class_names(self, section: Data, key: str) -> list[str]:
        assert self.targets is not None
        needed = int(self.targets.max()) + 1
        for names in (section.classes or [], self._listed("classes"), self._listed("categories")):
            if names:
                if len(names) < needed or int(self.targets.min()) < 0:
                    who = "data.classes" if names is section.classes else self._title
                    message = f"{who} names {len(names)} classes, but "
                    message += f"{self._title} has" if names is section.classes else "has"
                    raise InputError(Problem(f"{message} the target {needed - 1}", key))
                return names
        count = getattr(self._dataset, "num_classes", 0)
        return [str(n) for n in range(max(needed, count if isinstance(count, int) else 0))]

    def _mask_classes(self, section: Data, key: str) -> list[str]:
        """Only one's own data is asked: the `classes` of torchvision's are of something else, the
        37 breeds of OxfordIIITPet where its masks have 3 values."""
        own = self._listed("classes") if self.draws else []
        if section.classes is not None:
            return section.classes
        if section.mask_values is not None:
            count = len(section.mask_values)
            return own if len(own) == count else [str(number) for number in range(count)]
        if own:
            return own
        each = range(self._length)
        counts = scan(
            lambda index: count_mask(self.read(index)[1]), each, self.name, key, False, threads=1
        )
        return [str(n) for n in range(classes_of(total(counts), self._codes.ignore_index, key))]

    def _listed(self, attribute: str) -> list[str]:
        names = getattr(self._dataset, attribute, None)
        if not isinstance(names, list | tuple):
            return []
        return [n if isinstance(n, str) else ", ".join(map(str, n)) for n in names]

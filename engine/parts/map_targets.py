"""What a Dataset gives as a target → what the engine trains on, for each task."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from engine.contract.tasks import Task

# Where data sets keep their targets: as numbers, or last in a tuple with the file's name.
_TARGETS = ("targets", "labels", "_labels", "y", "attr")
_SAMPLES = ("samples", "_samples", "imgs", "_flat_character_images")
WANTED: dict[Task, str] = {
    "classification": "a class index",
    "multilabel": "a list of 0 and 1, one for each label",
    "regression": "a number or a list of numbers",
    "segmentation": "a mask",
}


def target_of(target: Any, task: Task) -> Any:
    """An int of 0 or more; (labels,) float32 of 0 and 1; (numbers,) float32. Raises ValueError
    where it is something else. Masks are read by MaskCodes."""
    if task == "classification":
        number = _class_index(target)
        if number is not None and number < 0:
            raise ValueError(f"is {number}, and classes are numbered from 0")
        if number is None:
            raise ValueError(f"is {shown(target)}, not a class index")
        return number
    values = _vector(target)
    if values is None or values.numel() == 0:
        raise ValueError(f"is {shown(target)}, not {WANTED[task]}")
    if not values.isfinite().all():
        raise ValueError(f"is not finite: {values.tolist()}")
    if task == "multilabel" and not bool(((values == 0) | (values == 1)).all()):
        strange = values[(values != 0) & (values != 1)][0].item()
        raise ValueError(f"holds {strange:g}, where a label is 0 or 1")
    return values


def task_hint(target: Any) -> str:
    """What to write where a target is not a class index."""
    if _class_index(target) is not None:
        return "leave such samples out of the data set, or number the classes from 0"
    if isinstance(target, Image.Image):
        return 'write task = "segmentation" under [data] if it is a mask'
    shape = tuple(target.shape) if isinstance(target, Tensor | np.ndarray) else None
    if shape is not None and len(shape) >= 2:
        return 'write task = "segmentation" under [data] if it is a mask'
    values = _vector(target)
    if values is None:
        return "a target is a class index; other tasks are named by data.task"
    if values.numel() > 1:
        return 'write task = "multilabel" or task = "regression" under [data]'
    return 'write task = "regression" under [data] if it is a number to estimate'


def known_targets(dataset: Any, length: int, task: Task, probes: dict[int, Any]) -> Tensor | None:
    """All targets as the data set itself keeps them, or None. Believed only where the probed
    samples agree."""
    kept = [getattr(dataset, name, None) for name in _TARGETS]
    for name in _SAMPLES:
        pairs = getattr(dataset, name, None)
        if isinstance(pairs, list) and pairs and isinstance(pairs[0], tuple):
            kept.append([pair[-1] for pair in pairs])
    for values in kept:
        try:
            numbers = torch.as_tensor(values)
        except (TypeError, ValueError, RuntimeError):
            continue
        found = _classes(numbers, length) if task == "classification" else _rows(numbers, length)
        if found is None or (task == "multilabel" and not ((found == 0) | (found == 1)).all()):
            continue
        if all(torch.equal(found[i], torch.as_tensor(t)) for i, t in probes.items()):
            return found
    return None


def _classes(numbers: Tensor, length: int) -> Tensor | None:
    if numbers.shape != (length,) or numbers.is_floating_point():
        return None
    return numbers.long().clone()


def _rows(numbers: Tensor, length: int) -> Tensor | None:
    if numbers.ndim not in (1, 2) or len(numbers) != length or numbers.is_complex():
        return None
    return numbers.float().reshape(length, -1).clone()


def _class_index(target: Any) -> int | None:
    if isinstance(target, Tensor) and target.ndim == 0 and not target.is_floating_point():
        target = target.item()
    if isinstance(target, int | np.integer) and not isinstance(target, bool):
        return int(target)
    return None


def _vector(target: Any) -> Tensor | None:
    """(numbers,) float32, or None."""
    if isinstance(target, str | bytes | dict | Image.Image):
        return None
    try:
        values = torch.as_tensor(target)
    except (TypeError, ValueError, RuntimeError):
        return None
    if values.ndim > 1 or values.is_complex():
        return None
    return values.to(torch.float32, copy=True).reshape(-1)


def shown(value: Any) -> str:
    if isinstance(value, Tensor | np.ndarray):
        return f"a {type(value).__name__} of shape {tuple(value.shape)}"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    return f"a {type(value).__name__}"

"""[data] → the training and the validation samples, not yet read.

The choice between the bundled digits, image folders and tables, torchvision's data sets and one's
own, and the split where the data has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from engine.contract.data import NO_VALIDATION, TASKS, VAL_NAMES, Data
from engine.contract.problems import InputError, Problem, did_you_mean
from engine.contract.tasks import Task
from engine.parts.image_masks import ImageMasks, image_mask_folder
from engine.parts.image_table import ImageTable, image_table
from engine.parts.named_datasets import custom, torchvision_dataset
from engine.parts.randomness import generator
from engine.parts.sources import Digits, Folder, Source, Subset, require_folder, subfolders

DEFAULT_FRACTION = 0.2
_OWN_FILES = (Folder, ImageMasks, ImageTable)
_SPLIT_NAMES = {"train", "training", "test", "testing", *VAL_NAMES}


def stratified_split(targets: Tensor, fraction: float, seed: int) -> tuple[list[int], list[int]]:
    """Indices for training and for validation, both ascending: `fraction` of each class, rounded,
    for validation, and at least one sample of each class on each side where it has two.

    `targets`: (N,) int64. What is drawn from a class depends on the seed and that class alone.
    """
    train: list[int] = []
    val: list[int] = []
    for target in sorted(set(targets.tolist())):
        members = (targets == target).nonzero().squeeze(1)
        order = torch.randperm(len(members), generator=generator(seed, "split", target))
        count = min(max(1, round(fraction * len(members))), len(members) - 1)
        val += members[order[:count]].tolist()
        train += members[order[count:]].tolist()
    return sorted(train), sorted(val)


def random_split(count: int, fraction: float, seed: int) -> tuple[list[int], list[int]]:
    """As `stratified_split`, for targets that are no classes: `fraction` of all samples, and at
    least one on each side where there are two."""
    order = torch.randperm(count, generator=generator(seed, "split"))
    held_out = min(max(1, round(fraction * count)), count - 1)
    return sorted(order[held_out:].tolist()), sorted(order[:held_out].tolist())


@dataclass(frozen=True)
class Sources:
    train: Source
    val: Source | None


def build_sources(
    section: Data,
    folder: Path,
    seed: int,
    *,
    task: Task = "classification",
    ignore_index: int = -100,
) -> Sources:
    """`folder`: what a relative `root` or file of `target` is relative to. `ignore_index`: the
    value of targets that mean "don't know".

    Raises InputError at the key that is wrong. Reads no image, but one to see what a data set of
    torchvision or one's own gives, and all where such a one doesn't tell its targets; masks where
    nothing else tells how many classes there are.
    """
    _check_keys(section, task)
    root = None if section.root is None else folder / Path(section.root).expanduser()
    train: Source
    val: Source | None
    if section.target is not None:
        train, val = custom(section, root, folder, seed, task, ignore_index)
    elif section.dataset == "digits":
        train, val = _digits(section), None
    elif section.dataset == "ImageFolder" and root is not None:
        train, val = _image_folder(section, root)
    elif section.dataset == "ImageMaskFolder" and root is not None:
        train, val = image_mask_folder(section, root, ignore_index)
    elif section.dataset == "ImageTable" and root is not None:
        train, val = image_table(section, root, task, ignore_index)
    else:
        train, val = torchvision_dataset(section, root, seed, task, ignore_index)
    _check_classes(train, val)
    if val is not None or section.val == NO_VALIDATION:
        return Sources(train, val)
    return _split(train, section.val if isinstance(section.val, float) else DEFAULT_FRACTION, seed)


def _split(whole: Source, fraction: float, seed: int) -> Sources:
    if whole.task == "classification" and whole.targets is not None:
        train, val = stratified_split(whole.targets, fraction, seed)
        message = "there is only one sample of each class, so none is left for validation"
    else:
        train, val = random_split(len(whole), fraction, seed)
        message = "there is only one sample, so none is left for validation"
    if not val or not train:
        hint = 'add samples, or write val = "none"'
        raise InputError(Problem(message, key="data.val", hint=hint))
    return Sources(Subset(whole, train), Subset(whole, val))


def _check_keys(section: Data, task: Task) -> None:
    """The task may come from the loss, so that the section by itself can't tell all of this."""
    fitting = TASKS.get(section.dataset) if section.target is None else None
    if fitting is not None and task not in fitting:
        named = f"{section.dataset} is for {' or '.join(fitting)}, not {task}"
        raise InputError(Problem(named, "data.task", "choose the loss or the data set accordingly"))
    only = {"mask_values": "segmentation", "standardize": "regression"}
    problems = [
        Problem(f"is only for a {wanted}, and this is a {task}", f"data.{key}", "take it out")
        for key, wanted in only.items()
        if getattr(section, key) and task != wanted
    ]
    if section.classes is not None and task == "regression":
        hint = "data.targets names the numbers"
        problems.append(Problem("is not for a regression", "data.classes", hint))
    if problems:
        raise InputError(*problems)


def _digits(section: Data) -> Digits:
    for key, name, fine in (
        ("data.train", section.train, section.train == "train"),
        ("data.val", section.val, section.val == NO_VALIDATION or not isinstance(section.val, str)),
    ):
        if not fine:
            message = f'digits has no split "{name}"'
            raise InputError(Problem(message, key, "leave it out, or write val = 0.2"))
    return Digits()


def _image_folder(section: Data, root: Path) -> tuple[Folder, Folder | None]:
    require_folder(root)
    inside = subfolders(root)
    flat = section.train == "train" and not {name.lower() for name in inside} & _SPLIT_NAMES
    train = Folder(root if flat else _split_folder(root, section.train, "data.train"), "data.root")
    if isinstance(section.val, float) or section.val == NO_VALIDATION:
        return train, None
    name = section.val
    if name is None:
        others = (other for other in VAL_NAMES if other in inside and other != section.train)
        name = None if flat else next(others, None)
    if name is None:
        return train, None
    return train, Folder(_split_folder(root, name, "data.val"), "data.val")


def _split_folder(root: Path, name: str, key: str) -> Path:
    if (root / name).is_dir():
        return root / name
    inside = subfolders(root)
    hint = did_you_mean(name, inside) or f"there are: {', '.join(inside[:10]) or 'no folders'}"
    raise InputError(Problem(f'no folder "{name}" in {root}', key, hint))


def _check_classes(train: Source, val: Source | None) -> None:
    if len(train.classes) < 2 and train.task in ("classification", "segmentation"):
        where = f"{train.folder}: " if isinstance(train, Folder) else ""
        hint = {
            Folder: "a classification needs two or more, each in a folder of its own",
            ImageMasks: "write mask_values = [0, 255] if the masks hold these two values",
        }.get(type(train), f"a {train.task} needs two or more")
        raise InputError(
            Problem(
                f"{where}only one class is there: {', '.join(train.classes)}",
                key="data.root" if isinstance(train, _OWN_FILES) else "data.dataset",
                hint=hint,
            )
        )
    if val is None or val.classes == train.classes:
        return
    missing = sorted(set(train.classes) - set(val.classes))
    extra = sorted(set(val.classes) - set(train.classes))
    told = [f"lacks {', '.join(missing[:5])}"] if missing else []
    told += [f"has also {', '.join(extra[:5])}"] if extra else []
    raise InputError(
        Problem(
            f"validation has other classes than training: it {' and '.join(told) or 'orders them'}",
            key="data.val",
            hint="give both the same class folders, or write a fraction such as val = 0.2",
        )
    )

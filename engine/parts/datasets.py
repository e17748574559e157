"""[data] → the training and the validation samples, not yet read.

The choice between the bundled digits, image folders, torchvision's data sets and one's own, and the
split where the data has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from engine.contract.data import NO_VALIDATION, Data
from engine.contract.problems import InputError, Problem, did_you_mean
from engine.parts.named_datasets import custom, torchvision_dataset
from engine.parts.randomness import generator
from engine.parts.sources import Digits, Folder, Source, Subset

VAL_NAMES = ("val", "valid", "validation")
DEFAULT_FRACTION = 0.2
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


@dataclass(frozen=True)
class Sources:
    train: Source
    val: Source | None


def build_sources(section: Data, folder: Path, seed: int) -> Sources:
    """`folder`: what a relative `root` or file of `target` is relative to.

    Raises InputError at the key that is wrong. Reads no image, but one to see what a data set of
    torchvision or one's own gives, and all where such a one doesn't tell its targets.
    """
    root = None if section.root is None else folder / Path(section.root).expanduser()
    train: Source
    val: Source | None
    if section.target is not None:
        train, val = custom(section, root, folder, seed)
    elif section.dataset == "digits":
        train, val = _digits(section), None
    elif section.dataset == "ImageFolder" and root is not None:
        train, val = _image_folder(section, root)
    else:
        train, val = torchvision_dataset(section, root, seed)
    _check_classes(train, val)
    if val is not None or section.val == NO_VALIDATION:
        return Sources(train, val)
    fraction = section.val if isinstance(section.val, float) else DEFAULT_FRACTION
    indices = stratified_split(train.targets, fraction, seed)
    if not indices[1]:
        raise InputError(
            Problem(
                "there is only one sample of each class, so none is left for validation",
                key="data.val",
                hint='add samples, or write val = "none"',
            )
        )
    return Sources(Subset(train, indices[0]), Subset(train, indices[1]))


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
    if not root.is_dir():
        what = "is a file, not a folder" if root.exists() else "does not exist"
        near = _subfolders(root.parent) if root.parent.is_dir() else []
        hint = did_you_mean(root.name, near) or "a relative path is relative to this file"
        raise InputError(Problem(f"{root} {what}", "data.root", hint))
    inside = _subfolders(root)
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
    inside = _subfolders(root)
    hint = did_you_mean(name, inside) or f"there are: {', '.join(inside[:10]) or 'no folders'}"
    raise InputError(Problem(f'no folder "{name}" in {root}', key, hint))


def _subfolders(folder: Path) -> list[str]:
    try:
        inside = [entry.name for entry in folder.iterdir() if entry.is_dir()]
    except PermissionError:
        message = f"no permission to look into {folder}"
        raise InputError(Problem(message, "data.root", "change its permissions")) from None
    return sorted(name for name in inside if not name.startswith("."))


def _check_classes(train: Source, val: Source | None) -> None:
    if len(train.classes) < 2:
        where = f"{train.folder}: " if isinstance(train, Folder) else ""
        raise InputError(
            Problem(
                f"{where}only one class is there: {', '.join(train.classes)}",
                key="data.root" if isinstance(train, Folder) else "data.dataset",
                hint="a classification needs two or more, each in a folder of its own",
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

"""ImageTable: a CSV of images and what they are, have or measure."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from torch import Tensor

from engine.contract.data import NO_VALIDATION, VAL_NAMES, Data
from engine.contract.problems import InputError, Problem, did_you_mean
from engine.contract.tasks import Task
from engine.parts.images import AnyImage
from engine.parts.sources import Target, load_image, name_at, names_array
from engine.parts.table_file import Table, read_table
from engine.parts.table_targets import class_targets, label_targets, number_targets

ENDING = ".csv"
_TOLD = 3  # images that are named, of all that are not there
_FEW = 20  # images of a folder that are looked up one by one


class ImageTable:
    """Images by their paths, relative to the folder of the CSV, and their targets."""

    in_memory, draws = False, False

    def __init__(
        self, folder: Path, images: list[str], targets: Tensor, classes: list[str], task: Task
    ) -> None:
        self.folder, self.targets, self.classes = folder, targets, classes
        self.task: Task = task
        self._names = names_array(images)

    def __len__(self) -> int:
        return len(self._names)

    def read(self, index: int, *, tensor: bool = False) -> tuple[AnyImage, Target]:
        target = self.targets[index]
        image = load_image(self.name(index), tensor=tensor)
        return image, int(target) if self.task == "classification" else target

    def name(self, index: int) -> str:
        return str(self.folder / self.relative_name(index))

    def relative_name(self, index: int) -> str:
        return name_at(self._names, index)

    def files(self, index: int) -> list[Path] | None:
        return [Path(self.name(index))]


def image_table(
    section: Data, root: Path, task: Task, ignore_index: int
) -> tuple[ImageTable, ImageTable | None]:
    """Training and, where there is a CSV for it, validation. No image is read, but each has to be
    there.

    Raises InputError at data.root, data.train, data.val, data.image_column, data.targets,
    data.classes or data.task.
    """
    train_file, val_file = _files(section, root)
    train = _source(read_table(train_file, "data.root"), section, task, ignore_index, None)
    if val_file is None:
        return train, None
    table = read_table(val_file, "data.val")
    return train, _source(table, section, task, ignore_index, train.classes)


def _source(
    table: Table, section: Data, task: Task, ignore_index: int, known: list[str] | None
) -> ImageTable:
    """`known`: the classes of the training samples, which are those of the validation too."""
    image = table.columns[0] if section.image_column is None else section.image_column
    table.check_column(image, "data.image_column")
    columns = section.targets or [name for name in table.columns if name != image]
    for name in columns:
        table.check_column(name, "data.targets")
    if not columns or image in columns:
        message = f'{table.file} has no target beside the image column "{image}"'
        raise InputError(Problem(message, "data.targets", "add a column, or choose image_column"))
    problems: list[Problem] = []
    images = table.column(image)
    try:
        _check_images(table, image, images)
    except InputError as error:  # what is wrong with the targets is told beside it
        problems += error.problems
    try:
        classes, targets = _targets(table, columns, task, known or section.classes, ignore_index)
    except InputError as error:
        raise InputError(*problems, *error.problems) from error
    if problems:
        raise InputError(*problems)
    return ImageTable(table.file.parent, images, targets, classes, task)


def _targets(
    table: Table, columns: list[str], task: Task, chosen: list[str] | None, ignore_index: int
) -> tuple[list[str], Tensor]:
    if task == "multilabel":
        return label_targets(table, columns, chosen)
    if task == "regression":
        return columns, number_targets(table, columns)
    _check_single(table, columns)
    return class_targets(table, columns[0], chosen, ignore_index)


def _check_single(table: Table, columns: list[str]) -> None:
    if len(columns) > 1:
        raise InputError(
            Problem(
                f"{table.file} has {len(columns)} target columns ({', '.join(columns[:8])}), and a "
                "classification has one",
                "data.targets",
                f'write targets = ["{columns[0]}"], or task = "multilabel" for columns of 0 and 1, '
                'or task = "regression" for numbers',
            )
        )


def _check_images(table: Table, column: str, images: list[str]) -> None:
    """Raises InputError for those that are not there. A folder of many is listed once: asking for
    each file takes minutes for a million of them on a network."""
    counts = Counter(os.path.split(name)[0] for name in images)
    listed: dict[str, set[str]] = {}
    for folder, count in counts.items():
        if count > _FEW:
            try:
                with os.scandir(table.file.parent / folder) as entries:
                    listed[folder] = {entry.name for entry in entries}
            except OSError:
                listed[folder] = set()
    missing = []
    for row, name in enumerate(images):
        folder, file = os.path.split(name)
        # Asked for too where the listing spells it otherwise, as macOS and Windows allow.
        # By os, which takes a name that is too long for one that is not there.
        if file in listed.get(folder, ()) or os.path.isfile(table.file.parent / name):  # noqa: PTH113
            continue
        missing.append((row, column, f"there is no image {table.file.parent / name}"))
    hint = f"paths are relative to {table.file.parent}; data.image_column chooses the column"
    if missing and "\\" in images[missing[0][0]] and os.sep == "/":
        hint = "write / between folders, which works everywhere"
    table.refuse(missing, hint)


def _files(section: Data, root: Path) -> tuple[Path, Path | None]:
    """The CSV of the training, and that of the validation where there is one."""
    if root.is_file():
        if section.train not in ("train", root.name, root.stem):
            hint = "leave it out, or write the folder as root"
            raise InputError(Problem(f"{root} is the table already", "data.train", hint))
        train, folder, alone = root, root.parent, True
    elif root.is_dir():
        train, folder, alone = _named(root, section.train, "data.train"), root, False
    else:
        near = did_you_mean(root.name, _inside(root.parent))
        hint = near or "a relative path is relative to this file"
        raise InputError(Problem(f"{root} does not exist", "data.root", hint))
    if isinstance(section.val, str) and section.val != NO_VALIDATION:
        val = _named(folder, section.val, "data.val")
        if val == train:
            hint = "write a fraction such as 0.2"
            raise InputError(Problem("is the training table", "data.val", hint))
        return train, val
    if section.val is not None or alone:
        return train, None
    found = (folder / f"{name}{ENDING}" for name in VAL_NAMES)
    return train, next((file for file in found if file.is_file() and file != train), None)


def _named(folder: Path, name: str, key: str) -> Path:
    for file in (folder / name, folder / f"{name}{ENDING}"):
        if file.is_file():
            return file
    inside = [file for file in _inside(folder) if file.endswith(ENDING)]
    hint = did_you_mean(name, [*inside, *(file.removesuffix(ENDING) for file in inside)])
    hint = hint or f"there are: {', '.join(inside[:10]) or 'no CSV files'}"
    raise InputError(Problem(f"no {name.removesuffix(ENDING)}{ENDING} in {folder}", key, hint))


def _inside(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in os.scandir(folder) if not entry.name.startswith("."))
    except OSError:
        return []

"""Where samples come from: each knows all but the images without reading any."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.datasets import ImageFolder
from torchvision.datasets.folder import IMG_EXTENSIONS

from engine.contract.problems import InputError, Problem, did_you_mean
from engine.contract.tasks import Task
from engine.parts import jpeg
from engine.parts.images import AnyImage

Target = int | Tensor  # a class; (labels,) or (numbers,) float32; a mask (H, W) int32


class Source(Protocol):
    """Samples by their index. All but the images and masks is known without reading any."""

    classes: list[str]  # the names of the classes or labels, or the columns of the numbers
    in_memory: bool  # reading costs nothing but the transforms
    draws: bool  # whether reading runs code that may draw random numbers

    @property
    def task(self) -> Task: ...

    @property
    def targets(self) -> Tensor | None:
        """(N,) int64, each an index into `classes`; (N, labels) float32 of 0 and 1; (N, numbers)
        float32; None for masks, which are read with their images."""
        ...

    def __len__(self) -> int: ...

    def read(self, index: int, *, tensor: bool = False) -> tuple[AnyImage, Target]:
        """The image and its target. `tensor`: the image is wanted as one, and may be, where that is
        decoded sooner. Raises whatever the file or the data set raises."""
        ...

    def name(self, index: int) -> str:
        """For messages: the file's path where there is one."""
        ...

    def relative_name(self, index: int) -> str:
        """The same wherever the data's folder lies."""
        ...

    def files(self, index: int) -> list[Path] | None:
        """All that the sample is read from; none where it always is the same, None where that
        can't be told."""
        ...


class Digits:
    """The bundled 1,797 handwritten digits, 8x8, grey. Origin and license: digits.txt."""

    task: Task = "classification"
    in_memory, draws = True, False

    def __init__(self) -> None:
        with np.load(Path(__file__).with_name("digits.npz")) as file:
            self.images = torch.from_numpy(file["images"]).unsqueeze(1)
            self.targets = torch.from_numpy(file["targets"]).long()
        self.classes = [str(digit) for digit in range(10)]

    def __len__(self) -> int:
        return len(self.images)

    def read(self, index: int, *, tensor: bool = False) -> tuple[AnyImage, int]:
        return self.images[index], int(self.targets[index])

    def name(self, index: int) -> str:
        return f"digits[{index}]"

    relative_name = name

    def files(self, index: int) -> list[Path] | None:
        return []


class _VisibleFolder(ImageFolder):  # type: ignore[misc]
    """ImageFolder, but `.ipynb_checkpoints` is no class and macOS's `._1.jpg` no image."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, allow_empty=True, is_valid_file=_is_image)

    def find_classes(self, directory: str | Path) -> tuple[list[str], dict[str, int]]:
        names, _ = super().find_classes(directory)
        visible = [name for name in names if not name.startswith(".")]
        return visible, {name: index for index, name in enumerate(visible)}


def _is_image(path: str) -> bool:
    return path.lower().endswith(IMG_EXTENSIONS) and not os.path.basename(path).startswith(".")  # noqa: PTH119


class Folder:
    """A folder of images for each class, found by torchvision's ImageFolder."""

    task: Task = "classification"
    in_memory, draws = False, False

    def __init__(self, folder: Path, key: str) -> None:
        try:
            found = _VisibleFolder(folder)
        except OSError as error:
            message = f"{folder} has no class folders in it"
            if not isinstance(error, FileNotFoundError):
                message = f"{folder} can't be read: {error.strerror}"
            hint = f"put the images of each class into a folder of its own: {folder}/cat/1.jpg"
            raise InputError(Problem(message, key, hint)) from error
        self.folder = folder
        self.classes: list[str] = found.classes
        self.targets = torch.tensor(found.targets, dtype=torch.int64)
        self._names = names_array(os.path.relpath(path, folder) for path, _ in found.samples)
        counts = self.targets.bincount(minlength=len(self.classes)).tolist()
        empty = [name for name, count in zip(self.classes, counts, strict=True) if not count]
        if empty:
            message = f"no images in {', '.join(str(folder / name) for name in empty[:5])}"
            hint = "take empty folders away; known: " + ", ".join(IMG_EXTENSIONS)
            raise InputError(Problem(message, key, hint))

    def __len__(self) -> int:
        return len(self._names)

    def read(self, index: int, *, tensor: bool = False) -> tuple[AnyImage, int]:
        return load_image(self.name(index), tensor=tensor), int(self.targets[index])

    def name(self, index: int) -> str:
        return str(self.folder / self.relative_name(index))

    def relative_name(self, index: int) -> str:
        return name_at(self._names, index)

    def files(self, index: int) -> list[Path] | None:
        return [Path(self.name(index))]


def names_array(names: Iterable[str]) -> Any:
    """One array (N,) of bytes, not a list of a million strings: counting references to those would
    make each worker copy, page by page, the memory that it shares with the main process."""
    return np.array([os.fsencode(name) for name in names], dtype=np.bytes_)


def name_at(names: Any, index: int) -> str:
    return Path(os.fsdecode(names[index].item())).as_posix()


def load_image(path: str | Path, *, tensor: bool = False) -> AnyImage:
    """Decoded; with `tensor` as a tensor where that is sooner. Through a file object: Pillow keeps
    a path's file open where decoding fails."""
    with Path(path).open("rb") as file:
        if tensor and (pixels := jpeg.decoded(file)) is not None:
            return pixels
        file.seek(0)
        image = Image.open(file)
        image.load()
    return image


def require_folder(root: Path) -> None:
    """Raises InputError at data.root where there is none."""
    if not root.is_dir():
        what = "is a file, not a folder" if root.exists() else "does not exist"
        near = subfolders(root.parent) if root.parent.is_dir() else []
        hint = did_you_mean(root.name, near) or "a relative path is relative to this file"
        raise InputError(Problem(f"{root} {what}", "data.root", hint))


def subfolders(folder: Path) -> list[str]:
    try:
        inside = [entry.name for entry in folder.iterdir() if entry.is_dir()]
    except PermissionError:
        message = f"no permission to look into {folder}"
        raise InputError(Problem(message, "data.root", "change its permissions")) from None
    return sorted(name for name in inside if not name.startswith("."))


class Subset:
    """Some samples of a source, by their indices."""

    def __init__(self, source: Source, indices: list[int]) -> None:
        self._source = source
        self._indices = np.array(indices, dtype=np.int64)
        self.task: Task = source.task
        self.classes = source.classes
        self.targets = None if source.targets is None else source.targets[self._indices]
        self.in_memory, self.draws = source.in_memory, source.draws

    def __len__(self) -> int:
        return len(self._indices)

    @property
    def whole(self) -> tuple[Source, list[int]]:
        """The source that this is a part of, and which part."""
        return self._source, self._indices.tolist()

    def read(self, index: int, *, tensor: bool = False) -> tuple[AnyImage, Target]:
        return self._source.read(int(self._indices[index]), tensor=tensor)

    def name(self, index: int) -> str:
        return self._source.name(int(self._indices[index]))

    def relative_name(self, index: int) -> str:
        return self._source.relative_name(int(self._indices[index]))

    def files(self, index: int) -> list[Path] | None:
        return self._source.files(int(self._indices[index]))

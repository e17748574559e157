"""ImageMaskFolder: images/ and masks/, paired by their names, for a segmentation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from torch import Tensor

from engine.contract.data import Data
from engine.contract.problems import InputError, Problem, first
from engine.contract.tasks import Task
from engine.parts.images import AnyImage
from engine.parts.mask_folders import Pairs, mask_folders
from engine.parts.masks import MaskCodes, MaskError, check_size
from engine.parts.sources import Target, load_image, name_at
from engine.parts.target_counts import TargetCounts, count_mask, scan, total

_NAMES = "classes = [...] under [data], the names of all of them"


class ImageMasks:
    """Pairs of an image and a mask. `counts`: of each mask, where they are known already."""

    task: Task = "segmentation"
    targets: Tensor | None = None
    in_memory, draws = False, False

    def __init__(
        self,
        pairs: Pairs,
        codes: MaskCodes,
        classes: list[str],
        counts: list[TargetCounts] | None = None,
    ) -> None:
        self.pairs, self.classes = pairs, classes
        self._codes, self._counts = codes, counts

    def __len__(self) -> int:
        return len(self.pairs)

    def read(self, index: int, *, tensor: bool = False) -> tuple[AnyImage, Target]:
        image = load_image(self.name(index), tensor=tensor)
        with self._named(index):
            mask = self._mask(index)
            check_size(image, mask)
        return image, mask

    def counted(self, index: int) -> TargetCounts:
        """Of one mask, which has to have its image's size. May be called by several threads."""
        if self._counts is not None:
            return self._counts[index]
        with self._named(index):
            mask = self._mask(index)
            with Path(self.name(index)).open("rb") as file, Image.open(file) as image:
                check_size(image, mask)  # reads no more than the image's head
        return count_mask(mask)

    def _mask(self, index: int) -> Tensor:
        return self._codes.indices(load_image(self.pairs.masks / self._mask_name(index)))

    def _mask_name(self, index: int) -> str:
        return name_at(self.pairs.mask_names, index)

    @contextmanager
    def _named(self, index: int) -> Iterator[None]:
        try:
            yield
        except MaskError as error:
            place = f"{self.pairs.masks.name}/{self._mask_name(index)}"
            raise MaskError(f"{place}: {error.message}", error.hint) from error

    def name(self, index: int) -> str:
        return str(self.pairs.images / self.relative_name(index))

    def relative_name(self, index: int) -> str:
        return name_at(self.pairs.names, index)

    def files(self, index: int) -> list[Path] | None:
        return [Path(self.name(index)), self.pairs.masks / self._mask_name(index)]


def image_mask_folder(
    section: Data, root: Path, ignore_index: int
) -> tuple[ImageMasks, ImageMasks | None]:
    """Training and, where there is a folder for it, validation. Reads all masks where neither
    `classes` nor `mask_values` tells how many classes there are.

    Raises InputError at data.root, data.train, data.val, data.classes or data.mask_values.
    """
    parts = [Pairs(images, masks, key) for images, masks, key in mask_folders(section, root)]
    names = section.classes
    known: list[list[TargetCounts] | None] = [None] * len(parts)
    if names is None and section.mask_values is not None:
        names = [str(number) for number in range(len(section.mask_values))]
    if names is None:
        codes = MaskCodes(None, None, ignore_index)
        counts = [_scanned(ImageMasks(pairs, codes, []), section) for pairs in parts]
        count = classes_of(total(each for part in counts for each in part), ignore_index)
        names = [str(number) for number in range(count)]
        # Without the unreadable ones, which are left out, they'd be of other samples.
        known = [c if len(c) == len(p) else None for c, p in zip(counts, parts, strict=True)]
    codes = MaskCodes(section.mask_values, len(names), ignore_index)
    train, *val = [
        ImageMasks(pairs, codes, names, counted)
        for pairs, counted in zip(parts, known, strict=True)
    ]
    return train, val[0] if val else None


def _scanned(source: ImageMasks, section: Data) -> list[TargetCounts]:
    return scan(
        source.counted, range(len(source)), source.name, "data.root", section.skip_unreadable
    )


def classes_of(counts: TargetCounts, ignore_index: int, key: str = "data.root") -> int:
    """How many classes there are: the highest value is the last one's number.

    Raises InputError where so few of the numbers occur that a value must mean something else.
    """
    values = [value for value in counts.values.tolist() if value != ignore_index]
    if not values:
        message = f"every pixel of the masks is {ignore_index}, which is ignored"
        raise InputError(Problem(message, key, "look at loss.ignore_index"))
    *rest, highest = values
    if 2 * len(values) >= highest + 1:
        return int(highest) + 1
    shown = first([str(value) for value in values], 10)
    ignore = f'ignore_index = {highest} under [loss] if that means "don\'t know"'
    hints = [f"mask_values = {values} under [data]"] if len(values) <= 10 else [_NAMES]
    dense = len(rest) > 1 and 2 * len(rest) >= rest[-1] + 1  # numbers, but for the highest
    hints = [ignore, *hints] if dense else [*hints, ignore] if rest else hints
    raise InputError(
        Problem(
            f"the masks hold the values {shown}: not the numbers of {highest + 1} classes",
            key,
            "write " + ", or ".join(hints),
        )
    )

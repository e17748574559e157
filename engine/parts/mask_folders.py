"""Where an ImageMaskFolder's images and masks lie, and which belong together."""

from __future__ import annotations

import os
from pathlib import Path

from torchvision.datasets.folder import IMG_EXTENSIONS

from engine.contract.data import NO_VALIDATION, VAL_NAMES, Data
from engine.contract.problems import InputError, Problem, did_you_mean, first
from engine.parts.sources import names_array, require_folder, subfolders

IMAGES, MASKS = "images", "masks"
TOLD = 5  # files that are named, of all those without a partner


class Pairs:
    """The files of images and masks that have the same name but for the ending.

    Raises InputError at `key` for those without a partner.
    """

    def __init__(self, images: Path, masks: Path, key: str) -> None:
        self.images, self.masks = images, masks
        found = {folder: _by_stem(folder, key) for folder in (images, masks)}
        if not found[images]:
            hint = "known: " + ", ".join(IMG_EXTENSIONS)
            raise InputError(Problem(f"no images in {images}", key, hint))
        alone = [
            _alone(these, those, found, key)
            for these, those in ((images, masks), (masks, images))
            if found[these].keys() - found[those].keys()
        ]
        if alone:
            raise InputError(*alone)
        stems = sorted(found[images])
        self.names = names_array(found[images][stem] for stem in stems)
        self.mask_names = names_array(found[masks][stem] for stem in stems)

    def __len__(self) -> int:
        return len(self.names)


def mask_folders(section: Data, root: Path) -> list[tuple[Path, Path, str]]:
    """The folders of images and masks, and the key that chose them: of training, and of validation
    where there are any."""
    require_folder(root)
    train = _split(root, section.train)
    flat = (root / IMAGES, root / MASKS)
    if train is None and section.train == "train" and all(folder.is_dir() for folder in flat):
        chosen = [(*flat, "data.root")]
    elif train is None:
        raise InputError(_no_split(root, section.train, "data.train"))
    else:
        chosen = [(*train, "data.root")]
    if isinstance(section.val, str) and section.val != NO_VALIDATION:
        val = _split(root, section.val)
        if val is None:
            raise InputError(_no_split(root, section.val, "data.val"))
        chosen.append((*val, "data.val"))
    elif section.val is None and train is not None:
        others = (_split(root, name) for name in VAL_NAMES if name != section.train)
        chosen += [(*found, "data.val") for found in others if found is not None][:1]
    return chosen


def _split(root: Path, name: str) -> tuple[Path, Path] | None:
    """Both usual ways to lay them out."""
    for images, masks in (
        (root / name / IMAGES, root / name / MASKS),
        (root / IMAGES / name, root / MASKS / name),
    ):
        if images.is_dir() and masks.is_dir():
            return images, masks
    return None


def _no_split(root: Path, name: str, key: str) -> Problem:
    inside = subfolders(root)
    inside += subfolders(root / IMAGES) if IMAGES in inside else []
    return Problem(
        f'no images and masks of "{name}" in {root}',
        key,
        did_you_mean(name, inside)
        or f"lay them out as {name}/{IMAGES} and {name}/{MASKS}, or {IMAGES}/{name} and "
        f"{MASKS}/{name}; there are: {', '.join(inside[:10]) or 'no folders'}",
    )


def _by_stem(folder: Path, key: str) -> dict[str, str]:
    """The images' names by what is before the ending. Raises InputError for two of the same."""
    found: dict[str, str] = {}
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_file())
    except OSError as error:
        raise InputError(Problem(f"{folder} can't be read: {error.strerror}", key)) from error
    for name in names:
        if name.startswith(".") or not name.lower().endswith(IMG_EXTENSIONS):
            continue
        stem = Path(name).stem
        if stem in found:
            message = f"{folder} holds both {found[stem]} and {name}"
            raise InputError(Problem(message, key, "rename one: images and masks pair by name"))
        found[stem] = name
    return found


def _alone(these: Path, those: Path, found: dict[Path, dict[str, str]], key: str) -> Problem:
    names = [found[these][stem] for stem in sorted(found[these].keys() - found[those].keys())]
    shown = first(names, TOLD)
    return Problem(
        f"{those} lacks the partner of {len(names)} in {these}: {shown}",
        key,
        "a mask has the name of its image, whatever the ending: images/1.jpg and masks/1.png",
    )

"""torchvision's data sets by their names, and one's own function or class."""

from __future__ import annotations

import contextlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torchvision import datasets

from engine.contract.data import NO_VALIDATION, TASKS, VAL_NAMES, Data
from engine.contract.problems import InputError, Problem, did_you_mean
from engine.contract.tasks import Task
from engine.parts.custom import described, load_target
from engine.parts.map_style import MapStyle
from engine.parts.map_targets import shown
from engine.parts.randomness import generators_kept, mix, seed_generators

KNOWN: dict[str, Callable[..., Any]] = {
    name: getattr(datasets, name)
    for name in datasets.__all__
    if inspect.isclass(getattr(datasets, name))
    and name not in ("DatasetFolder", "ImageFolder", "VisionDataset")
}
_OWN_KEYS = {
    "root": "write data.root instead",
    "transform": "write data.augment instead",
    "transforms": "write data.augment instead",
    "target_transform": "targets are used as they are",
    "loader": "it takes a function, which can't be written in the file",
}


def torchvision_dataset(
    section: Data, root: Path | None, seed: int, task: Task, ignore_index: int
) -> tuple[MapStyle, MapStyle | None]:
    """Raises InputError at data.dataset, data.root, data.train, data.val or data.args."""
    name = section.dataset
    if name not in KNOWN:
        hint = did_you_mean(name, [*TASKS, *KNOWN]) or (
            f"{', '.join(TASKS)}, or a class of torchvision.datasets"
        )
        raise InputError(Problem(f'no data set is called "{name}"', "data.dataset", hint))
    build, parameters = KNOWN[name], _parameters(KNOWN[name])
    _check_args(name, section.args, parameters)
    if ("root" in parameters) != (root is not None):
        message = f"{name} needs a folder" if root is None else f"{name} takes no folder"
        hint = 'write root = "data"' if root is None else "take root out"
        raise InputError(Problem(message, "data.root", hint))
    fixed = section.args | ({} if root is None else {"root": root})
    switches = ("train", "split", "image_set")
    switch = next((s for s in switches if s in parameters and s not in section.args), None)

    source_of = _source_of(section, seed, task, ignore_index, draws=False)

    def built(split: str, key: str, names: list[str] | None = None) -> MapStyle:
        keywords = fixed | _switched(name, switch, split, key)
        try:
            with contextlib.redirect_stdout(sys.stderr):  # some tell there that they download
                dataset = _seeded(build, keywords, seed)
        except Exception as error:
            raise InputError(_refusal(name, error, key)) from error
        return source_of(dataset, name, "data.dataset", names)

    train = built(section.train, "data.train")
    if isinstance(section.val, str) and section.val != NO_VALIDATION:
        return train, built(section.val, "data.val", train.classes)
    if section.val is None and switch in ("split", "image_set"):
        for split in VAL_NAMES:
            try:
                return train, built(split, "data.val", train.classes)
            except InputError as error:
                if not _unknown_split(error.__cause__):
                    raise
    return train, None


def custom(
    section: Data, root: Path | None, folder: Path, seed: int, task: Task, ignore_index: int
) -> tuple[MapStyle, MapStyle | None]:
    """One's own function or class. Raises InputError at data.target or data.args."""
    assert section.target is not None
    key = "data.target"
    build = load_target(section.target, folder, key)
    title = section.target.rpartition(":")[2]
    if not callable(build):
        message = f"{title} is {shown(build)}, not a function or a class"
        raise InputError(Problem(message, key))
    parameters = _parameters(build)
    any_name = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    if not any_name:
        _check_args(title, section.args, parameters, reserved={})
    splits = "split" in parameters and "split" not in section.args
    fixed = section.args | ({"root": str(root)} if root is not None else {})
    if root is not None and "root" not in parameters and not any_name:
        raise InputError(Problem(f"{title} takes no `root`", "data.root", "take it out"))

    source_of = _source_of(section, seed, task, ignore_index, draws=True)

    def built(split: str, split_key: str, names: list[str] | None = None) -> MapStyle:
        if not splits and (split_key, split) != ("data.train", "train"):
            message = f'{title} takes no `split`, so there is no "{split}"'
            hint = "give it the parameter split, or write val = 0.2"
            raise InputError(Problem(message, split_key, hint))
        try:
            dataset = _seeded(build, fixed | ({"split": split} if splits else {}), seed)
        except Exception as error:
            raise InputError(Problem(f"{title} fails: {described(error)}", key)) from error
        return source_of(dataset, title, key, names)

    train = built(section.train, "data.train")
    if isinstance(section.val, str) and section.val != NO_VALIDATION:
        return train, built(section.val, "data.val", train.classes)
    if section.val is None and splits:
        return train, built("val", "data.val", train.classes)
    return train, None


def _source_of(
    section: Data, seed: int, task: Task, ignore_index: int, *, draws: bool
) -> Callable[[Any, str, str, list[str] | None], MapStyle]:
    """`names` are those of the training samples, which are believed for masks: a class may be rare
    enough to be in none of the validation's."""
    given = {"draws": draws, "section": section, "task": task, "ignore_index": ignore_index}

    def source_of(dataset: Any, title: str, key: str, names: list[str] | None) -> MapStyle:
        keywords = given | {"names": names if task == "segmentation" else None}
        source: MapStyle = _seeded(MapStyle, keywords, seed, dataset, title, key)
        return source

    return source_of


def _seeded(build: Callable[..., Any], keywords: dict[str, Any], seed: int, *args: Any) -> Any:
    """Called with the generators seeded, the same for training and validation: a `random_split`
    inside it gives disjoint halves. The caller's generators stay as they were."""
    with generators_kept():
        seed_generators(mix(seed, "build"))
        return build(*args, **keywords)


def _parameters(build: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """By name, with those of the base classes where **kwargs passes them on."""
    try:
        own = dict(inspect.signature(build).parameters)
    except ValueError:  # some classes written in C don't tell
        return {}
    found = {name: p for name, p in own.items() if p.kind is not p.VAR_POSITIONAL}
    passed_on = [name for name, p in found.items() if p.kind is p.VAR_KEYWORD]
    if passed_on and inspect.isclass(build) and build.__base__ not in (None, object):
        del found[passed_on[0]]
        return _parameters(build.__base__) | found
    return found


def _check_args(
    name: str,
    args: dict[str, Any],
    parameters: dict[str, inspect.Parameter],
    reserved: dict[str, str] = _OWN_KEYS,
) -> None:
    problems = [
        Problem("is not for data.args", f"data.args.{key}", reserved[key])
        if key in reserved
        else Problem(
            f"{name} has no keyword `{key}`",
            f"data.args.{key}",
            did_you_mean(key, parameters) or f"{name} takes: {', '.join(parameters) or 'none'}",
        )
        for key in args
        if key in reserved or key not in parameters
    ]
    given = {*args, "root", "split", "train"}
    if "split" in parameters and "train" in parameters:
        given -= {"split"}  # EMNIST: `split` is which letters, `train` is which part
    problems += [
        Problem(f"{name} needs `{key}`", f"data.args.{key}", f"write {key} = … under [data.args]")
        for key, parameter in parameters.items()
        if key not in given
        and parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    ]
    if problems:
        raise InputError(*problems)


def _switched(name: str, switch: str | None, split: str, key: str) -> dict[str, Any]:
    """The keyword that chooses training or validation, as this class has it."""
    if switch is None and split == "train":
        return {}
    if switch is None:
        message, hint = f"{name} has no splits", "write a fraction such as val = 0.2"
    elif switch != "train":
        return {switch: split}
    elif split in ("train", "test"):
        return {"train": split == "train"}
    else:
        message, hint = f'{name} has no split "{split}"', 'it has "train" and "test"'
    raise InputError(Problem(message, key, hint))


def _unknown_split(error: BaseException | None) -> bool:
    return isinstance(error, ValueError) and "Unknown value" in str(error)


def _refusal(name: str, error: Exception, split_key: str) -> Problem:
    message = f"torchvision's {name} refuses: {error or type(error).__name__}"
    if _unknown_split(error):
        return Problem(message, split_key, f"write one of them as {split_key.split('.')[1]} = …")
    text = str(error).lower()
    if isinstance(error, OSError) or "not found" in text or "download" in text:
        hint = "write download = true under [data.args], or check the folder"
        return Problem(message, "data.root", hint)
    return Problem(message, "data.args")

"""What may differ between an experiment and the checkpoint that it goes on from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from engine.build import Parts
from engine.contract.problems import InputError, Problem
from engine.contract.toml_file import ExperimentFile

# These change where and how long it trains, and what is kept; the numbers so far stay right.
# `data.root` may have moved: that the samples are the same is checked by their fingerprint.
FREE = (
    "name", "train.epochs", "train.device", "train.channels_last", "train.compile", "data.workers",
    "data.root", "model.weights",
)  # fmt: skip
FREE_SECTIONS = ("checkpoint.",)


def accepted(saved: dict[str, Any], file: ExperimentFile) -> list[str]:
    """What changed, as `key: before → now`. Raises InputError for what would make it wrong."""
    now = file.experiment.model_dump(exclude_none=True)
    changed = list(_differences(saved, now))
    wrong = [
        Problem(
            f"was {before!r} when the checkpoint was written, is {after!r} now",
            key,
            "a resumed run goes on with its own numbers: start a new run, or put it back",
        )
        for key, before, after in changed
        if key not in FREE and not key.startswith(FREE_SECTIONS)
    ]
    if wrong:
        raise InputError(*file.locate(wrong))
    return [f"{key}: {before!r} → {after!r}" for key, before, after in changed]


def same_data(content: dict[str, Any], parts: Parts) -> None:
    """Raises InputError when the samples are not those that the checkpoint was trained on."""
    if content["data"] != parts.data.fingerprint:
        raise InputError(
            Problem(
                "these are not the samples that the run was trained on: files were added, removed"
                " or renamed",
                "data.root",
                "put them back as they were, or start a new run",
            )
        )


def _differences(before: Any, after: Any, key: str = "") -> Iterator[tuple[str, Any, Any]]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted({*before, *after}):
            inner = f"{key}.{name}" if key else name
            yield from _differences(before.get(name), after.get(name), inner)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for position, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _differences(old, new, f"{key}.{position}")
    elif before != after:
        yield key, before, after

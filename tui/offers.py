"""What a key can be set to that has to be looked up: weights, and one's own code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from engine.contract.backbones import BACKBONES
from engine.contract.model import WEIGHTS_SUFFIXES
from tui.form_fields import Choices
from tui.form_model import Row
from tui.own_code import definitions

MOST_FILES = 200  # of one folder; more are no list to choose from


def offered(row: Row, values: Mapping[str, Any], folder: Path) -> Choices:
    """For a row of an experiment in `folder`, with what the file says now. Runs nothing."""
    if row.offers == "weights":
        return tuple(_weights(values.get("model"), folder))
    if row.offers == "targets":
        return tuple(definitions(folder))
    return row.choices


def _weights(model: object, folder: Path) -> Iterator[tuple[str, str]]:
    """Those of the chosen backbone, then files: of model.weights_dir, and beside the experiment."""
    model = model if isinstance(model, Mapping) else {}
    backbone = BACKBONES.get(str(model.get("backbone")))
    if backbone is not None:
        best = backbone.weights[backbone.default]
        yield "DEFAULT", f"the best of them: {backbone.default}, {best.image_size} px"
        for name, pretrained in backbone.weights.items():
            yield name, f"{pretrained.image_size} px, {pretrained.file}"
    yield "none", "random weights"
    kept = model.get("weights_dir")
    own = [Path(kept)] if isinstance(kept, str) and kept else []
    for place in dict.fromkeys((*own, Path())):
        for file in _weight_files(folder / place):
            yield (place / file.name).as_posix(), f"a file, {_size(file)}"


def _weight_files(folder: Path) -> Iterable[Path]:
    try:
        found = sorted(
            path for path in folder.expanduser().iterdir() if path.suffix in WEIGHTS_SUFFIXES
        )
    except OSError:
        return []
    return list(islice(found, MOST_FILES))


def _size(file: Path) -> str:
    try:
        return f"{file.stat().st_size / 1e6:.1f} MB"
    except OSError:
        return "which can't be read"

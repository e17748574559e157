"""What is known of every backbone without importing torch: the table `backbones.json`.

`python -m engine.parts.backbone_table` writes the table from the installed torchvision; a test
holds it against the installed one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import resources


@dataclass(frozen=True, kw_only=True)
class Pretrained:
    """One set of torchvision's weights. Sizes are in pixels, one side of the square."""

    image_size: int
    """The centre crop that these weights were evaluated on."""
    resize_size: int
    """The shorter side that an image is resized to before the crop; segmentation has no crop."""
    file: str
    """The file's name at download.pytorch.org; it carries the beginning of the SHA-256."""


@dataclass(frozen=True, kw_only=True)
class Backbone:
    """One model builder of torchvision. Heads and entries are named as in its `state_dict`."""

    name: str
    task: str
    """What it was trained for: "classification" or "segmentation"."""
    parameters: int
    """At torchvision's own number of classes (1000, or 21), the auxiliary heads included."""
    image_size: int
    """What its default weights were trained for; in pixels, one side."""
    resize_size: int
    smallest: int
    """The smallest image that it takes in training, auxiliary heads included; in pixels."""
    size_argument: str | None
    """The builder's keyword that fixes the image size, for a backbone that takes one size only."""
    heads: tuple[str, ...]
    """The layers whose outputs are the classes: the main one, then the auxiliary ones. Without an
    `aux_weight` all of them are main ones, and the outputs their sum."""
    aux_weight: float
    """The weight of each auxiliary head's loss in its paper or torchvision's own training; 0
    without auxiliary heads."""
    entries: int
    elements: int
    """How many state-dict entries and numbers it has besides heads and `num_batches_tracked`:
    together they tell a file's backbone."""
    default: str
    """The name of the weights that torchvision calls DEFAULT."""
    weights: Mapping[str, Pretrained]

    @property
    def auxiliary(self) -> tuple[str, ...]:
        """The modules that exist for the auxiliary losses only: `aux1`, `AuxLogits`, …"""
        return tuple(head.split(".")[0] for head in self.heads if head not in self.main_heads)

    @property
    def main_heads(self) -> tuple[str, ...]:
        """One, or both of lraspp's, whose outputs are added."""
        return self.heads[:1] if self.aux_weight else self.heads

    @property
    def aux_argument(self) -> str:
        """The builder's keyword that leaves the auxiliary branches out."""
        return "aux_loss" if self.task == "segmentation" else "aux_logits"

    def in_heads(self, entry: str) -> bool:
        """Whether a state-dict entry belongs to a head or to an auxiliary branch."""
        return entry.startswith(tuple(f"{name}." for name in (*self.main_heads, *self.auxiliary)))


class _Table(Mapping[str, Backbone]):
    """Reads the file when first asked: importing the contract stays cheap."""

    @cached_property
    def _rows(self) -> dict[str, Backbone]:
        text = resources.files("engine.contract").joinpath("backbones.json").read_text("utf-8")
        return {row["name"]: _backbone(row) for row in json.loads(text)}

    def __getitem__(self, name: str) -> Backbone:
        return self._rows[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


def _backbone(row: dict[str, object]) -> Backbone:
    weights, heads = row.pop("weights"), row.pop("heads")
    assert isinstance(weights, dict)
    assert isinstance(heads, list)
    pretrained = {name: Pretrained(**values) for name, values in weights.items()}
    return Backbone(weights=pretrained, heads=tuple(heads), **row)  # type: ignore[arg-type]


BACKBONES: Mapping[str, Backbone] = _Table()
"""Every backbone by torchvision's name for it."""

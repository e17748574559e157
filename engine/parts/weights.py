"""Weights compared with the model entry by entry, and copied in.

    download ─┐
              ├─▶ entries: dict[name, tensor] ──▶ copy_into(model) ──▶ WeightsReport
    file ─────┘        (weights_files.py)

`load_state_dict(strict=False)` is not used: it is silent when every entry has a wrong prefix.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from engine.contract.backbones import BACKBONES, Backbone
from engine.contract.problems import few
from engine.parts.weights_files import Entries, refuse

NAMED = 3  # entries in a message


@dataclass(frozen=True, kw_only=True)
class WeightsReport:
    """What of a file went into the model. Only heads and auxiliary branches may differ."""

    source: Path
    sha256: str
    matched: int
    """Entries that were copied."""
    missing: list[str]
    """The model's entries that the file lacks: they keep their random start."""
    unexpected: list[str]
    """The file's entries that the model lacks."""
    reshaped: list[tuple[str, tuple[int, ...], tuple[int, ...]]]
    """Name, shape in the file, shape in the model."""
    head: Literal["kept", "replaced"]
    """Kept where the file's head has as many outputs as the model needs."""

    def describe(self) -> str:
        lines = [
            f"{self.source.name}: {self.matched} entries loaded, head {self.head} "
            f"(sha256 {self.sha256[:8]})"
        ]
        for what, names in (
            ("not in the file", self.missing),
            ("not in the model", self.unexpected),
            ("of another shape", [name for name, _, _ in self.reshaped]),
        ):
            if names:
                lines.append(f"{what}: {few(names, NAMED)}")
        return "\n".join(lines)


def copy_into(
    model: nn.Module,
    entries: Entries,
    row: Backbone,
    source: Path,
    digest: str,
    *,
    partial: bool = False,
) -> WeightsReport:
    """Copies a state dict into a model whose heads already have their final shapes.

    A head that has the same entries and shapes in the file is kept, another one is left as it is.
    Numbers are converted to the model's dtype. `partial`: entries that hold NaN are the source's
    way of leaving them out (torchvision's IMAGENET1K_FEATURES), and count as missing.
    Errors: InputError where anything but a head or an auxiliary branch differs.
    """
    if partial:
        entries = {name: value for name, value in entries.items() if _finite(value)}
    own = model.state_dict()
    replaced = tuple(f"{head}." for head in row.heads if not _same_head(head, entries, own))
    missing = [n for n in own if n not in entries and not n.endswith("num_batches_tracked")]
    unexpected = [n for n in entries if n not in own]
    both = [n for n in entries if n in own]
    reshaped = [
        (n, tuple(entries[n].shape), tuple(own[n].shape))
        for n in both
        if entries[n].shape != own[n].shape
    ]
    wrong = {
        "missing in the file": [n for n in missing if not (partial or row.in_heads(n))],
        "unknown to the model": [n for n in unexpected if not row.in_heads(n)],
        "of another shape": [
            f"{n} {there} in the file, {here} in the model"
            for n, there, here in reshaped
            if not n.startswith(replaced)
        ],
        "of another type": [n for n in both if _other_kind(entries[n], own[n])],
    }
    _refuse_misfits(wrong, entries, own, row, source)
    copied = [n for n in both if not n.startswith(replaced)]
    with torch.no_grad():
        for name in copied:
            own[name].copy_(entries[name])  # own's tensors are the model's, not copies
    return WeightsReport(
        source=source,
        sha256=digest,
        matched=len(copied),
        missing=missing,
        unexpected=unexpected,
        reshaped=reshaped,
        head="replaced" if f"{row.heads[0]}." in replaced else "kept",
    )


def _refuse_misfits(
    wrong: dict[str, list[str]],
    entries: Entries,
    own: Mapping[str, Tensor],
    row: Backbone,
    source: Path,
) -> None:
    """`wrong`: what is the matter → the entries."""
    if any(wrong.values()):
        told = "; ".join(f"{len(v)} {what}: {few(v, NAMED)}" for what, v in wrong.items() if v)
        refuse(f"{source.name} does not fit {row.name}: {told}", _hint(entries, own, row))
    if broken := [n for n in entries if n in own and not _finite(entries[n])]:
        refuse(
            f"{source.name} holds NaN or infinity in {few(broken, NAMED)}",
            "the training that wrote it diverged: take an earlier checkpoint",
        )


def _same_head(head: str, entries: Entries, own: Mapping[str, Tensor]) -> bool:
    def shapes(state: Mapping[str, Tensor]) -> dict[str, torch.Size]:
        return {n: value.shape for n, value in state.items() if n.startswith(f"{head}.")}

    return shapes(entries) == shapes(own)


def _finite(value: Tensor) -> bool:
    return not value.is_floating_point() or bool(value.isfinite().all())


def _other_kind(there: Tensor, here: Tensor) -> bool:
    """Half precision is read into single; quantized or complex numbers are something else."""
    return there.is_floating_point() != here.is_floating_point() or there.is_complex()


def _hint(entries: Entries, own: Mapping[str, Tensor], row: Backbone) -> str:
    for other in BACKBONES.values():
        if other is not row and fingerprint(entries, other) == (other.entries, other.elements):
            return f'the file looks like a {other.name}: write backbone = "{other.name}"'
    first = {name.split(".")[0] for name in entries}
    if len(first) == 1:
        prefix = f"{first.pop()}."
        if sum(n.removeprefix(prefix) in own for n in entries) > len(entries) / 2:
            return f'every entry begins with "{prefix}": save the state dict without it'
    return "write the backbone that the file was saved from, with the same model.args"


def fingerprint(entries: Mapping[str, Tensor], row: Backbone) -> tuple[int, int]:
    """The number of entries and of their elements, without heads and `num_batches_tracked`."""
    sizes = [
        value.numel()
        for name, value in entries.items()
        if not row.in_heads(name) and not name.endswith("num_batches_tracked")
    ]
    return len(sizes), sum(sizes)

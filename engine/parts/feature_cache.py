"""A store for each network, data set and way of preparing images, which later runs find again.

Everything that decides what the features are is in the key, but for the files of the samples, which
each record's mark tells: so a changed image is computed again, and only that.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
import torchvision
from torch import Tensor

from engine.contract.feature_folder import ABOUT, StoreError, cache_folder, make_room
from engine.contract.run_directory import write_atomically
from engine.contract.training import Train
from engine.parts.feature_store import FeatureStore, Field, Layout
from engine.parts.sources import Source

FORMAT = 1  # of the files; another one is another key


def key_of(
    code: str, weights: Iterable[tuple[str, Tensor]], source: Source, facts: Mapping[str, Any]
) -> str:
    """`code`: the calls of the prefix. `facts`: whatever else decides; JSON. Reads all of the
    weights: a second for 1.5 GB."""
    versions = [FORMAT, torch.__version__, torchvision.__version__]
    digest = hashlib.sha256(json.dumps([versions, code, facts], sort_keys=True).encode())
    for name, tensor in weights:
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\0".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())  # type: ignore[arg-type]
    digest.update(f"{type(source).__name__} {len(source)}\0".encode())
    for index in range(len(source)):
        digest.update(source.relative_name(index).encode("utf-8", "surrogateescape") + b"\0")
    return digest.hexdigest()[:32]


def stamps_of(source: Source) -> np.ndarray | None:
    """(samples,) uint32, which changes with the size or the time of a sample's files. None where
    the source can't tell its files."""
    stamps = np.zeros(len(source), dtype=np.uint32)
    for index in range(len(source)):
        files = source.files(index)
        if files is None:
            return None
        text = "".join(map(_stamp, files))
        stamps[index] = zlib.crc32(text.encode())
    return stamps


def _stamp(file: Path) -> str:
    try:
        found = file.stat()
    except OSError:
        return "missing;"
    return f"{found.st_size},{found.st_mtime_ns};"


class Shelf:
    """A store's place on the disk. `layout` is known once the first batch was computed, or from an
    earlier run."""

    def __init__(self, path: Path, stamps: np.ndarray, about: dict[str, Any]) -> None:
        self.path, self.stamps = path, stamps
        self._about = about
        self._held: Any = None

    def found(self) -> tuple[FeatureStore, list[list[int]]] | None:
        """What an earlier run left, with the shapes beside the features."""
        try:
            about = json.loads((self.path / ABOUT).read_bytes())
            layout = _layout(about["layout"])
            return self._open(layout), about["shapes"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError, StoreError):
            return None  # none, or none that can be read: it is made anew

    def made(self, layout: Layout, shapes: list[list[int]]) -> FeatureStore:
        """A new one. Raises StoreError."""
        about = {**self._about, "layout": _as_json(layout), "shapes": shapes}
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            write_atomically(self.path / ABOUT, json.dumps(about).encode())
            return self._open(layout)
        except OSError as error:
            raise StoreError(f"{self.path}: {error.strerror}") from error

    def _open(self, layout: Layout) -> FeatureStore:
        """Held as in use for as long as this process lives."""
        self.close()
        self._held = (self.path / ABOUT).open("rb")
        try:
            fcntl.flock(self._held, fcntl.LOCK_SH)
            os.utime(self.path / ABOUT)
            return FeatureStore(len(self.stamps), layout, self.path, self.stamps)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None


def _as_json(layout: Layout) -> dict[str, Any]:
    fields = [{**asdict(field), "dtype": str(field.dtype)[6:]} for field in layout.fields]
    return {"fields": fields, "stride": layout.stride}


def _layout(given: dict[str, Any]) -> Layout:
    fields = tuple(
        Field(**{**field, "shape": tuple(field["shape"]), "dtype": getattr(torch, field["dtype"])})
        for field in given["fields"]
    )
    return Layout(fields, int(given["stride"]))


@dataclass(frozen=True)
class Limits:
    """Bytes that may be kept in memory by this run, and on the disk by all of them."""

    memory: int
    disk: int

    @classmethod
    def of(cls, train: Train) -> Limits:
        given = train.cache_memory
        memory = psutil.virtual_memory().available // 4 if given is None else int(given)
        return cls(memory, int(train.cache_disk))


def new_store(
    shelf: Shelf | None, layout: Layout, samples: int, shapes: list[list[int]], limits: Limits
) -> FeatureStore:
    """On the disk, else in memory. Raises StoreError where there is no room in either."""
    size = samples * layout.stride
    why = ""
    if shelf is not None and limits.disk:
        try:
            make_room(cache_folder(), limits.disk, size)
            return shelf.made(layout, shapes)
        except StoreError as error:
            why = f"{error}; "
    if size > limits.memory:
        raise StoreError(f"{why}{size / 1e9:.3g} GB are more than may be kept in memory")
    return FeatureStore(samples, layout)

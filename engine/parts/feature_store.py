"""What was computed once of each sample, kept in memory or in a file that later runs share.

A record a sample, all of one length: the tensors one after the other. In a file each record has a
mark: the checksum of its bytes and of the sample's own files' sizes and times. A record without its
mark was never finished (a kill in the middle), one whose checksum differs is damaged, and one whose
files have changed is stale: none of them is there, and whoever needs it computes it again. So two
runs can fill one store at once: both write the same bytes.

What is on the disk is written with `pwrite` into room that was taken before, so that a full disk is
an error, and read by mapping it, so that its pages are the system's to drop.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import xxhash
from torch import Tensor

from engine.contract.feature_folder import MARKS, RECORDS, StoreError

ALIGN = 64  # bytes: a cache line, and a multiple of every type's size


@dataclass(frozen=True)
class Field:
    """One tensor of a record: of one sample, so without the batch dimension."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    channels_last: bool
    offset: int
    bytes: int


@dataclass(frozen=True)
class Layout:
    """How a sample's tensors lie in its record."""

    fields: tuple[Field, ...]
    stride: int
    """Bytes from one record to the next."""

    @classmethod
    def of(cls, tensors: Sequence[Tensor]) -> Layout:
        """`tensors`: (batch, …) each, of any batch."""
        fields, offset = [], 0
        for tensor in tensors:
            size = tensor[:1].numel() * tensor.element_size()
            last = tensor.ndim == 4 and not tensor.is_contiguous()
            last = last and tensor.is_contiguous(memory_format=torch.channels_last)
            fields.append(Field(tuple(tensor.shape[1:]), tensor.dtype, last, offset, size))
            offset += -(-size // ALIGN) * ALIGN
        return cls(tuple(fields), offset)

    def pack(self, tensors: Sequence[Tensor]) -> Tensor:
        """(batch, stride) bytes on the CPU. Waits for the device."""
        rows = torch.zeros(len(tensors[0]), self.stride, dtype=torch.uint8)
        for field, tensor in zip(self.fields, tensors, strict=True):
            tensor = tensor.detach()
            tensor = tensor.permute(0, 2, 3, 1) if field.channels_last else tensor
            flat = tensor.contiguous().cpu().flatten(1) if tensor.ndim > 1 else tensor[:, None]
            rows[:, field.offset : field.offset + field.bytes] = flat.contiguous().view(torch.uint8)
        return rows

    def unpack(self, rows: Tensor) -> tuple[Tensor, ...]:
        """The tensors of (batch, stride) bytes: views of them where one record is one tensor."""
        return tuple(self._field(rows, field) for field in self.fields)

    def _field(self, rows: Tensor, field: Field) -> Tensor:
        part = rows[:, field.offset : field.offset + field.bytes]
        shape = field.shape
        if field.channels_last:
            channels, height, width = shape
            values = part.contiguous().view(field.dtype).view(len(rows), height, width, channels)
            return values.permute(0, 3, 1, 2)
        return part.contiguous().view(field.dtype).view(len(rows), *shape)


class FeatureStore:
    """Records of `samples` samples, in memory, or in the folder `path`.

    `stamps`: (samples,) uint32, which changes with a sample's files; without a `path` not used.
    Processes that are forked later share what is kept, in memory too. Raises StoreError where there
    is no room.
    """

    def __init__(
        self,
        samples: int,
        layout: Layout,
        path: Path | None = None,
        stamps: np.ndarray | None = None,
    ) -> None:
        self.layout, self.path = layout, path
        self.bytes = samples * layout.stride
        self.told: str | None = None  # why writing has ended, if it has
        self._file = -1
        self._seen = np.zeros(samples, dtype=bool)  # written or checked by this process
        if path is None:
            self._rows = _shared(self.bytes).view(samples, layout.stride)
            self._seen = _shared(samples).numpy().view(bool)
            return
        assert stamps is not None
        self._stamps = stamps
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._file = _room(path / RECORDS, self.bytes)
            os.close(_room(path / MARKS, samples * 8))
            mapped = torch.from_file(
                str(path / RECORDS), shared=True, size=self.bytes, dtype=torch.uint8
            )
            self._rows = mapped.view(samples, layout.stride)
            self._marks = np.memmap(path / MARKS, np.uint32, "r+", shape=(samples, 2))
        except (OSError, RuntimeError, ValueError) as error:
            self.close()
            raise StoreError(f"{path}: {getattr(error, 'strerror', None) or error}") from error

    def holds(self, samples: Tensor) -> bool:
        """Whether all of them are there, whole and of the files as they are."""
        numbers = samples.numpy()
        unknown = numbers[~self._seen[numbers]]
        return not len(unknown) or (self._file >= 0 and self._checked(unknown))

    def _checked(self, numbers: np.ndarray) -> bool:
        """Each record is looked at once a run: 0.1 ms a megabyte."""
        marked = (self._marks[numbers, 0] != 0) & (self._marks[numbers, 1] == self._stamps[numbers])
        if not marked.all():
            return False
        for number in numbers.tolist():
            if _checksum(self._rows[number]) != self._marks[number, 0]:
                return False
            self._seen[number] = True
        return True

    def put(self, samples: Sequence[int], tensors: Sequence[Tensor]) -> None:
        """Keep them. Where writing fails nothing more is kept, and `told` says why."""
        if self.told is not None:
            return
        rows = self.layout.pack(tensors)
        if self._file < 0:
            self._rows[torch.as_tensor(samples)] = rows
            self._seen[samples] = True
            return
        try:
            for number, row in zip(samples, rows, strict=True):
                _write(self._file, row, number * self.layout.stride)
                # After the record: what has a mark has been written.
                self._marks[number] = _checksum(row), self._stamps[number]
                self._seen[number] = True
        except OSError as error:
            self.told = f"{self.path}: {error.strerror}"

    def take(self, samples: Tensor, *, views: bool = False) -> tuple[Tensor, ...]:
        """Of what it holds: (batch, …) each, copies that may be changed. `views`: where the samples
        follow each other, not copied, for those who change nothing."""
        if views and bool((samples.diff() == 1).all()):
            return self.layout.unpack(self._rows[int(samples[0]) :][: len(samples)])
        return self.layout.unpack(self._rows.index_select(0, samples))

    def forget(self) -> None:
        """Of a store in memory: it holds nothing any more, for no process."""
        assert self._file < 0
        self._seen[:] = False

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _shared(size: int) -> Tensor:
    """Zeros, in a mapping that a fork shares. It has no name in /dev/shm, which is small in
    containers."""
    try:
        return torch.frombuffer(mmap.mmap(-1, max(1, size)), dtype=torch.uint8)[:size]
    except OSError as error:
        raise StoreError(f"{size / 1e9:.3g} GB of memory: {error.strerror}") from error


def _room(path: Path, size: int) -> int:
    """The file, open, with that much room taken on the disk. Raises OSError where there is none."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if os.fstat(file).st_size < size:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file, 0, size)
            else:  # macOS
                os.ftruncate(file, size)
    except BaseException:
        os.close(file)
        raise
    return file


def _write(file: int, row: Tensor, place: int) -> None:
    data = memoryview(row.numpy())  # type: ignore[arg-type]
    while data:
        written = os.pwrite(file, data, place)
        data, place = data[written:], place + written


def _checksum(row: Tensor) -> int:
    """Never 0, which marks that there is nothing. A quarter of the time of zlib's crc32."""
    return xxhash.xxh3_64_intdigest(memoryview(row.numpy())) & 0xFFFF_FFFF or 1  # type: ignore[arg-type]

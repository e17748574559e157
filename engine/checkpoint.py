"""Checkpoints: written so that a crash at any moment leaves the one before intact.

A file appears under its name only when all of it is on disk: temporary file in the same folder,
flush, fsync, rename, fsync of the folder. Its sha256 stands beside it, in sha256sum's own format.
Between the renames of the two, the hash file names both hashes that may stand there.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

import torch

from engine.contract.events import CheckpointSaved, finite
from engine.contract.problems import InputError, Problem
from engine.contract.run_directory import RunDirectory, sync_folder, write_atomically
from engine.recorder import Recorder


@dataclass
class Progress:
    """Where the training is: the place in the epoch, and what is kept of the way here.

    `epoch`, `batch` and `step` are those to come. `kept`: [metric, step, file name] of the best.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    best: float | None = None
    best_step: int | None = None
    kept: list[list[Any]] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    all_ignored: int = 0  # steps without a target that counts
    scaler_skipped: int = 0

    def state_dict(self) -> dict[str, Any]:
        return asdict(self)


def epoch_file(epochs: int) -> str:
    """The name of the checkpoint after that many epochs."""
    return f"epoch-{epochs:04d}.pt"


class HashingFile:
    """What torch.save writes to: hashed on the way, so that a gigabyte is not read again."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.hash, self.bytes = file, hashlib.sha256(), 0

    def write(self, data: Any) -> int:
        self.hash.update(data)
        self.bytes += len(data)
        return self.file.write(data)

    def flush(self) -> None:
        self.file.flush()


@dataclass(frozen=True)
class Written:
    """A complete file that has no name yet."""

    path: Path
    sha256: str
    bytes: int


def write(folder: Path, content: dict[str, Any]) -> Written:
    """Write a checkpoint under a temporary name. Raises OSError, and leaves nothing then."""
    temporary = folder / f".checkpoint.{os.getpid()}.tmp"
    try:
        with temporary.open("wb") as file:
            hashing = HashingFile(file)
            torch.save(content, hashing)  # type: ignore[arg-type]  # it only writes and flushes
            file.flush()
            os.fsync(file.fileno())
    except (OSError, RuntimeError) as error:
        temporary.unlink(missing_ok=True)
        # torch's zip writer turns a failed write into a RuntimeError of its own.
        raise error if isinstance(error, OSError) else OSError(0, str(error)) from error
    return Written(temporary, hashing.hash.hexdigest(), hashing.bytes)


def install(written: Written, path: Path) -> None:
    """Give the file one more name, atomically: a hard link, or a copy where there are none."""
    link = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    link.unlink(missing_ok=True)
    try:
        os.link(written.path, link)
    except OSError:
        link.write_bytes(written.path.read_bytes())
        with link.open("rb+") as file:
            os.fsync(file.fileno())
    earlier = _hashes(path)
    write_atomically(_hash_file(path), _hash_lines(path, {*earlier, written.sha256}))
    link.replace(path)
    sync_folder(path.parent)
    write_atomically(_hash_file(path), _hash_lines(path, {written.sha256}))


def _hash_file(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _hash_lines(path: Path, hashes: set[str]) -> bytes:
    return "".join(f"{value}  {path.name}\n" for value in sorted(hashes)).encode()


def _hashes(path: Path) -> set[str]:
    try:
        return {line.split()[0] for line in _hash_file(path).read_text().splitlines() if line}
    except FileNotFoundError:
        return set()


def intact(path: Path) -> bool:
    """Whether the file is what was written: reads all of it."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() in _hashes(path)
    except OSError:
        return False


def remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    _hash_file(path).unlink(missing_ok=True)


def moved(path: Path, folder: Path) -> None:
    """To another folder of the same file system, its sha256 with it."""
    if _hash_file(path).exists():
        _hash_file(path).rename(folder / _hash_file(path).name)
    path.rename(folder / path.name)


def load(path: Path) -> dict[str, Any]:
    """A checkpoint's content, on the CPU. Nothing in it is run."""
    content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return content


@dataclass(frozen=True)
class Found:
    """The checkpoint to go on from, and the damaged ones that were passed over for it."""

    path: Path
    content: dict[str, Any]
    damaged: list[Path]


def newest_intact(run: RunDirectory) -> Found | None:
    """None for a run that was killed before its first checkpoint.

    Raises InputError when there are checkpoints and none is intact.
    """
    last = run.checkpoints / "last.pt"
    if intact(last):
        return Found(last, load(last), [])
    there = sorted(run.checkpoints.glob("*.pt"))
    damaged = [path for path in there if path == last or not intact(path)]
    found = [Found(path, load(path), damaged) for path in there if path not in damaged]
    if found:
        return max(found, key=lambda one: int(one.content["progress"]["step"]))
    if not damaged:
        return None
    names = ", ".join(path.name for path in damaged)
    raise InputError(
        Problem(
            f"every checkpoint of {run.id} is damaged ({names}): their sha256 is another",
            "RUN",
            f"start it again: ptrain run {run.experiment}",
        )
    )


class Keeper:
    """Decides what is kept: `last`, `best`, and the best `keep` epochs."""

    def __init__(self, run: RunDirectory, recorder: Recorder, *, keep: int, better: str) -> None:
        self.run, self.recorder, self.keep, self.better = run, recorder, keep, better
        for leftover in run.checkpoints.glob(".*.tmp"):  # of an engine that was killed
            leftover.unlink(missing_ok=True)

    def rank(self, progress: Progress, metric: float | None) -> tuple[bool, bool]:
        """Enter an epoch's metric into `progress`. Gives (is it the best, is it one to keep)."""
        if metric is None or finite(metric) is None:
            return False, False
        is_best = progress.best is None or self._before(metric, progress.best)
        if is_best:
            progress.best, progress.best_step = metric, progress.step
        row = [metric, progress.step, epoch_file(progress.epoch)]
        # Of equal ones the earlier stays: sorting is stable, and less training is less to trust.
        sign = 1 if self.better == "min" else -1
        kept = sorted([*progress.kept, row], key=lambda entry: sign * entry[0])
        progress.kept = kept[: self.keep]
        return is_best, row in progress.kept

    def _before(self, metric: float, other: float) -> bool:
        return metric < other if self.better == "min" else metric > other

    def save(
        self,
        content: dict[str, Any],
        progress: Progress,
        metric: float | None,
        names: dict[str, str],
    ) -> frozenset[str]:
        """Write one file under `names` (kind → file name), in their order, and announce each as
        soon as it is there. Gives the kinds that are; `progress` is what is in `content`.

        Where the disk refuses, that is not all of them, with a warning written: what it did not
        come to is as it was.
        """
        there: set[str] = set()
        try:
            written = write(self.run.checkpoints, content)
            try:
                for kind, name in names.items():
                    install(written, self.run.checkpoints / name)
                    self._announce(written, progress, metric, kind, name)
                    there.add(kind)
            finally:
                written.path.unlink(missing_ok=True)
        except OSError as error:
            self.recorder.warn(
                f"no checkpoint at step {progress.step}: {error.strerror or error}",
                str(self.run.checkpoints),
                "make room on that disk; the checkpoint before is intact, the training goes on",
            )
        else:
            # What `last` names stays until there is a later one, which a killed run goes on from.
            if "last" in names:
                self._prune(progress)
        return frozenset(there)

    def _announce(
        self, written: Written, progress: Progress, metric: float | None, kind: str, name: str
    ) -> None:
        self.recorder.write(
            CheckpointSaved(
                time=self.recorder.clock(),
                step=progress.step,
                epoch=progress.epoch,
                path=f"checkpoints/{name}",
                kind=kind,
                metric=None if metric is None else finite(metric),
                sha256=written.sha256,
                bytes=written.bytes,
            )
        )

    def _prune(self, progress: Progress) -> None:
        keep = {row[2] for row in progress.kept}
        for path in self.run.checkpoints.glob("epoch-*.pt"):
            if path.name not in keep:
                remove(path)

"""One side of the training whose frozen layers are computed once: their outputs, kept as they come.

In the first epoch a batch is read and goes through the prefix, and what comes out is kept. From
then on it is taken from there. After the first batches it is decided whether that pays.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from engine.contract.feature_folder import StoreError
from engine.contract.problems import few
from engine.parts.batches import Batch, Data
from engine.parts.compiling import Forward
from engine.parts.device import placed
from engine.parts.feature_cache import Limits, Shelf, new_store
from engine.parts.feature_store import FeatureStore, Layout
from engine.parts.frozen_split import FrozenSplit, shape_only
from engine.parts.reading import Samples, one_thread

TRIED = 3  # batches that are measured before it is decided whether keeping pays
PAYS = 0.8  # of the time that computing takes: what taking may take
# Relative: one sample alone against the same one in its batch, by other kernels. A GPU computes
# convolutions in TF32, with the 10 bits of fp16; what mixes samples differs by about 1.
SAME, SAME_IN_10_BITS = 1e-4, 0.05


class Tried(NamedTuple):
    """A batch of the first ones: how long it was waited for, and how long it took to compute."""

    numbers: Tensor
    seconds: float
    waited: float


class Side:
    """Training or validation: `Kept` for the data, and in the model's place for the loop.

    `said`: what was decided and why, for a person; changes at most twice.
    """

    def __init__(
        self,
        split: FrozenSplit,
        data: Data,
        samples: Samples,
        device: torch.device,
        autocast: AbstractContextManager[object],
        shelf: Shelf | None,
        limits: Limits,
        always: bool,
        channels_last: bool = False,
        forward: Callable[[nn.Module], Forward] = lambda module: module,
    ) -> None:
        self._split, self._samples = split, samples
        self._inputs, self._workers = data.inputs, data.workers
        self._device, self._autocast, self._channels_last = device, autocast, channels_last
        # What is run once is not compiled, unless it turns out that it isn't run only once.
        self._forward, self._tail = forward, forward(split.tail)
        self._prefix: Forward = split.prefix
        self._shelf, self._limits = shelf, limits
        self._views = samples.views or 1
        self._masks = samples.source.targets is None
        self._trial: list[Tried] | None = None if always else []
        self._waited, self._epoch = 0.0, 0
        # Whether the tail works in place on what it is given; if not, it is given what is kept.
        # Unknown at first. Other devices are given a copy at any rate.
        self._in_place: bool | None = None if device.type == "cpu" else False
        self._store: FeatureStore | None = None
        self._shapes: list[list[int]] = []
        self._over = False
        self.said = ""
        if shelf is not None and (found := shelf.found()):
            self._store, self._shapes = found
            self._trial = None
            self.said = f"{self._where()}: kept by an earlier run"

    # For the data

    def holds(self, epoch: int, indices: Tensor) -> bool:
        return self._store is not None and self._store.holds(self._numbers(epoch, indices))

    def batch(self, epoch: int, indices: Tensor) -> Batch:
        assert self._store is not None
        features = self._store.take(self._numbers(epoch, indices), views=self._in_place is False)
        targets = self._samples.source.targets
        chosen = features[-1].long() if targets is None else targets.index_select(0, indices)
        features = features[:-1] if targets is None else features
        if self._device.type == "cuda":
            features = tuple(feature.pin_memory() for feature in features)
            chosen = chosen.pin_memory()
        return Batch(torch.empty(0), chosen, indices.tolist(), [], features)

    def _numbers(self, epoch: int, indices: Tensor) -> Tensor:
        view = epoch % self._views if epoch >= 0 else 0
        return indices + view * len(self._samples.source)

    def timed(self, epoch: int, batches: Iterator[Batch]) -> Iterator[Batch]:
        """The batches; how long each was waited for is a part of what keeping would save."""
        self._epoch = epoch
        while True:
            began = time.perf_counter()
            batch = next(batches, None)
            self._waited = time.perf_counter() - began
            if batch is None:
                return
            yield batch

    # For the loop

    def forward(self, batch: Batch, *, again: bool = False) -> Any:
        """What the model gives of a batch. `again`: it may be asked for more than once, and the
        tail may work in place."""
        features = self._features(batch)
        if again:
            features = [feature.clone() for feature in features]
        elif self._in_place is None and batch.features is not None:
            return self._watched(features, len(batch.features))
        with self._autocast:
            return self._tail(*features)

    def _watched(self, features: Sequence[Tensor], count: int) -> Any:
        """What the tail gives, of copies of the first `count`, which tell whether it changes them:
        torch counts the changes of each tensor, but of those made in inference mode."""
        with torch.inference_mode(False):
            copies = [feature.clone() for feature in features[:count]]
        before = [copy._version for copy in copies]
        with self._autocast:
            output = self._tail(*copies, *features[count:])
        self._in_place = before != [copy._version for copy in copies]
        return output

    def _features(self, batch: Batch) -> Sequence[Tensor]:
        if batch.features is not None:
            count = len(batch.features[0])
            sizes = [shape_only((count, *shape)) for shape in self._shapes]
            moved = [self._placed(part) for part in batch.features]
            return [*moved, *sizes]
        began = time.perf_counter()
        inputs = self._inputs(batch, self._device, channels_last=self._channels_last)
        made: tuple[Tensor, ...] = self._run(inputs)
        if not self._over:
            self._keep(batch, inputs, made, began)
        count = self._split.features
        return [*made[:count], *(shape_only(part.shape) for part in made[count:])]

    def _placed(self, tensor: Tensor) -> Tensor:
        return placed(tensor, self._device, self._channels_last)

    def _run(self, inputs: Tensor) -> tuple[Tensor, ...]:
        with torch.no_grad(), self._autocast:
            made: tuple[Tensor, ...] = self._prefix(inputs)
        return made

    def _keep(self, batch: Batch, inputs: Tensor, made: tuple[Tensor, ...], began: float) -> None:
        features = list(made[: self._split.features])
        if batch.unreadable or not len(batch.indices):
            return
        if self._trial is not None and self._device.type == "cuda":
            torch.cuda.synchronize(self._device)  # for the first batches, which are measured
        seconds = time.perf_counter() - began
        if self._masks:
            features.append(batch.targets.to(torch.int32))
        numbers = self._numbers(self._epoch, torch.tensor(batch.indices))
        if self._store is None and not self._open(inputs, made, features):
            return
        self.said = self.said or self._once()
        assert self._store is not None
        self._store.put(numbers.tolist(), features)
        if self._store.told is not None:
            self._end(self._store.told, drop=False)
        elif self._trial is not None:
            self._trial.append(Tried(numbers, seconds, self._waited))
            if len(self._trial) == TRIED:
                self._decide()

    def _open(self, inputs: Tensor, made: tuple[Tensor, ...], features: list[Tensor]) -> bool:
        alone = self._run(inputs[:1])
        if not all(map(_of_one, made, alone)):
            self._end("the frozen layers mix the samples of a batch")
            return False
        layout = Layout.of(features)
        self._shapes = [list(part.shape[1:]) for part in made[self._split.features :]]
        count = len(self._samples.source) * self._views
        try:
            self._store = new_store(self._shelf, layout, count, self._shapes, self._limits)
        except StoreError as error:
            self._end(str(error))
            return False
        return True

    def _decide(self) -> None:
        """Taking against reading and computing, of the very batches that were just computed."""
        assert self._trial is not None
        count = sum(len(tried.numbers) for tried in self._trial)
        taking = min(self._taking(), self._taking())  # at first its pages are looked up
        reading = max(sum(tried.waited for tried in self._trial), count * self._read_ahead())
        computing = reading + sum(tried.seconds for tried in self._trial)
        self._trial = None
        told = (
            f"{1000 * computing / count:.3g} ms a sample to compute, "
            f"{1000 * taking / count:.3g} ms to take"
        )
        if taking > PAYS * computing:
            self._end(f"it would not pay: {told}")
        else:
            self.said = f"{self._once()} ({told})"

    def _taking(self) -> float:
        """Seconds for all that was tried."""
        assert self._store is not None
        began = time.perf_counter()
        for tried in self._trial or ():
            for part in self._store.take(tried.numbers):
                part.to(self._device)
        return time.perf_counter() - began

    def _read_ahead(self) -> float:
        """Seconds that a sample takes of the workers together. At the beginning they are ahead, and
        nothing is waited for: so one sample is read here."""
        if not self._workers or not self._trial:
            return 0.0
        index = int(self._trial[0].numbers[0]) % len(self._samples.source)
        began = time.perf_counter()
        with one_thread():
            self._samples[self._epoch, [index]]
        return (time.perf_counter() - began) / self._workers

    def _once(self) -> str:
        assert self._store is not None
        return f"{self._where()}: computed once, {self._store.bytes / 1e6:.3g} MB"

    def _where(self) -> str:
        return f"frozen up to {few(list(self._split.last), 3)}"

    def _end(self, why: str, *, drop: bool = True) -> None:
        self._over, self._trial = True, None  # nothing is kept any more
        self._prefix = self._forward(self._split.prefix)
        self.said = f"{self._where()}, not kept: {why}"
        if drop and self._store is not None:
            self._store.close()
            self._store = None

    def forget(self) -> None:
        """What is kept in memory is to be computed again."""
        if self._store is not None:
            self._store.forget()

    def close(self) -> None:
        if self._store is not None:
            self._store.close()
        if self._shelf is not None:
            self._shelf.close()


def _of_one(whole: Tensor, alone: Tensor) -> bool:
    """Whether a sample's values are in the first dimension, and don't depend on the others."""
    if alone.ndim == 0 or len(alone) != 1 or whole.shape[1:] != alone.shape[1:]:
        return False
    if len(whole) == 0 or not alone.is_floating_point():
        return len(whole) > 0
    difference = (whole[:1].float() - alone.float()).norm()
    exact = alone.dtype == torch.float32 and alone.device.type == "cpu"
    tolerance = SAME if exact else SAME_IN_10_BITS
    return bool(difference <= tolerance * alone.float().norm() + 1e-12) or not bool(
        alone.isfinite().all()
    )

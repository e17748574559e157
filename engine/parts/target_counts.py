"""How often each target occurs; of masks, by reading them all once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from engine.contract.problems import InputError, Problem
from engine.parts.masks import MaskError
from engine.parts.randomness import generators_kept, mix, seed_generators
from engine.parts.reading import why
from engine.parts.sources import Source, Subset

AT_ONCE = 256  # masks that are waited for together: a million futures would be a gigabyte
TOLD = 3  # masks that are named, of all those that are wrong
WIDEST = 2**20  # values between the lowest and the highest that are counted by a table


class TargetCounts(NamedTuple):
    """Every value that occurs among the training targets, the ignored ones too."""

    values: Tensor  # (V,) int64, ascending, distinct
    counts: Tensor  # (V,) int64: samples, or pixels of masks


@runtime_checkable
class MaskFiles(Protocol):
    """A source whose masks can be counted without their images, and by several threads."""

    def counted(self, index: int) -> TargetCounts:
        """Of one mask. Raises as `read` does."""
        ...


def target_counts(
    source: Source, *, key: str, seed: int = 0, skip_unreadable: bool = False
) -> TargetCounts:
    """Of a classification or a segmentation. Masks are all read, by as many threads as there are
    cores; what is drawn by one's own code is drawn as in the first epoch.

    Raises InputError at `key`, which names the first masks that are wrong; with `skip_unreadable`
    those that can't be read are left out.
    """
    if source.targets is not None:
        values, counts = torch.unique(source.targets.long(), return_counts=True)
        return TargetCounts(values, counts)
    whole, indices = source.whole if isinstance(source, Subset) else (source, range(len(source)))
    if isinstance(whole, MaskFiles):
        return total(scan(whole.counted, indices, whole.name, key, skip_unreadable))
    with generators_kept():  # one's own code: nothing says that threads may call it

        def drawn(index: int) -> TargetCounts:
            seed_generators(mix(seed, 0, index))
            return count_mask(source.read(index)[1])

        each = range(len(source))
        return total(scan(drawn, each, source.name, key, skip_unreadable, threads=1))


def total(counted: Iterable[TargetCounts]) -> TargetCounts:
    """The sum over several masks."""
    sums: dict[int, int] = {}
    for values, counts in counted:
        for value, count in zip(values.tolist(), counts.tolist(), strict=True):
            sums[value] = sums.get(value, 0) + count
    present = sorted(sums)
    counts_of = [sums[value] for value in present]
    return TargetCounts(torch.tensor(present).long(), torch.tensor(counts_of).long())


def count_mask(mask: int | Tensor) -> TargetCounts:
    """Of one mask, (H, W) int32. By a table: 5 ns a pixel, where sorting takes 30."""
    pixels = np.asarray(mask).ravel()
    lowest = int(pixels.min())
    if int(pixels.max()) - lowest < WIDEST:
        counts = np.bincount(pixels - lowest)
        values = counts.nonzero()[0]
        counts = counts[values]
        values = values + lowest
    else:
        values, counts = np.unique(pixels, return_counts=True)
    return TargetCounts(
        torch.from_numpy(values.astype(np.int64)), torch.from_numpy(counts.astype(np.int64))
    )


def scan(
    counted: Callable[[int], TargetCounts],
    indices: Iterable[int],
    name: Callable[[int], str],
    key: str,
    skip_unreadable: bool,
    threads: int | None = None,
) -> list[TargetCounts]:
    """Each mask's counts, in order. Raises InputError as `target_counts` does."""
    found: list[TargetCounts] = []
    wrong: list[Problem] = []
    count = 0

    def tried(index: int) -> TargetCounts | Exception:
        try:
            return counted(index)
        except Exception as error:  # decoders, and people's own code, raise all there is
            return error

    everything = list(indices)
    with ThreadPoolExecutor(threads or min(8, os.cpu_count() or 1)) as pool:
        for at in range(0, len(everything), AT_ONCE):
            part = everything[at : at + AT_ONCE]
            for index, result in zip(part, pool.map(tried, part), strict=True):
                if isinstance(result, TargetCounts):
                    found.append(result)
                elif isinstance(result, MaskError) or not skip_unreadable:
                    count += 1
                    wrong += [_told(name(index), result, key)] if count <= TOLD else []
    if count > TOLD:
        wrong.append(Problem(f"and {count - TOLD} more masks are wrong", key))
    if wrong:
        raise InputError(*wrong)
    return found


def _told(name: str, error: Exception, key: str) -> Problem:
    if isinstance(error, MaskError):
        return Problem(f"{name}: {error.message}", key, error.hint)
    return Problem(f"{name}: {why(error)}", key, "write skip_unreadable = true to go on without")

"""Seeds that depend on what is drawn, never on when or in which process it is drawn."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def mix(*parts: int | str) -> int:
    """A seed of 63 bits for each list of parts, such as `(seed, epoch, index)`: near lists give
    unrelated seeds, which sums and products don't. About 2 µs."""
    text = "\x1f".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") >> 1


def generator(*parts: int | str) -> torch.Generator:
    """A generator of its own, seeded by `mix(*parts)`."""
    return torch.Generator().manual_seed(mix(*parts))


def seed_generators(seed: int) -> None:
    """Seed the global generators that transforms and people's own data sets draw from.

    Not by `torch.manual_seed`, which would seed the GPUs' generators too. About 8 µs.
    """
    torch.default_generator.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed & 0xFFFFFFFF)


@contextmanager
def generators_kept() -> Iterator[None]:
    """The global generators are as before afterwards, whatever was drawn within. About 40 µs."""
    kept = torch.default_generator.get_state(), random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        torch.default_generator.set_state(kept[0])
        random.setstate(kept[1])
        np.random.set_state(kept[2])

"""What a training step costs more under the engine than in a loop written by hand.

    uv run python benchmarks/step_overhead.py [--repeats N] [--profile]

The same model, data, seed and order of samples on the CPU, on one thread. The engine runs whole:
every step's event goes to a run directory, the recorder's thread writes, requests are looked for,
the learning rate is scheduled. By hand there is nothing of that. The contenders take turns, and the
medians are compared; the time is that from the end of the first step to the end of the last one,
so that building and the checkpoint at the end are left out. `CPU` is the time of the process on
all its threads, which other programs on the machine disturb less. Afterwards the weights have to
be the same, bit by bit.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import importlib.util
import pstats
import statistics
from functools import partial

import torch
from step_loops import (
    BATCH,
    Contender,
    Digits,
    Result,
    by_hand,
    loaded,
    selected,
    with_the_engine,
)
from torch import Tensor

# The widths of the hidden layers, and the epochs (of 57 steps) of one repetition.
SIZES: dict[str, tuple[list[int], int]] = {
    "small": ([64], 40),
    "medium": ([512, 256], 20),
    "large": ([1024, 768], 8),
}

HAS_LIGHTNING = importlib.util.find_spec("lightning") is not None


def contenders(digits: Digits, widths: list[int], epochs: int) -> dict[str, Contender]:
    chosen: dict[str, Contender] = {
        "by hand, index_select": partial(by_hand, widths, epochs, partial(selected, digits)),
        "by hand, DataLoader": partial(loaded, digits, widths, epochs),
        "engine": partial(with_the_engine, digits, widths, epochs),
    }
    if HAS_LIGHTNING:
        from step_lightning import with_lightning

        chosen["PyTorch Lightning"] = partial(with_lightning, digits, widths, epochs)
    return chosen


def measure(runs: dict[str, Contender], repeats: int) -> dict[str, list[Result]]:
    """By turns. Every one's weights have to be the first one's."""
    results: dict[str, list[Result]] = {name: [] for name in runs}
    expected: Tensor | None = None
    for _ in range(repeats):
        for name, run in runs.items():
            gc.collect()
            result = run()
            results[name].append(result)
            expected = result.weights if expected is None else expected
            assert torch.equal(result.weights, expected), f"{name} computes other numbers"
    return results


def print_rows(size: str, results: dict[str, list[Result]]) -> None:
    """Medians; the differences are of one turn each, before the median is taken."""
    base = results["by hand, index_select"]
    for name, own in results.items():
        wall = statistics.median(one.wall for one in own)
        cpu = statistics.median(one.cpu for one in own)
        row = f"{size:8}{name:24}{wall:10.3f}{wall / statistics.median(b.wall for b in base):8.3f}"
        row += f"{_more([one.wall for one in own], [b.wall for b in base]):+9.1f}{cpu:12.3f}"
        row += f"{cpu / statistics.median(b.cpu for b in base):8.3f}"
        print(row + f"{_more([one.cpu for one in own], [b.cpu for b in base]):+9.1f}")


def _more(own: list[float], base: list[float]) -> float:
    """µs a step more than by hand in the same turn."""
    return 1000 * statistics.median(a - b for a, b in zip(own, base, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--profile", action="store_true", help="where the small model's time goes")
    options = parser.parse_args()
    torch.set_num_threads(1)
    digits = Digits.load()
    if options.profile:
        profile = cProfile.Profile()
        with_the_engine(digits, *SIZES["small"], profile)
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)
        return
    print(f"torch {torch.__version__}, batches of {BATCH}, medians of {options.repeats}")
    print(f"{'model':8}{'loop':24}{'ms a step':>10}{'ratio':>8}{'µs more':>9}", end="")
    print(f"{'CPU ms':>12}{'ratio':>8}{'µs more':>9}")
    for size, (widths, epochs) in SIZES.items():
        print_rows(size, measure(contenders(digits, widths, epochs), options.repeats))
    if not HAS_LIGHTNING:
        print("PyTorch Lightning: not installed")


if __name__ == "__main__":
    main()

"""What a training step costs more under the engine than in a loop written by hand.

    uv run python benchmarks/step_overhead.py [--repeats N] [--profile]

The same model, data, seed and order of samples on the CPU, on one thread. The engine runs whole:
every step's event goes to a run directory, the recorder's thread writes, requests are looked for,
the learning rate is scheduled. By hand there is nothing of that. The contenders take turns.

`a step` is the median over all steps of all turns, which a busy machine disturbs least. `in all` is
the time from the first step's end to the last one's, by the number of steps: the ends of the epochs
(of 57 steps only) and what the recorder's thread takes from the loop are in it; the median over the
turns. Afterwards the weights have to be the same, bit by bit.
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
    """A row for each loop, compared with the first."""
    base = results["by hand, index_select"]
    for name, own in results.items():
        row = f"{size:8}{name:24}"
        for figure in (typical, in_all):
            mine, theirs = figure(own), figure(base)
            row += f"{mine:10.3f}{mine / theirs:8.3f}{1000 * (mine - theirs):+9.1f}"
        print(row, flush=True)


def typical(results: list[Result]) -> float:
    """ms: the median over every step."""
    return statistics.median(step for result in results for step in result.steps)


def in_all(results: list[Result]) -> float:
    """ms a step: the median over the turns' means."""
    return statistics.median(statistics.fmean(result.steps) for result in results)


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
    columns = "".join(f"{name:>10}{'ratio':>8}{'µs more':>9}" for name in ("ms a step", "in all"))
    print(f"{'model':8}{'loop':24}{columns}")
    for size, (widths, epochs) in SIZES.items():
        print_rows(size, measure(contenders(digits, widths, epochs), options.repeats))
    if not HAS_LIGHTNING:
        print("PyTorch Lightning: not installed")


if __name__ == "__main__":
    main()

"""ptrain against a loop by hand, PyTorch Lightning, timm and fastai: the same work, side by side.

    uv run python benchmarks/run.py [--only frozen,layer4] [--root DATA --weights FILE]
    uv run --with lightning --with timm --with fastai python benchmarks/run.py

DATA holds train/ and val/ with a folder for each class; without it, JPEG files of the number and
size of PyTorch's ants and bees are drawn. FILE is squeezenet1_1's; without it, and for every other
model, weights are random, which changes no time. A peer that is not installed is left out, and the
tables say so.

Every contender has a process of its own, takes turns with the others and begins with the same
weights; ptrain is all of `ptrain run`. Times and ratios are the medians over the turns, of all
epochs from the first batch to the end of the last validation; `turns` has the least and the largest
ratio.
An epoch is the same each time to all but ptrain, so the others run `--by-hand` epochs, and the rest
is taken to last as long as theirs after the first. `curve`: how far the validation losses of these
epochs are from those by hand at most, relatively; `val loss` is that after the last of them.
`peak`: the largest resident size of the process, and of its largest worker.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import finetuning
import memory
import photographs
import starts
import step_times
from tables import SEEN, installed, keep, machine

PARTS = {**finetuning.PARTS, **step_times.PARTS, **memory.PARTS, **starts.PARTS}


@dataclass(frozen=True)
class Options:
    """As given on the command line, or as this machine has it. `peers`: those to be run, by their
    packages. `workers`: of the loops' loaders."""

    device: str
    epochs: int
    by_hand: int
    repeats: int
    root: Path
    weights: str
    size: int
    threads: int | None
    workers: int | None
    peers: tuple[str, ...]
    quick: bool


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help=f"of {','.join(PARTS)}; default: all that fit")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--by-hand", type=int, default=3, help="epochs of the peers (default 3)")
    parser.add_argument(
        "--repeats",
        type=int,
        default=3,
        help="turns of ptrain and by hand (default 3); of peers one",
    )
    parser.add_argument("--root", type=Path, help="folder of images")
    parser.add_argument("--images", type=int, help="draw only so many of each class")
    parser.add_argument("--weights", type=Path, help="squeezenet1_1's")
    parser.add_argument("--size", type=int, default=224, help="of the images, px")
    parser.add_argument("--threads", type=int, help="of torch; default: its own choice")
    parser.add_argument("--workers", type=int, help="of the peers' loaders; default: tried out")
    parser.add_argument("--without-peers", action="store_true", help="by hand and ptrain only")
    parser.add_argument("--quick", action="store_true", help="one turn of all, two epochs by hand")
    parser.add_argument(
        "--markdown", type=Path, help="put the tables in there, each in the place of an earlier one"
    )
    given = parser.parse_args()
    unknown = set(chosen(given)) - set(PARTS)
    if unknown:
        parser.error(f"--only: no {', '.join(unknown)}; there are {', '.join(PARTS)}")
    return given


def chosen(given: argparse.Namespace) -> list[str]:
    if given.only:
        return given.only.split(",")
    return [name for name in PARTS if given.device == "cuda" or name != "resnet50"]


def options(given: argparse.Namespace, folder: Path) -> Options:
    if given.root is None:
        few = dict.fromkeys(photographs.COUNTS, (given.images, given.images))
        counts = few if given.images else photographs.COUNTS
        root = photographs.draw(folder / "images", counts)
    else:
        root = given.root.absolute()
    peers = () if given.without_peers else tuple(p for p in SEEN[2:] if installed(p))
    return Options(
        device=given.device,
        epochs=given.epochs,
        by_hand=min(2 if given.quick else given.by_hand, given.epochs),
        repeats=1 if given.quick else given.repeats,
        root=root,
        weights="none" if given.weights is None else str(given.weights.absolute()),
        size=given.size,
        threads=given.threads,
        workers=given.workers,
        peers=peers,
        quick=given.quick,
    )


def setting(given: argparse.Namespace, chosen: Options) -> str:
    """What the numbers belong to, and who is not among them."""
    data = "drawn images" if given.root is None else "images of --root"
    text = f"{machine(given.device)}; {data}, {chosen.size} px; turns: {chosen.repeats}."
    missing = [peer for peer in SEEN[2:] if peer not in chosen.peers]
    if missing:
        why = "left out" if given.without_peers else "not installed, so left out"
        text += f" {', '.join(missing)}: {why}."
    return text


def main() -> None:
    given = arguments()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = options(given, folder)
        about = setting(given, settings)
        print(about, flush=True)
        for part in chosen(given):
            for table in PARTS[part](settings, folder):
                print(table.text(), flush=True)
                if given.markdown:
                    keep(given.markdown, given.device, table, about)
    print(f"\n{time.monotonic() - began:.0f} s in all", file=sys.stderr)


if __name__ == "__main__":
    main()

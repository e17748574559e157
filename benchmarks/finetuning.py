"""The parts that fine-tune a backbone on images: `frozen`, `layer4`, `views`, `jpeg`."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from os import cpu_count
from pathlib import Path
from typing import TYPE_CHECKING

from tables import Table, median, ratio, turns
from work import Prepared, Result, Work, alone

if TYPE_CHECKING:
    from run import Options

HAND = "by hand"
PEERS = {
    "lightning": ("Lightning", "by_lightning"),
    "timm": ("timm", "by_timm"),
    "fastai": ("fastai", "by_fastai"),
}
COLUMNS = ["", "seconds", "times as fast", "turns", "val loss", "curve", "peak, MB"]


def frozen(options: Options, folder: Path) -> Iterator[Table]:
    about = (
        "squeezenet1_1, nothing trains but its head, no augmentation. Wanted: 15 times as fast as "
        "the loop by hand, the same curve; 100 times where an earlier run had the same frozen "
        "layers and images (`again`)."
    )
    yield compared("Head alone", about, squeezenet(options), options, folder, again=True)


def layer4(options: Options, folder: Path) -> Iterator[Table]:
    about = "resnet18, `layer4` and the head train, no augmentation. Wanted: 3 times as fast."
    work = of(options, "resnet18", ("layer4",), "fc")
    yield compared("Last stage and head", about, work, options, folder)


def views(options: Options, folder: Path) -> Iterator[Table]:
    about = (
        "squeezenet1_1, nothing trains but its head. By hand, RandomResizedCrop and "
        "RandomHorizontalFlip make new images in each epoch; ptrain draws four views of each image "
        "(`data.views = 4`). Wanted: 4 times as fast. The curves are of different images."
    )
    work = replace(squeezenet(options), augment=True, views=4)
    yield compared("Head alone, with augmentation", about, work, options, folder)


def jpeg(options: Options, folder: Path) -> Iterator[Table]:
    about = (
        "squeezenet1_1, everything trains, from JPEG files, without augmentation. No layer's "
        "values can be kept; ptrain keeps the prepared images. Wanted: at least as fast as the "
        "loop with its DataLoader. ptrain's dropout draws other numbers, so its curve is another."
    )
    work = replace(squeezenet(options), trained=("",))
    epochs = min(2, options.by_hand)
    work = replace(work, epochs=epochs, by_hand_epochs=epochs)
    yield compared("Whole network from JPEG files", about, work, options, folder)


def squeezenet(options: Options) -> Work:
    work = of(options, "squeezenet1_1", (), "classifier.1")
    return replace(work, weights=options.weights)


def of(options: Options, backbone: str, trained: tuple[str, ...], head: str) -> Work:
    return Work(
        backbone=backbone,
        trained=trained,
        head=head,
        root=str(options.root),
        size=options.size,
        epochs=options.epochs,
        by_hand_epochs=options.by_hand,
        device=options.device,
        threads=options.threads,
    )


def prepared(work: Work, folder: Path) -> Prepared:
    """The start of everyone, which depends on no more of the work than this."""
    return _prepared(work.backbone, work.weights, work.root, work.size, folder)


@lru_cache
def _prepared(backbone: str, weights: str, root: str, size: int, folder: Path) -> Prepared:
    plain = Work(backbone, (), "", root, weights, size=size)
    start: Prepared = alone("by_ptrain", "prepare", plain, folder / f"start-{backbone}")
    return start


def compared(
    title: str, about: str, work: Work, options: Options, folder: Path, *, again: bool = False
) -> Table:
    work = replace(work, workers=fastest_workers(options, folder))
    table = Table(title, about, COLUMNS)
    results = taken(work, prepared(work, folder), options, folder, table.notes, again=again)
    hand = results[HAND]
    for contender, own in results.items():
        table.rows.append(row(contender, own, hand, work))
    ran = len(hand[0].epochs)
    if ran < work.epochs:
        table.notes.append(f"{work.epochs} epochs; {ran} of them were run by all but ptrain.")
    said = results["ptrain"][0].said
    if said:
        table.notes.append(f"ptrain: {said}.")
    table.notes.append(f"Workers by hand: {work.workers}.")
    return table


def taken(
    work: Work,
    start: Prepared,
    options: Options,
    folder: Path,
    notes: list[str],
    *,
    again: bool,
) -> dict[str, list[Result]]:
    """The contenders' results, of each turn, the peers' of the first; in the notes those who could
    not do it. `again`: ptrain a second time in the same folder."""
    results: dict[str, list[Result]] = {}

    def take(contender: str, module: str, *more: object) -> None:
        print(f"{work.backbone}: {contender} …", file=sys.stderr, flush=True)
        result: Result = alone(module, "run", work, start, *more)
        results.setdefault(contender, []).append(result)

    for turn in range(options.repeats):
        take(HAND, "by_hand")
        for peer in options.peers if turn == 0 else ():
            try:
                take(*PEERS[peer])
            except Exception as error:  # theirs, with these versions of torch and Python
                notes.append(f"{peer} failed: {type(error).__name__}: {error}")
        with tempfile.TemporaryDirectory(dir=folder) as place:
            take("ptrain", "by_ptrain", Path(place), f"first{turn}")
            if again:
                take("ptrain, again", "by_ptrain", Path(place), f"again{turn}")
    return results


def row(contender: str, own: list[Result], hand: list[Result], work: Work) -> list[str]:
    seconds = [result.seconds(work.epochs) for result in own]
    theirs = [result.seconds(work.epochs) for result in hand]
    times = [their / mine for their, mine in zip(theirs, seconds, strict=False)]
    own_peak, worker_peak = (median([result.peak[i] for result in own]) / 1e6 for i in (0, 1))
    return [
        contender,
        f"{median(seconds):.2f}",
        ratio(median(times)),
        turns(times),
        f"{own[0].val_losses[work.by_hand_epochs - 1]:.5f}",
        "" if work.views else f"{apart(own[0].val_losses, hand[0].val_losses):.0e}",
        f"{own_peak:.0f} + {worker_peak:.0f}",
    ]


def apart(losses: list[float], others: list[float]) -> float:
    """The largest relative difference, over the epochs that both have."""
    pairs = zip(losses, others, strict=False)
    return max(abs(one - other) / abs(other) for one, other in pairs)


def fastest_workers(options: Options, folder: Path) -> int:
    """Of the loop by hand, tried for an epoch of the part `frozen`."""
    if options.workers is not None:
        return options.workers
    return _fastest_workers(options, folder)


@lru_cache(1)
def _fastest_workers(options: Options, folder: Path) -> int:
    cores = cpu_count() or 1
    candidates = sorted({0, 1, 2, 4} if cores <= 4 else {2, 4, 8, min(16, cores)})
    work = replace(squeezenet(options), by_hand_epochs=2)
    seconds = {}
    for workers in candidates:
        tried = replace(work, workers=workers)
        result: Result = alone("by_hand", "run", tried, prepared(work, folder))
        seconds[workers] = result.epochs[-1]
        print(f"{workers} workers: {result.epochs[-1]:.2f} s", file=sys.stderr, flush=True)
    return min(seconds, key=seconds.__getitem__)


PARTS = {"frozen": frozen, "layer4": layer4, "views": views, "jpeg": jpeg}

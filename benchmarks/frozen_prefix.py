"""Fine-tuning with frozen layers: ptrain against the loop of PyTorch's transfer-learning tutorial.

    uv run python benchmarks/frozen_prefix.py --root DATA --weights FILE [--epochs N]

DATA holds train/ and val/ with a folder for each class; FILE is squeezenet1_1's. Both train the
head alone, on the same images without augmentation, for as many epochs. Of the loop by hand
`--by-hand` epochs are run, and their mean taken for all: each does the same. `first` begins with
an empty cache, `again` with what `first` has kept. Times are from the first batch to the end,
validation included.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import models
from torchvision.datasets import ImageFolder

from engine.contract.follower import read_state
from engine.contract.run_directory import RunDirectory

BATCH = 32
EXPERIMENT = """
name = "{name}"
[data]
dataset = "ImageFolder"
root = "{root}"
workers = {workers}
batch_size = 32
[model]
backbone = "squeezenet1_1"
weights = "{weights}"
freeze = ["*"]
[optimizer]
name = "SGD"
lr = 1e-3
momentum = 0.9
[train]
epochs = {epochs}
device = "cpu"
"""


def by_hand(root: Path, weights: Path, epochs: int, workers: int) -> float:
    """Seconds an epoch."""
    transform = models.SqueezeNet1_1_Weights.DEFAULT.transforms()
    sides = {split: ImageFolder(str(root / split), transform) for split in ("train", "val")}
    loaders = {
        split: DataLoader(side, BATCH, shuffle=split == "train", num_workers=workers)
        for split, side in sides.items()
    }
    model = models.squeezenet1_1()
    model.load_state_dict(torch.load(weights, weights_only=True))
    for parameter in model.parameters():
        parameter.requires_grad = False
    model.classifier[1] = nn.Conv2d(512, len(sides["train"].classes), kernel_size=1)
    optimizer = torch.optim.SGD(model.classifier[1].parameters(), lr=1e-3, momentum=0.9)
    criterion = nn.CrossEntropyLoss()
    began = time.perf_counter()
    for _ in range(epochs):
        for split, loader in loaders.items():
            model.train(split == "train")
            running = 0.0
            for inputs, targets in loader:
                with torch.set_grad_enabled(split == "train"):
                    optimizer.zero_grad()
                    loss = criterion(model(inputs), targets)
                    if split == "train":
                        loss.backward()
                        optimizer.step()
                running += loss.item() * len(inputs)
    return (time.perf_counter() - began) / epochs


def by_ptrain(
    folder: Path, name: str, root: Path, weights: Path, epochs: int, workers: int
) -> float:
    """Seconds in all: from the event before the first batch to the last word."""
    file = folder / f"{name}.toml"
    file.write_text(
        EXPERIMENT.format(name=name, root=root, weights=weights, epochs=epochs, workers=workers)
    )
    runs = folder / "runs"
    command = [sys.executable, "-m", "engine.cli", "run", str(file), "--runs", str(runs)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    (run,) = (runs / name).iterdir()
    state = read_state(RunDirectory(run).events)
    assert state.started is not None
    assert state.last_word is not None
    return state.last_word.time - state.started.time


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--by-hand", type=int, default=5)
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    root, weights = given.root.absolute(), given.weights.absolute()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["PTRAIN_CACHE"] = str(folder / "cache")
        hand = by_hand(root, weights, given.by_hand, given.workers) * given.epochs
        print(f"{'by hand':10} {hand:8.2f} s", flush=True)
        for title in ("first", "again"):
            took = by_ptrain(folder, title, root, weights, given.epochs, given.workers)
            print(f"{title:10} {took:8.2f} s   {hand / took:6.1f} times as fast", flush=True)


if __name__ == "__main__":
    main()

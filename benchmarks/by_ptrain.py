"""ptrain on a `Work`: the whole of `ptrain run`, its checks, events and checkpoints included."""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import torch
from work import LR, MOMENTUM, SEED, Prepared, Result, Work

from engine.build import build
from engine.commands import Launch, train_file
from engine.contract.events import PrefixKept, RunStarted, Validated
from engine.contract.feature_folder import RECORDS
from engine.contract.follower import Follower
from engine.contract.run_directory import RunDirectory
from engine.contract.toml_file import read
from engine.parts.presets import preset_of


def experiment(work: Work) -> str:
    workers = "" if work.ptrain_workers is None else f"workers = {work.ptrain_workers}\n"
    size = work.size
    augment = [
        f'{{ name = "RandomResizedCrop", size = {size} }}',
        '{ name = "RandomHorizontalFlip" }',
    ]
    augmented = f"augment = [{', '.join(augment)}]\n" if work.augment else ""
    views = f"views = {work.views}\n" if work.views else ""
    return f"""
name = "work"
seed = {SEED}
[data]
dataset = "ImageFolder"
root = '{work.root}'
batch_size = {work.batch}
image_size = {size}
{workers}{augmented}{views}[model]
backbone = "{work.backbone}"
weights = '{work.weights}'
freeze = {work.freeze}
[optimizer]
name = "SGD"
lr = {LR}
momentum = {MOMENTUM}
[train]
epochs = {work.epochs}
device = "{work.device}"
{work.cache}
"""


def prepare(work: Work, folder: Path) -> Prepared:
    """Keeps the weights that ptrain begins with, its new head's among them, for the others."""
    folder.mkdir()
    file = folder / "work.toml"
    file.write_text(experiment(work))
    parts = build(read(file).experiment, folder)
    preset = preset_of(parts.experiment.model, work.size)
    start = folder / "start.pth"
    torch.save(parts.model.cpu().state_dict(), start)
    parts.close()
    return Prepared(
        start=str(start),
        image_size=preset.image_size,
        resize_size=preset.resize_size,
        mean=preset.mean,
        std=preset.std,
        classes=parts.data.classes,
    )


def run(work: Work, prepared: Prepared, folder: Path, name: str) -> Result:
    """`folder`: the run goes there, and what frozen layers gave, which a later run in the same one
    finds."""
    if work.threads:
        torch.set_num_threads(work.threads)
    os.environ["PTRAIN_CACHE"] = str(folder / "cache")
    file = folder / f"{name}.toml"
    file.write_text(experiment(work))
    runs = folder / name
    launch = Launch(runs, detach=False, json=False, debug=False, into=None)
    code = train_file(file, [], None, launch)
    (run,) = (runs / "work").iterdir()
    if code != 0:
        raise RuntimeError(f"exit code {code}: {RunDirectory(run).events.read_text()[-2000:]}")
    kept = sum(file.stat().st_size for file in (folder / "cache").rglob(RECORDS))
    return replace(told(RunDirectory(run)), kept=kept)


def told(run: RunDirectory) -> Result:
    """The epochs begin and end with the events: the first one with that before its first batch, the
    last one with the last word, so that the last checkpoint is in it."""
    events = list(Follower(run.events).events())
    started = next(event for event in events if isinstance(event, RunStarted))
    validated = [event for event in events if isinstance(event, Validated)]
    ends = [started.time, *(event.time for event in validated[:-1]), events[-1].time]
    losses = [event.metrics.get("val/loss") for event in validated]
    kept = [event.train for event in events if isinstance(event, PrefixKept)]
    return Result(
        [after - before for before, after in pairwise(ends)],
        [loss for loss in losses if loss is not None],
        said=kept[-1] if kept else "",
    )

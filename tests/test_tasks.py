"""Every kind of target, from files on a disk to a checkpoint, by the real engine: a tiny epoch."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.checkpoint import load
from engine.contract.events import RunStarted, Step, Validated
from engine.contract.run_directory import RunDirectory
from tests.test_resume import assert_same
from tests.training import Zygote, draw_images, effective_events, only_run

SIZE, COUNT = 32, 10
REST = """
batch_size = 4
image_size = 32
workers = 0

[model]
backbone = "{backbone}"
weights = "none"

{loss}

[optimizer]
name = "SGD"
lr = 0.01
momentum = 0.9

[[scheduler]]
name = "OneCycleLR"

[train]
epochs = {epochs}
device = "cpu"
"""


def draw_masks(folder: Path) -> None:
    """Images with a square, palette masks with its class, and 255 around it."""
    generator = np.random.default_rng(0)
    for kind in ("images", "masks"):
        (folder / "shots" / kind).mkdir(parents=True)
    for index in range(COUNT):
        mask = np.zeros((SIZE, SIZE), np.uint8)
        mask[6:22, 6:22] = 255
        mask[8:20, 8:20] = 1 + index % 2
        image = generator.integers(0, 100, (SIZE, SIZE, 3)) + 70 * (mask % 255)[..., None]
        painted = Image.fromarray(mask).convert("P")
        painted.putdata(mask.ravel().tolist())
        painted.putpalette([value for value in range(256) for _ in range(3)])
        Image.fromarray(image.astype(np.uint8)).save(folder / f"shots/images/{index}.png")
        painted.save(folder / f"shots/masks/{index}.png")


def table(header: str, row: Callable[[int], str]) -> Callable[[Path], None]:
    """A CSV of all the images, with `row(index)` beside each path."""

    def write(folder: Path) -> None:
        draw_images(folder, {"photos": COUNT}, SIZE)
        lines = [f"photos/{index:03d}.png,{row(index)}" for index in range(COUNT)]
        (folder / "table.csv").write_text("\n".join([f"image,{header}", *lines]) + "\n")

    return write


def folders(folder: Path) -> None:
    draw_images(folder / "photos", {"ant": 6, "bee": 6}, SIZE)


@dataclass(frozen=True)
class Case:
    """What is written, and what the run then says of it."""

    write: Callable[[Path], None]
    data: str
    loss: str
    task: str
    classes: list[str]
    metrics: set[str]
    backbone: str = "shufflenet_v2_x0_5"
    outputs: int | None = None

    def experiment(self, folder: Path, epochs: int = 1) -> Path:
        self.write(folder)
        rest = REST.format(backbone=self.backbone, loss=self.loss, epochs=epochs)
        (folder / "small.toml").write_text(f"[data]\n{self.data}\nval = 0.3\n{rest}")
        (folder / "losses.py").write_text(
            "def halves(output, target):\n    return ((output - target) ** 2).mean() / 2\n"
        )
        return folder / "small.toml"


TABLE = 'dataset = "ImageTable"\nroot = "table.csv"'
CLASSIFIED = {"val/loss", "val/accuracy", "val/f1", "train/loss"}
EACH = {f"val/{name}/{of}" for name in ("r2", "mae", "rmse") for of in ("angle", "radius")}
NUMBERS = {"val/r2"} | EACH
SUM = {
    f"{split}/loss{of}" for split in ("train", "val") for of in ("", "/CrossEntropyLoss", "/halves")
}
CASES = {
    "masks": Case(
        draw_masks,
        'dataset = "ImageMaskFolder"\nroot = "shots"\nclasses = ["ground", "one", "two"]',
        '[loss]\nname = "CrossEntropyLoss"\nignore_index = 255\nweight = "balanced"',
        "segmentation",
        ["ground", "one", "two"],
        {"val/loss", "train/loss", "val/miou", "val/accuracy"},
        backbone="lraspp_mobilenet_v3_large",
    ),
    "numbers": Case(
        table("angle,radius", lambda index: f"{index * 20 - 90},{3 + index % 3}"),
        f'{TABLE}\nstandardize = true\ntargets = ["angle", "radius"]',
        '[[loss]]\nname = "HuberLoss"\n[[loss]]\ntarget = "losses.py:halves"\nscale = 0.5',
        "regression",
        ["angle", "radius"],
        NUMBERS | {name.replace("CrossEntropyLoss", "HuberLoss") for name in SUM},
    ),
    "labels in columns": Case(
        table("red,big", lambda index: f"{index % 2},{index // 2 % 2}"),
        f'{TABLE}\ntask = "multilabel"',
        '[loss]\nname = "BCEWithLogitsLoss"\npos_weight = "balanced"\n[[metric]]\nname = "AUROC"',
        "multilabel",
        ["red", "big"],
        {"val/loss", "train/loss", "val/f1", "val/accuracy", "val/AUROC"},
    ),
    "labels in one column": Case(
        table("labels", lambda index: ["red|big", "red", "", "big"][index % 4]),
        f'{TABLE}\ntask = "multilabel"',
        '[loss]\nname = "MultiLabelSoftMarginLoss"',
        "multilabel",
        ["big", "red"],
        {"val/loss", "train/loss", "val/f1", "val/accuracy"},
    ),
    "two classes, one output": Case(
        folders,
        'dataset = "ImageFolder"\nroot = "photos"',
        '[loss]\nname = "BCEWithLogitsLoss"',
        "classification",
        ["ant", "bee"],
        CLASSIFIED,
        outputs=1,
    ),
    "log probabilities": Case(
        folders,
        'dataset = "ImageFolder"\nroot = "photos"',
        '[loss]\nname = "NLLLoss"',
        "classification",
        ["ant", "bee"],
        CLASSIFIED,
        outputs=2,
    ),
}


def trained(zygote: Zygote, case: Case, folder: Path) -> RunDirectory:
    path = case.experiment(folder)
    assert zygote.train(path=path, runs=folder / "runs") == 0, zygote.log.read_text()[-2000:]
    return only_run(folder / "runs")


@pytest.mark.parametrize("name", CASES)
def test_a_task_is_trained_from_files_validated_and_kept(zygote, tmp_path, name):
    case = CASES[name]
    run = trained(zygote, case, tmp_path)
    events = effective_events(run)
    (started,) = (event for event in events if isinstance(event, RunStarted))
    assert (started.task, started.classes) == (case.task, case.classes)
    (validated,) = (event for event in events if isinstance(event, Validated))
    assert set(validated.metrics) == case.metrics
    assert all(value is not None and math.isfinite(value) for value in validated.metrics.values())
    steps = [event for event in events if isinstance(event, Step)]
    assert [step.step for step in steps] == [0, 1]
    assert all(step.loss is not None for step in steps)
    checkpoint = load(run.checkpoints / "best.pt")
    assert (checkpoint["task"], checkpoint["classes"]) == (case.task, case.classes)
    if case.outputs is not None:
        assert checkpoint["model"]["fc.weight"].shape[0] == case.outputs


def test_each_term_of_a_sum_is_in_the_steps_and_the_sum_is_theirs(zygote, tmp_path):
    run = trained(zygote, CASES["numbers"], tmp_path)
    steps = [event for event in effective_events(run) if isinstance(event, Step)]
    for step in steps:
        assert list(step.terms) == ["HuberLoss", "halves"]
        assert step.loss == pytest.approx(step.terms["HuberLoss"] + 0.5 * step.terms["halves"])


def test_the_checkpoint_of_standardized_numbers_says_how_to_get_their_unit(zygote, tmp_path):
    run = trained(zygote, CASES["numbers"], tmp_path)
    scaling = load(run.checkpoints / "best.pt")["scaling"]
    assert len(scaling["mean"]) == len(scaling["std"]) == 2
    assert 20 < scaling["std"][0] < 90, "angles, from -90 to 90"
    assert 3 <= scaling["mean"][1] <= 5, "radii, from 3 to 5"


@pytest.mark.parametrize("by", [{"request": "stop"}, "SIGKILL"], ids=str)
def test_a_segmentation_that_is_interrupted_and_resumed_is_the_undisturbed_one(
    zygote, tmp_path, by
):
    path = CASES["masks"].experiment(tmp_path, epochs=2)
    augmented = ['data.augment=[{name="RandomHorizontalFlip"}, {name="RandomAffine", degrees=30}]']
    given = {"path": path, "overrides": [*augmented, "checkpoint.every_steps=1"]}
    assert zygote.train(**given, runs=tmp_path / "whole") == 0
    code = zygote.train(**given, runs=tmp_path / "runs", at={2: by})
    assert code == (-9 if by == "SIGKILL" else 3)
    run = only_run(tmp_path / "runs")
    assert zygote.train(path=run.path, resume=True) == 0
    assert_same(run, only_run(tmp_path / "whole"))

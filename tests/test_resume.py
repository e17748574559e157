"""A run that was stopped or killed anywhere, and resumed, is the run that never was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.checkpoint import load
from engine.contract.run_directory import RunDirectory
from engine.contract.runs import status
from tests.training import Numbers, Zygote, differences, draw_images, only_run

# BatchNorm and dropout in the model; a plateau and a per-batch scheduler; a short last batch, and
# with it a window of one batch; checkpoints in the middle of an epoch.
EXPERIMENT = """
seed = 7

[data]
dataset = "ImageFolder"
root = "images"
train = "train"
val = "val"
batch_size = 4
workers = 2
image_size = 32
augment = [
  { name = "RandomHorizontalFlip" },
  { name = "ColorJitter", brightness = 0.4 },
  { name = "RandomResizedCrop", size = 32, scale = [0.5, 1.0] },
]

[model]
backbone = "mnasnet0_5"
freeze = ["layers.0"]

[loss]
weight = "balanced"
label_smoothing = 0.1

[optimizer]
name = "SGD"
lr = 0.05
momentum = 0.9

[[optimizer.group]]
name = "head"
match = ["classifier"]
lr = 0.1

[[scheduler]]
name = "CyclicLR"
base_lr = 0.01
max_lr = 0.1
step_size_up = 3

[[scheduler]]
name = "ReduceLROnPlateau"
patience = 0
factor = 0.5
threshold = 0.5

[train]
epochs = 2
accumulate = 2
clip_norm = 1.0

[checkpoint]
every_steps = 3
keep = 1
"""
STEPS = 8  # 26 samples: 7 batches of at most 4, so 4 windows an epoch


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("experiment")
    draw_images(folder / "images" / "train", {"bee": 10, "ant": 16})
    draw_images(folder / "images" / "val", {"bee": 5, "ant": 4})
    (folder / "small.toml").write_text(EXPERIMENT)
    return folder / "small.toml"


@pytest.fixture(scope="module")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    zygote = Zygote(tmp_path_factory.mktemp("zygote"))
    yield zygote
    zygote.close()


@pytest.fixture(scope="module")
def undisturbed(
    zygote: Zygote, experiment: Path, tmp_path_factory: pytest.TempPathFactory
) -> RunDirectory:
    runs = tmp_path_factory.mktemp("undisturbed")
    assert zygote.train(path=experiment, runs=runs) == 0
    return only_run(runs)


def test_the_undisturbed_run_has_every_step_and_trains(undisturbed: RunDirectory) -> None:
    numbers = Numbers.of(undisturbed)
    assert [step for step, *_ in numbers.steps] == list(range(STEPS))
    assert len(numbers.validated) == 2
    assert len({str(lr) for _, _, _, lr, _ in numbers.steps}) > 4, "the learning rates move"


@pytest.mark.parametrize("by", ["ptrain stop", "SIGTERM", "SIGKILL"])
@pytest.mark.parametrize("step", range(STEPS))
def test_a_run_that_is_interrupted_at_any_step_and_resumed_is_the_undisturbed_one(
    zygote: Zygote,
    experiment: Path,
    undisturbed: RunDirectory,
    tmp_path: Path,
    step: int,
    by: str,
) -> None:
    code = zygote.train(path=experiment, runs=tmp_path, stop_at=step, by=by)
    run = only_run(tmp_path)
    assert (code, status(run).state) == ((-9, "lost") if by == "SIGKILL" else (3, "stopped"))
    if by != "SIGKILL":
        assert load(run.checkpoints / "last.pt")["progress"]["step"] == step + 1

    assert zygote.train(path=run.path, resume=True) == 0

    assert Numbers.of(run) == Numbers.of(undisturbed)
    names = sorted(path.name for path in undisturbed.checkpoints.glob("*.pt"))
    assert sorted(path.name for path in run.checkpoints.glob("*.pt")) == names
    for name in names:
        mine, theirs = load(run.checkpoints / name), load(undisturbed.checkpoints / name)
        assert differences(mine, theirs) == []

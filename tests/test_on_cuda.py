"""What only a GPU can show: `pytest -n 0 tests/test_on_cuda.py`, on a machine that has one."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from typer.testing import CliRunner

from engine.build import Parts
from engine.checkpoint import load
from engine.cli import app
from engine.contract.events import Compiled, RunFailed, Step, Validated, Warned
from engine.contract.follower import Follower
from engine.contract.optimizer import OPTIMIZERS, SGD
from engine.contract.run_directory import RunDirectory, create
from engine.contract.toml_file import read, resolved_text
from engine.control import Control
from engine.evaluate import evaluate
from engine.job import Job, enter_stage
from engine.loop import optimizer_step, train, windows
from engine.parts.batches import Batch
from engine.parts.optimizers import build_optimizer
from engine.run import build_located, resume, start
from tests.tiny import in_batches, job_of, parts_of
from tests.training import differences

DEVICE = "cuda"
pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
    pytest.mark.filterwarnings("default"),  # a driver's and a compiler's own are no errors
]

EXPERIMENT = f"""
name = "digits"
seed = 3

[data]
dataset = "digits"
val = 0.2
batch_size = 64
image_size = 32
workers = 0

[model]
backbone = "resnet18"
weights = "none"

[optimizer]
name = "SGD"
lr = 0.02
momentum = 0.9

[train]
epochs = 2
device = "{DEVICE}"
cache_disk = 0
"""
EXACT = "train.deterministic=true"
FROZEN = 'model.freeze=["*","!layer4"]'


@pytest.fixture(autouse=True)
def nothing_deterministic() -> Iterator[None]:
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    path = tmp_path / "digits.toml"
    path.write_text(EXPERIMENT)
    return path


class StopAfter(Control):
    """As if SIGTERM came after so many steps."""

    def __init__(self, run: RunDirectory, steps: int) -> None:
        super().__init__(run)
        self._steps = steps

    def pending(self) -> bool:
        self._steps -= 1
        if self._steps == 0:
            self.signalled = "SIGTERM"
        return super().pending()


def trained(path: Path, *overrides: str, stop_after: int | None = None) -> RunDirectory:
    file = read(path, overrides)
    parts = build_located(file)
    text = resolved_text(file.experiment)
    run = create(path.parent / "runs", file.experiment.name, text, file.text)
    control = Control(run) if stop_after is None else StopAfter(run, stop_after)
    code = start(run, parts, control)
    assert code == (0 if stop_after is None else 3), events(run, RunFailed)
    return run


def resumed(run: RunDirectory, *overrides: str) -> None:
    assert resume(run, read(run.experiment, overrides), Control(run)) == 0


def events(run: RunDirectory, kind: type) -> list[Any]:
    return [event for event in Follower(run.events).events() if isinstance(event, kind)]


def losses(run: RunDirectory) -> list[float]:
    return [event.loss for event in events(run, Step)]


def val_losses(run: RunDirectory) -> list[float]:
    return [event.metrics["val/loss"] for event in events(run, Validated)]


# Training


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_digits_are_learned_in_every_precision(digits: Path, precision: str) -> None:
    run = trained(digits, f"train.precision={precision}", "train.epochs=4")
    assert not events(run, Warned)
    assert losses(run)[-1] < losses(run)[0] / 2
    assert events(run, Validated)[-1].metrics["val/accuracy"] > 0.8
    assert {value.dtype for value in load(run.checkpoints / "last.pt")["model"].values()} == {
        torch.float32,
        torch.int64,
    }


@pytest.mark.parametrize("optimizer", ["SGD", "AdamW"])
def test_fp16_without_waiting_takes_the_steps_that_waiting_takes(
    digits: Path, optimizer: str
) -> None:
    """A per-batch scheduler that changes nothing makes each step wait."""
    same = f'optimizer={{name="{optimizer}"}}', "train.precision=fp16", EXACT
    free = trained(digits, *same)
    waiting = trained(digits, *same, 'scheduler=[{name="StepLR",step_size=9999,interval="step"}]')
    assert losses(free) == losses(waiting)
    skipped = [[event.skipped for event in events(run, Step)] for run in (free, waiting)]
    assert skipped[0] == skipped[1]
    counted = load(free.checkpoints / "last.pt")["progress"]["scaler_skipped"]
    assert counted == sum(reason is not None for reason in skipped[0])


def test_what_frozen_layers_gave_gives_the_same_bits_as_computing_it_anew(digits: Path) -> None:
    """All batches have the shapes that they had, and only deterministic algorithms are used. (A
    short batch, whose samples change, is convolved by another kernel, and all of it in TF32.)"""
    given = FROZEN, EXACT, "data.drop_last=true", "train.epochs=3"
    anew = trained(digits, *given, "train.cache=off")
    once = trained(digits, *given, "train.cache=on")
    assert losses(once) == losses(anew)
    assert val_losses(once) == val_losses(anew)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_so_it_does_in_half_precision_with_channels_last(digits: Path, precision: str) -> None:
    given = FROZEN, EXACT, f"train.precision={precision}", "train.channels_last=on"
    anew = trained(digits, *given, "train.cache=off")
    once = trained(digits, *given, "train.cache=on")
    assert losses(once) == pytest.approx(losses(anew), rel=1e-2)
    assert val_losses(once) == pytest.approx(val_losses(anew), rel=1e-2)


def test_channels_last_changes_the_last_digits_only(digits: Path) -> None:
    small = "optimizer.lr=0.001", "train.epochs=1"
    first = trained(digits, *small, "train.channels_last=off")
    last = trained(digits, *small, "train.channels_last=on")
    # Of the first step: in TF32 the ways part from there, as they do with any other rounding.
    assert losses(last)[0] == pytest.approx(losses(first)[0], rel=1e-3)
    halves = [
        trained(digits, *small, "train.precision=bf16", f"train.channels_last={word}")
        for word in ("off", "on")
    ]
    assert losses(halves[1])[0] == pytest.approx(losses(halves[0])[0], rel=1e-2)


def test_channels_come_last_by_themselves_in_half_precision(digits: Path) -> None:
    for precision, expected in (("fp32", False), ("bf16", True), ("fp16", True)):
        parts = build_located(read(digits, [f"train.precision={precision}"]))
        weight = parts.model.get_parameter("layer1.0.conv1.weight")
        assert weight.is_contiguous(memory_format=torch.channels_last) is expected
        assert parts.channels_last is expected
        parts.close()


def test_workers_with_pinned_memory_give_the_same_batches(digits: Path) -> None:
    augment = 'data.augment=[{name="RandomAffine",degrees=10}]'
    alone = trained(digits, augment, EXACT, "data.workers=0")
    helped = trained(digits, augment, EXACT, "data.workers=2")
    assert losses(helped) == losses(alone)
    parts = build_located(read(digits, [augment, "data.workers=2"]))
    batch = next(iter(parts.data.train_batches(0)))
    assert batch.inputs.is_pinned()
    assert batch.targets.is_pinned()
    parts.close()


def test_the_devices_are_listed(digits: Path) -> None:
    listed = CliRunner().invoke(app, ["devices"]).output
    assert all(f"cuda:{index}" in listed for index in range(torch.cuda.device_count()))


# Stopping and resuming


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("steps", [5, 23])  # in the middle of an epoch of 23, and at its end
def test_a_stopped_run_goes_on_exactly(digits: Path, precision: str, steps: int) -> None:
    given = EXACT, f"train.precision={precision}"
    whole = trained(digits, *given)
    run = trained(digits, *given, stop_after=steps)
    resumed(run)
    assert losses(run) == losses(whole)
    assert val_losses(run)[-1] == val_losses(whole)[-1]
    ours, theirs = (load(one.checkpoints / "last.pt") for one in (run, whole))
    assert differences(ours, theirs) == []


@pytest.mark.parametrize("optimizer", ["SGD", "AdamW"])
@pytest.mark.parametrize(("there", "here"), [("cuda", "cpu"), ("cpu", "cuda")])
def test_a_checkpoint_goes_on_on_the_other_device(
    digits: Path, there: str, here: str, optimizer: str
) -> None:
    section = f'optimizer={{name="{optimizer}",lr=0.002}}'
    # Written with channels last and read without, which a fused step would refuse.
    run = trained(digits, section, f"train.device={there}", "train.channels_last=on", stop_after=5)
    resumed(run, f"train.device={here}", "train.channels_last=off", "train.epochs=1")
    told = losses(run)
    assert len(told) == 23
    assert max(told[5:]) < 2 * told[0]


# Optimizers


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW"])
def test_the_fused_step_that_is_chosen_is_the_unfused_one(name: str) -> None:
    settings = {"momentum": 0.9} if name == "SGD" else {}

    def after_five(**implementation: bool) -> tuple[Any, list[Tensor]]:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(8, 16), nn.LayerNorm(16), nn.Linear(16, 4)).to(DEVICE)
        section = OPTIMIZERS[name](lr=0.01, weight_decay=0.1, **settings, **implementation)
        optimizer = build_optimizer(section, model)
        for _ in range(5):
            for parameter in model.parameters():
                parameter.grad = torch.randn_like(parameter)
            optimizer.step()
        return optimizer.param_groups[0]["fused"], list(model.parameters())

    fused, chosen = after_five()
    assert fused is True
    _, plain = after_five(fused=False)
    for one, other in zip(chosen, plain, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6)


# torch.compile


def convolving() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 4)
    )


def images(*sizes: int) -> list[Batch]:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(sum(sizes), 3, 8, 8, generator=generator)
    return in_batches(inputs, torch.randint(4, (sum(sizes),), generator=generator), *sizes)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("mode", ["default", "reduce-overhead"])
def test_a_compiled_model_trains_as_the_model_itself(
    tmp_path: Path, mode: str, precision: str
) -> None:
    def run(mode: str) -> Job:
        parts = parts_of(
            images(16, 16, 16, 8),
            val=images(16, 16, 4),
            model=convolving(),
            optimizer=SGD(lr=0.01),
            data={"batch_size": 16},
            train_section={
                "epochs": 3, "device": DEVICE, "compile": mode, "precision": precision,
            },
        )  # fmt: skip
        folder = tmp_path / mode
        folder.mkdir()
        job = job_of(parts, folder)
        train(job)
        job.recorder.close()
        return job

    torch.compiler.reset()
    plain, compiled = run("off").keeper.run, run(mode).keeper.run
    assert not events(compiled, Warned)
    assert [event.split for event in events(compiled, Compiled)] == ["train", "val"]
    near = {"fp32": 1e-3, "bf16": 3e-2}[precision]
    assert losses(compiled) == pytest.approx(losses(plain), rel=near)
    assert val_losses(compiled) == pytest.approx(val_losses(plain), rel=near)
    saved = [load(run.checkpoints / "last.pt")["model"] for run in (compiled, plain)]
    assert list(saved[0]) == list(saved[1])


def test_what_follows_frozen_layers_is_compiled_too(digits: Path) -> None:
    given = 'model.freeze=["*"]', "train.cache=on", "optimizer.lr=0.001"
    plain = trained(digits, *given)
    compiled = trained(digits, *given, "train.compile=default")
    assert not [event for event in events(compiled, Warned) if event.where == "train.compile"]
    assert {event.split for event in events(compiled, Compiled)} == {"train", "val"}
    assert losses(compiled) == pytest.approx(losses(plain), rel=1e-3)


# Waiting for the device


class Waiting:
    """No operation inside may wait for the device."""

    def __enter__(self) -> None:
        torch.cuda.set_sync_debug_mode("error")

    def __exit__(self, *_: object) -> None:
        torch.cuda.set_sync_debug_mode("default")


def steps_without_waiting(job: Job) -> int:
    """An epoch, its first two steps apart: libraries are loaded in them."""
    parts, taken = job.parts, 0
    enter_stage(job)
    parts.freezing.train_mode(parts.model)
    for window in windows(job):
        count = window.denominators
        if taken < 2:
            optimizer_step(parts, window, count)
        else:
            with Waiting():
                optimizer_step(parts, window, count, wait=parts.schedule.by_step)
                if parts.schedule.step():
                    parts.schedule.apply(parts.optimizer)
        taken += 1
    return taken


OPTIONS = [
    (),
    ("train.precision=bf16",),
    ("train.precision=fp16", "optimizer.momentum=0"),  # with a momentum it is not the fused one
    ("train.clip_norm=1.0", "train.accumulate=2"),
    ("train.precision=fp16", "train.clip_norm=1.0", 'optimizer={name="AdamW"}'),
    ('optimizer={name="AdamW"}', 'scheduler=[{name="OneCycleLR"}]'),
    ('optimizer={name="RMSprop"}',),
    ('loss={name="CrossEntropyLoss",weight="balanced",label_smoothing=0.1,reduction="none"}',),
    ('loss=[{name="CrossEntropyLoss"},{name="MultiMarginLoss",scale=0.5}]',),
]


@pytest.mark.parametrize("overrides", OPTIONS, ids=" ".join)
def test_a_step_never_waits_for_the_device(
    digits: Path, tmp_path: Path, overrides: tuple[str, ...]
) -> None:
    parts = build_located(read(digits, ["train.cache=off", *overrides]))
    assert steps_without_waiting(job_of(parts, tmp_path)) > 10
    parts.close()


def test_nor_does_one_on_what_frozen_layers_gave(digits: Path, tmp_path: Path) -> None:
    parts = build_located(read(digits, [FROZEN, "train.cache=on"]))
    job = job_of(parts, tmp_path)
    enter_stage(job)
    parts.freezing.train_mode(parts.model)
    for window in windows(job):  # which reads back what the frozen layers give
        optimizer_step(parts, window, window.denominators)
    job.progress.epoch = 1
    assert steps_without_waiting(job) == 23
    parts.close()


def waits(work: Callable[[], object]) -> int:
    """How often something waited for the device."""
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            work()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return sum("synchronizing CUDA operation" in str(one.message) for one in caught)


def of_task(task: str) -> Parts:
    """Six batches to validate on."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(48, 3, 8, 8, generator=generator)
    shape = {"classification": (48,), "segmentation": (48, 8, 8)}.get(task, (48, 4))
    targets = torch.randint(2, shape, generator=generator)
    if task in ("multilabel", "regression"):
        targets = targets.float()
    batches = in_batches(inputs, targets, *[8] * 6)
    model = nn.Conv2d(3, 4, 1) if task == "segmentation" else convolving()
    names = {"multilabel": "BCEWithLogitsLoss", "regression": "MSELoss"}
    return parts_of(
        batches,
        val=batches,
        model=model,
        data={"task": task, "target": "given.py:build"},
        loss=[{"name": names.get(task, "CrossEntropyLoss")}],
        train_section={"device": DEVICE},
    )


@pytest.mark.parametrize("task", ["classification", "segmentation", "multilabel", "regression"])
def test_a_validation_waits_at_its_end_and_not_once_a_batch(task: str) -> None:
    parts = of_task(task)
    evaluate(parts)  # the libraries are loaded
    all_six = waits(lambda: evaluate(parts))
    three = copy.copy(parts)
    three.data = copy.copy(parts.data)
    three.data.val = parts.data.val[:3]  # type: ignore[attr-defined]
    assert waits(lambda: evaluate(three)) == all_six
    assert all_six > 0, "what is counted is counted"

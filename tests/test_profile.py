"""`ptrain profile`: the loop's own steps, borders whose times add up, and nothing left behind."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from engine.build import Parts
from engine.cli import command
from engine.contract.data import Data
from engine.contract.events import Compiled, Step
from engine.contract.feature_folder import cache_folder
from engine.contract.follower import Follower
from engine.contract.model import Model
from engine.contract.optimizer import LBFGS, SGD
from engine.contract.run_directory import RunDirectory
from engine.contract.toml_file import read
from engine.loop import train
from engine.profile_memory import MemoryWatch
from engine.profile_rehearsal import VALIDATED, WARM_UP, Rehearsal
from engine.profile_report import as_json
from engine.profile_steps import TRACED, Measured, measure
from engine.profile_timed import Steps
from engine.profile_verdict import verdict
from engine.run import build_located
from engine.timeline import (
    BACKWARD,
    DATA,
    FORWARD,
    LOSS,
    METRICS,
    OPTIMIZER,
    OTHER,
    HostClock,
    Timeline,
)
from tests.tiny import CLASSES, FEATURES, GivenBatches, in_batches, job_of, parts_of, samples
from tests.training import EXPERIMENT, TOP, draw_images, write_experiment

pytestmark = pytest.mark.usefixtures("one_thread")

PLAIN = EXPERIMENT[: EXPERIMENT.index("augment")] + EXPERIMENT[EXPERIMENT.index("[model]") :]


@dataclass
class Clock:
    """Goes when it is told to."""

    time: float = 0.0

    def now(self) -> float:
        return self.time

    def settle(self) -> None:
        """Nothing is on its way."""

    def seconds(self, since: float, until: float) -> float:
        return until - since


class Slow(torch.autograd.Function):
    """The identity, which takes a second forward and four backward."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, clock: Clock) -> Tensor:
        ctx.clock = clock
        clock.time += 1
        return inputs.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        ctx.clock.time += 4
        return grads[0], None


class SlowModel(nn.Module):
    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock, self.layer = clock, nn.Linear(FEATURES, CLASSES)

    def forward(self, inputs: Tensor) -> Tensor:
        output: Tensor = Slow.apply(self.layer(inputs), self.clock)
        return output


class SlowBatches(GivenBatches):
    """Each is waited for 16 seconds."""

    clock: Clock

    def train_batches(self, epoch: int, start: int = 0) -> Iterator[Any]:
        for batch in super().train_batches(epoch, start):
            self.clock.time += 16
            yield batch

    def val_batches(self) -> Iterator[Any]:
        for batch in super().val_batches():
            self.clock.time += 32
            yield batch


def slow_parts(clock: Clock, **given: Any) -> Parts:
    """Their loss takes 2 seconds, a step of the optimizer 8."""
    batches = in_batches(*samples(4 * 40), *[4] * 40)
    parts = parts_of(batches, val=batches[:9], model=SlowModel(clock), **given)
    data = SlowBatches(batches, batches[:9], "classification")
    data.clock = clock
    parts = replace(parts, data=data)  # type: ignore[arg-type]
    term = parts.criterion.terms[0]
    value = term.value

    def slow_value(*given: Any) -> Tensor:
        clock.time += 2
        return value(*given)

    term.value = slow_value  # type: ignore[method-assign]

    class Slow(type(parts.optimizer)):  # type: ignore[misc]
        def step(self, closure: Any = None) -> Any:
            result = super().step(closure)
            clock.time += 8
            return result

    parts.optimizer.__class__ = Slow
    return parts


def rehearsed(parts: Parts, folder: Path, clock: Any) -> Rehearsal:
    watch = MemoryWatch(parts.device, 0)
    return Rehearsal(parts, folder, clock, watch, lambda _: None)


def test_each_part_has_the_time_that_the_loop_spends_in_it(tmp_path: Path) -> None:
    clock = Clock()
    with rehearsed(slow_parts(clock), tmp_path, clock) as rehearsal:
        steps = rehearsal.steps(3)
        validation = rehearsal.validation()
    assert steps is not None
    assert (
        steps.seconds == [{DATA: 16, FORWARD: 1, LOSS: 2, BACKWARD: 4, OPTIMIZER: 8, OTHER: 0}] * 3
    )
    assert (steps.step, steps.samples, steps.evaluations) == (31, 12, 1)
    assert steps.samples_per_second == pytest.approx(4 / 31)
    assert steps.share(OPTIMIZER) == pytest.approx(8 / 31)
    assert validation is not None
    assert validation.seconds == [{DATA: 32, FORWARD: 1, METRICS: 0, OTHER: 0}] * VALIDATED


def test_accumulated_batches_are_one_step(tmp_path: Path) -> None:
    clock = Clock()
    parts = slow_parts(clock, train_section={"accumulate": 2, "clip_norm": 1.0})
    with rehearsed(parts, tmp_path, clock) as rehearsal:
        steps = rehearsal.steps(2)
    assert steps is not None
    assert (
        steps.seconds == [{DATA: 32, FORWARD: 2, LOSS: 4, BACKWARD: 8, OPTIMIZER: 8, OTHER: 0}] * 2
    )
    assert (steps.samples, steps.evaluations) == (16, 1)


def test_all_evaluations_of_lbfgs_are_told_together(tmp_path: Path) -> None:
    clock = Clock()
    parts = slow_parts(clock, optimizer=LBFGS(lr=0.1, max_iter=3))
    with rehearsed(parts, tmp_path, clock) as rehearsal:
        steps = rehearsal.steps(2)
    assert steps is not None
    assert steps.evaluations == 3
    assert (
        steps.seconds == [{DATA: 16, FORWARD: 3, LOSS: 6, BACKWARD: 12, OPTIMIZER: 8, OTHER: 0}] * 2
    )


def test_the_parts_of_a_step_add_up_to_it_whatever_is_between() -> None:
    clock = Clock()
    timeline = Timeline(clock)
    timeline.begin()
    for part, seconds in ((DATA, 3), (FORWARD, 2), (DATA, 1), (LOSS, 5)):
        clock.time += 0.5
        timeline.enter(part)
        clock.time += seconds
    marks = timeline.end()
    assert marks.seconds(clock) == {OTHER: 0.5, DATA: 3.5 + 1.5, FORWARD: 2.5, LOSS: 5.0}
    assert timeline.end().seconds(clock) == {OTHER: 0.0}, "the next step begins there"


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"train_section": {"precision": "fp16"}},
        {"train_section": {"accumulate": 3, "clip_norm": 0.1}},
        {"optimizer": LBFGS(lr=0.1, max_iter=3)},
        {"optimizer": SGD(lr=0.1, momentum=0.9)},
    ],
    ids=["plain", "fp16", "accumulated and clipped", "L-BFGS", "momentum"],
)
def test_the_steps_are_those_of_a_run(tmp_path: Path, given: dict[str, Any]) -> None:
    """Their losses, to the last bit, over the end of an epoch of 7 batches."""
    section = {"epochs": 20} | given.pop("train_section", {})

    def made() -> Parts:
        batches = in_batches(*samples(26), 4, 4, 4, 4, 4, 4, 2)
        return parts_of(batches, val=batches[:2], train_section=dict(section), **given)

    job = job_of(made(), tmp_path / "run")
    train(job)
    job.recorder.close()
    measure(made(), tmp_path / "profile", 12)
    run, profile = (losses(tmp_path / name) for name in ("run", "profile"))
    assert len(profile) == WARM_UP + 12 + TRACED
    assert profile == run[: len(profile)]


def losses(folder: Path) -> list[tuple[int, int, float | None, list[float]]]:
    (events,) = folder.rglob("events.jsonl")
    found = [event for event in Follower(events).events() if isinstance(event, Step)]
    return [(event.epoch, event.step, event.loss, event.lr) for event in found]


def test_the_steps_are_those_of_a_run_of_images_with_workers_and_a_schedule(
    experiment: Path, undisturbed: RunDirectory, tmp_path: Path
) -> None:
    """Over both epochs of four steps that were planned; then the plan is begun anew."""
    measure(build_located(read(experiment, ["train.cache=off"])), tmp_path, 1)
    run, profile = losses(undisturbed.path), losses(tmp_path)
    assert len(run) == 8
    assert profile[:8] == run
    assert [row[:2] for row in profile[8:]] == [(0, 0)]
    assert profile[8][3] == run[0][3]


def test_a_layer_has_the_backward_time_of_what_it_made(tmp_path: Path) -> None:
    model = nn.Sequential()
    model.add_module("body", nn.Sequential(nn.Linear(FEATURES, 400), nn.Tanh()))
    model.add_module("frozen", nn.Linear(400, FEATURES))
    model.add_module("head", nn.Linear(FEATURES, CLASSES))
    section = Model(backbone="resnet18", freeze=["frozen"])
    parts = parts_of(in_batches(*samples(40), *[4] * 10), model=model, model_section=section)
    traced = measure(parts, tmp_path, 2).traced
    layers = {layer.name: layer for layer in [*traced.layers, *traced.rest]}
    assert {name.partition(".")[0] for name in layers} == {"body", "frozen", "head"}
    assert all(layer.forward > 0 for layer in layers.values())
    assert all(layer.backward > 0 for layer in layers.values()), "gradients go through frozen ones"
    assert [name for name, layer in layers.items() if layer.frozen] == ["frozen"]
    assert {one.name for one in traced.operations} >= {"aten::addmm", "aten::mm"}
    assert sum(one.share for one in traced.operations) <= 1 + 1e-9


def test_a_frozen_beginning_has_no_backward_time(tmp_path: Path) -> None:
    model = nn.Sequential()
    model.add_module("frozen", nn.Linear(FEATURES, FEATURES))
    model.add_module("head", nn.Linear(FEATURES, CLASSES))
    section = Model(backbone="resnet18", freeze=["frozen"])
    parts = parts_of(in_batches(*samples(40), *[4] * 10), model=model, model_section=section)
    layers = {layer.name: layer for layer in measure(parts, tmp_path, 2).traced.layers}
    assert layers["frozen"].backward == 0 < layers["head"].backward


def test_nothing_names_modules_or_parts_any_more_afterwards(tmp_path: Path) -> None:
    parts = parts_of(in_batches(*samples(40), *[4] * 10))
    measure(parts, tmp_path, 2)
    assert not any(module._forward_hooks for module in parts.model.modules())


# The command, on images


@pytest.fixture(autouse=True)
def empty_cache() -> Iterator[None]:
    shutil.rmtree(cache_folder(), ignore_errors=True)
    yield
    shutil.rmtree(cache_folder(), ignore_errors=True)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """24 training images without augmentation: 6 batches, 3 steps an epoch."""
    draw_images(tmp_path / "images" / "train", {"bee": 8, "ant": 16})
    draw_images(tmp_path / "images" / "val", {"bee": 4, "ant": 4})
    (tmp_path / "small.toml").write_text(PLAIN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def as_object(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert command(["profile", "small.toml", "--json", *arguments]) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


def test_the_json_has_the_table_and_its_parts_add_up(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = as_object(capsys, "--steps", "4", "--set", "data.workers=0")
    training = told["training"]
    assert [row["part"] for row in training["parts"]] == [
        DATA,
        FORWARD,
        LOSS,
        BACKWARD,
        OPTIMIZER,
        OTHER,
    ]
    assert sum(row["ms"] for row in training["parts"]) == pytest.approx(training["ms"])
    assert sum(row["share"] for row in training["parts"]) == pytest.approx(1)
    assert training["samples_per_second"] == pytest.approx(8 / (training["ms"] / 1000))
    assert (training["steps"], told["warm_up"], told["accumulate"]) == (4, WARM_UP, 2)
    assert told["parameters"]["trained"] < told["parameters"]["total"]
    assert told["memory"]["peak"] > told["memory"]["before"] > 0
    assert told["device_busy_ms"] is None
    assert told["layers"][0]["forward_ms"] > 0
    assert told["operations"][0]["operation"].startswith("aten::")
    assert {row["part"] for row in told["validation"]["parts"]} == {DATA, FORWARD, METRICS, OTHER}
    assert told["verdict"]


def test_the_table_has_every_part_and_fits_eighty_columns(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    overrides = ["--set", "data.workers=0", "--set", 'model.freeze=["*"]']
    assert command(["profile", "small.toml", "--steps", "2", *overrides]) == 0
    shown = capsys.readouterr().out
    for word in (DATA, FORWARD, BACKWARD, OPTIMIZER, "samples/s", "memory:", "later epochs"):
        assert word in shown
    tables = [line.rstrip() for line in shown.splitlines() if "%" in line and "  " in line]
    assert tables
    assert max(map(len, tables)) <= 80


def test_nothing_is_written_but_the_trace(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With frozen layers computed once, and every checkpoint setting that could write."""
    monkeypatch.setenv("PTRAIN_RUNS", str(folder / "runs"))
    monkeypatch.setenv("TMPDIR", str(folder / "tmp"))
    (folder / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", None)
    before = contents(folder)
    freeze = ["--set", 'model.freeze=["*"]', "--set", "train.cache=on"]
    told = as_object(capsys, "--steps", "2", "--set", "checkpoint.every_steps=1", *freeze)
    assert told["later_epochs"]["steps"] == 2
    assert contents(folder) == before
    assert not cache_folder().exists()
    assert list((folder / "tmp").iterdir()) == []


def test_the_first_epoch_is_told_as_it_computes_and_later_ones_from_what_is_kept(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Though the steps that are counted are more than an epoch and than the whole plan."""
    freeze = ["--set", 'model.freeze=["*"]', "--set", "train.cache=on", "--set", "train.epochs=1"]
    single = ["--set", "data.workers=0", "--set", "data.batch_size=1"]
    told = as_object(capsys, "--steps", "7", *single, *freeze)
    assert told["training"]["steps"] == told["later_epochs"]["steps"] == 7
    assert told["later_validation"]["steps"] == told["validation"]["steps"] == VALIDATED
    assert "frozen up to" in told["kept"]["training"]
    frozen = [layer["layer"] for layer in told["layers"] if layer["frozen"]]
    assert any(name.startswith("layers.") for name in frozen)


@pytest.mark.parametrize("workers", [0, 2])
def test_prepared_images_are_read_in_the_first_epoch_and_taken_in_later_ones(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    workers: int,
) -> None:
    """With random images and nothing frozen, over several epochs of three steps."""
    monkeypatch.setattr("engine.image_cache.PAYS", float("inf"))  # whatever it measures
    augment = 'data.augment=[{name="RandomHorizontalFlip"}]'
    given = ["--set", augment, "--set", "model.freeze=[]", "--set", f"data.workers={workers}"]
    told = as_object(capsys, "--steps", "7", *given)
    assert "images: prepared once" in told["kept"]["training"]
    assert told["training"]["steps"] == told["later_epochs"]["steps"] == 7
    assert not cache_folder().exists()


def test_where_nothing_is_kept_there_are_no_later_epochs(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.image_cache.PAYS", 0.0)
    augment = 'data.augment=[{name="RandomHorizontalFlip"}]'
    told = as_object(capsys, "--steps", "1", "--set", augment, "--set", 'model.freeze=["*"]')
    assert told["later_epochs"] is None
    assert "other images" in told["kept"]["training"]


def test_the_trace_has_the_parts_and_the_layers_as_ranges(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("trace.json", "trace.json.gz"):
        told = as_object(capsys, "--steps", "1", "--trace", name, "--set", "data.workers=0")
        assert told["trace"] == name
        packed = (folder / name).read_bytes()
        trace = json.loads(gzip.decompress(packed) if name.endswith(".gz") else packed)
        ranges = [
            event["name"] for event in trace["traceEvents"] if event.get("cat") == "user_annotation"
        ]
        assert {"step", DATA, FORWARD, LOSS, BACKWARD, OPTIMIZER, "layers.0"} <= {*ranges}
        assert ranges.count(BACKWARD) == 2 * TRACED, "two batches a step"


def test_without_validation_there_is_none_to_tell(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = PLAIN.replace('val = "val"', 'val = "none"')
    text = text[: text.index('[[scheduler]]\nname = "Reduce')] + text[text.index("[train]") :]
    (folder / "small.toml").write_text(text)
    assert as_object(capsys, "--steps", "1")["validation"] is None


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["small.toml", "--set", "train.epoch=3"], 'did you mean "epochs"?'),
        (["small.toml", "--set", 'model.freeze=["nothing"]'], "matches no module"),
        (["small.toml", "--device", "cuda:99"], "train.device"),
        (["small.toml", "--trace", "nowhere/trace.json"], "is not there"),
        (["small.toml", "--trace", "images"], "is a folder"),
        (["missing.toml"], "missing.toml"),
        (["small.toml", "--steps", "0"], "--steps"),
    ],
)
def test_wrong_input_is_told_and_ends_with_2(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert command(["profile", *arguments]) == 2
    assert told in capsys.readouterr().err


def test_problems_are_an_object_with_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["profile", "small.toml", "--json", "--set", "train.epoch=3"]) == 2
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert problem["key"] == "train.epoch"


def test_an_image_that_cannot_be_read_ends_it_as_it_would_end_the_run(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for image in sorted((folder / "images" / "train").rglob("*.png"))[1:]:
        image.write_bytes(b"")
    assert command(["profile", "small.toml", "--steps", "1"]) in (1, 2)
    assert "can't be read as an image" in capsys.readouterr().err


@pytest.mark.slow
def test_ctrl_c_ends_it_with_130_and_leaves_no_process_and_no_folder(folder: Path) -> None:
    temporary = folder / "tmp"
    temporary.mkdir()
    environment = os.environ | {"TMPDIR": str(temporary), "PYTHONPATH": str(TOP)}
    # As at a terminal: what a shell starts in the background ignores Ctrl+C, as its children do.
    program = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from engine.cli import main; sys.argv[0] = 'ptrain'; main()"
    )
    arguments = ["profile", "small.toml", "--steps", "1000000"]
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    )
    try:
        limit = time.monotonic() + 300
        while process.poll() is None and not _has_steps(temporary) and time.monotonic() < limit:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in error
    assert not list(temporary.glob("ptrain-*"))
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def _has_steps(folder: Path) -> bool:
    return any(path.stat().st_size for path in folder.rglob("events.jsonl"))


# The verdict


_NAMES = {"data": DATA, "forward": FORWARD, "loss": LOSS, "optimizer": OPTIMIZER, "other": OTHER}


def measured_of(parts: Parts, folder: Path, **seconds: float) -> Measured:
    """As if a step had taken that."""
    step = {_NAMES[name]: value for name, value in seconds.items()}
    return replace(measure(parts, folder, 1), training=Steps([step], 4))


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        ({"data": 7.0, "forward": 3.0}, "input-bound: 70 % of a step waits for data; write"),
        ({"forward": 9.0, "data": 1.0}, "the CPU is the limit: forward and backward take 90 %"),
        ({"forward": 6.0, "loss": 4.0}, "the loss is the limit: it takes 40 % of a step"),
        ({"forward": 5.0, "optimizer": 5.0}, "the optimizer is the limit: it takes 50 % of a step"),
        ({"forward": 5.0, "other": 5.0}, "50 % of a step is between its parts"),
    ],
)
def test_the_verdict_names_what_limits(
    tmp_path: Path, seconds: dict[str, float], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.profile_verdict._cores", lambda: 8)
    parts = parts_of(in_batches(*samples(40), *[4] * 10))
    assert verdict(parts, measured_of(parts, tmp_path, **seconds)).startswith(told)


@pytest.mark.parametrize(
    ("later", "told"),
    [
        ({"forward": 1.0}, "the first epoch is input-bound: 70 % of a step waits for data; later"),
        ({"data": 0.5, "forward": 0.5}, "input-bound: 70 % of a step waits for data; in later"),
    ],
)
def test_of_an_input_bound_first_epoch_the_later_ones_are_told(
    tmp_path: Path, later: dict[str, float], told: str
) -> None:
    parts = parts_of(in_batches(*samples(40), *[4] * 10))
    measured = measured_of(parts, tmp_path, data=7.0, forward=3.0)
    kept = Steps([{_NAMES[name]: value for name, value in later.items()}], 4)
    told_of = verdict(parts, replace(measured, later=kept))
    assert told_of.startswith(told)
    assert told_of.endswith("10 times as fast") or "in later epochs 50 %; write" in told_of


@pytest.mark.parametrize(
    ("workers", "cores", "advice"),
    [
        (0, 8, "write workers = 3 under [data]"),  # 7 s to load what 3 s compute
        (2, 8, "write workers = 7 under [data]"),  # 2 x 10 s to load it, by those two
        (2, 4, "write workers = 4 under [data]"),
        (4, 4, "workers = 4 is as many as 4 cores can do: smaller image files load faster"),
    ],
)
def test_as_many_workers_are_advised_as_would_be_in_time_and_have_a_core(
    tmp_path: Path, workers: int, cores: int, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.profile_verdict._cores", lambda: cores)
    parts = parts_of(in_batches(*samples(40), *[4] * 10))
    measured = measured_of(parts, tmp_path, data=7.0, forward=3.0)
    parts.data.workers = workers
    assert verdict(parts, measured).endswith(advice)


def test_on_a_gpu_that_is_hardly_busy_a_larger_batch_is_advised(tmp_path: Path) -> None:
    parts = parts_of(in_batches(*samples(40), *[4] * 10), data=Data(batch_size=4))
    measured = measured_of(parts, tmp_path, forward=0.010)
    busy = replace(measured, traced=replace(measured.traced, busy=3.0))
    assert "busy for 30 % of a step only; a larger batch_size" in verdict(parts, busy)
    assert as_json(parts, busy, None)["device_busy_ms"] == 3.0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_cuda_the_parts_are_the_devices_and_add_up_to_what_the_clock_on_the_wall_says(
    tmp_path: Path,
) -> None:
    write_experiment(tmp_path, EXPERIMENT.replace('device = "cpu"', 'device = "cuda"'))
    parts = build_located(read(tmp_path / "small.toml"))
    began = HostClock(torch.device("cpu")).now()
    told = as_json(parts, measure(parts, tmp_path / "run", 3), None)
    took = 1000 * (HostClock(torch.device("cpu")).now() - began)
    assert 0 < 3 * told["training"]["ms"] < took
    assert sum(row["share"] for row in told["training"]["parts"]) == pytest.approx(1)
    assert told["device_busy_ms"] > 0
    assert told["memory"]["reserved"] >= told["memory"]["peak"] > 0
    assert told["layers"][0]["forward_ms"] > 0 < told["layers"][0]["backward_ms"]


def test_a_compiled_model_is_one_layer_and_is_measured_after_compiling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With torch's backend that only traces: the real one needs a compiler and a minute."""
    monkeypatch.setattr("engine.parts.compiling.BACKEND", "aot_eager")
    batches = in_batches(*samples(4 * 20), *[4] * 20)
    section = {"compile": "default"}
    parts = parts_of(batches, data=Data(batch_size=4), train_section=section)
    measured = measure(parts, tmp_path, 3)
    assert (measured.traced.layers, len(measured.training.seconds)) == ([], 3)
    assert measured.traced.operations
    (events,) = tmp_path.rglob("events.jsonl")
    assert any(isinstance(event, Compiled) for event in Follower(events).events())

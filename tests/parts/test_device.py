"""Which device is taken, on machines with and without GPUs."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch

from engine.contract.problems import InputError, Problem
from engine.contract.training import Train
from engine.parts.device import (
    available,
    build_autocast,
    build_device,
    build_scaler,
    place_model,
    placed,
    use_channels_last,
)

CPU = torch.device("cpu")


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.fixture
def two_gpus(monkeypatch):
    free = {"cuda:0": (1_000, 8_000), "cuda:1": (7_000, 8_000)}
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "mem_get_info", free.__getitem__)


def problem(**train: str) -> Problem:
    with pytest.raises(InputError) as caught:
        build_device(Train(epochs=1, **train))
    (found,) = caught.value.problems
    return found


def test_auto_is_the_cpu_where_there_is_nothing_else(no_gpu):
    assert available() == ["cpu"]
    assert build_device(Train(epochs=1)) == CPU


def test_auto_is_the_gpu_with_the_most_free_memory(two_gpus):
    assert build_device(Train(epochs=1)) == torch.device("cuda:1")


def test_auto_is_mps_on_a_mac(no_gpu, monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert build_device(Train(epochs=1)) == torch.device("mps")


def test_a_named_device_is_taken_and_cuda_is_the_first(two_gpus):
    assert build_device(Train(epochs=1, device="cpu")) == CPU
    assert build_device(Train(epochs=1, device="cuda")) == torch.device("cuda:0")
    assert build_device(Train(epochs=1, device="cuda:1")) == torch.device("cuda:1")


def test_a_device_that_is_not_there_is_told_with_those_that_are(two_gpus):
    found = problem(device="cuda:3")
    assert found.key == "train.device"
    assert found.message == 'there is no device "cuda:3"'
    assert all(f'"{name}"' in found.hint for name in ("cpu", "cuda:0", "cuda:1"))


@pytest.mark.parametrize("device", ["cuda", "cuda:0", "mps"])
def test_a_gpu_is_a_problem_where_there_is_none(no_gpu, device):
    assert problem(device=device).message == f'there is no device "{device}"'


def test_fp16_on_mps_is_a_problem(no_gpu, monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert problem(device="mps", precision="fp16").key == "train.precision"


@pytest.mark.parametrize(
    ("precision", "dtype"), [("bf16", torch.bfloat16), ("fp16", torch.float16)]
)
def test_half_precisions_run_in_autocast_again_and_again(precision, dtype):
    autocast = build_autocast(Train(epochs=1, precision=precision), CPU)
    layer = torch.nn.Linear(2, 2)
    for _ in range(2):
        with autocast:
            assert layer(torch.ones(1, 2)).dtype == dtype
        assert layer(torch.ones(1, 2)).dtype == torch.float32


def test_fp32_runs_without_autocast():
    assert isinstance(build_autocast(Train(epochs=1), CPU), nullcontext)


@pytest.mark.parametrize(
    ("precision", "scales"), [("fp32", False), ("bf16", False), ("fp16", True)]
)
def test_only_fp16_scales_its_gradients(precision, scales):
    assert build_scaler(Train(epochs=1, precision=precision), CPU).is_enabled() is scales


CONVOLVING = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Conv2d(4, 4, 3))
PATCHING = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Linear(4, 4))


@pytest.mark.parametrize(
    ("device", "precision", "model", "expected"),
    [
        ("cuda", "bf16", CONVOLVING, True),
        ("cuda", "fp16", CONVOLVING, True),
        ("cuda", "fp32", CONVOLVING, False),
        ("cuda", "bf16", PATCHING, False),
        ("cpu", "bf16", CONVOLVING, False),
        ("mps", "bf16", CONVOLVING, False),
    ],
)
def test_channels_come_last_by_themselves_where_cuda_convolves_in_half_precision(
    device, precision, model, expected
):
    section = Train(epochs=1, precision=precision)
    assert use_channels_last(section, torch.device(device), model) is expected
    for word, said in (("on", True), ("off", False)):
        section = Train(epochs=1, precision=precision, channels_last=word)
        assert use_channels_last(section, torch.device(device), model) is said


def test_a_model_and_its_images_lie_in_memory_as_asked():
    images, numbers = torch.randn(2, 3, 5, 5), torch.randn(2, 3)
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    place_model(model, CPU, True)
    assert model[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model(placed(images, CPU, True)).is_contiguous(memory_format=torch.channels_last)
    for tensor in (images, numbers):
        assert torch.equal(placed(tensor, CPU, True), tensor)
        assert placed(tensor, CPU, False) is tensor

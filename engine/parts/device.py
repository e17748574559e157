"""[train] device, precision and channels_last → a torch.device, autocast, the gradient scaler, and
how tensors lie in memory."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from engine.contract.problems import InputError, Problem
from engine.contract.training import Train


def available() -> list[str]:
    """The names that `train.device` takes on this machine."""
    names = ["cpu"] + [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    return [*names, "mps"] if torch.backends.mps.is_available() else names


def build_device(train: Train) -> torch.device:
    """The chosen device. Raises InputError with those that are there."""
    there = available()
    if train.device == "auto":
        return torch.device(_best(there))
    name = "cuda:0" if train.device == "cuda" else train.device
    if name not in there:
        others = ", ".join(f'"{other}"' for other in there)
        hint = f'here are: {others}; "auto" takes the best of them'
        raise InputError(Problem(f'there is no device "{train.device}"', "train.device", hint))
    device = torch.device(name)
    if train.precision == "fp16" and device.type == "mps":
        raise InputError(
            Problem("torch's gradient scaler doesn't run on mps", "train.precision", 'use "bf16"')
        )
    return device


def _best(there: list[str]) -> str:
    """The CUDA device with the most free memory: on a shared machine the one nobody is using."""
    cuda = [name for name in there if name.startswith("cuda")]
    if cuda:
        return max(cuda, key=lambda name: torch.cuda.mem_get_info(name)[0])
    return "mps" if "mps" in there else "cpu"


def build_autocast(train: Train, device: torch.device) -> AbstractContextManager[object]:
    """A context to run model and loss in; entered anew for every batch."""
    if train.precision == "fp32":
        return nullcontext()
    dtype = torch.bfloat16 if train.precision == "bf16" else torch.float16
    return torch.autocast(device.type, dtype)


def build_scaler(train: Train, device: torch.device) -> torch.amp.GradScaler:
    """Scales fp16 losses so that small gradients don't vanish; does nothing in fp32 and bf16."""
    return torch.amp.GradScaler(device.type, enabled=train.precision == "fp16")


def use_channels_last(train: Train, device: torch.device, model: nn.Module) -> bool:
    """Whether the model and its images lie in memory as torch.channels_last.

    On a GPU cuDNN's half-precision convolutions work by pixel, and in the other order each would
    turn its input around and back. In fp32, and on the CPU, nothing is gained for certain, and the
    numbers stay those of torch's own order. A transformer has one convolution, which cuts the image
    into patches; it doesn't count.
    """
    if train.channels_last != "auto":
        return train.channels_last == "on"
    convolutions = sum(isinstance(module, nn.Conv2d) for module in model.modules())
    return device.type == "cuda" and train.precision != "fp32" and convolutions > 1


def place_model(model: nn.Module, device: torch.device, channels_last: bool) -> None:
    """Only the strides of 4-d weights are others; names, shapes and values stay."""
    model.to(device)
    if channels_last:
        model.to(memory_format=torch.channels_last)


def placed(tensor: Tensor, device: torch.device, channels_last: bool) -> Tensor:
    """Inputs, or features in their place, on the device; from pinned memory without waiting.

    In two steps: turned around by the device, which does it in no time, not by the CPU.
    """
    moved = tensor.to(device, non_blocking=True)
    if channels_last and moved.ndim == 4:
        return moved.contiguous(memory_format=torch.channels_last)
    return moved

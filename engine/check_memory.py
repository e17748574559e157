"""How much memory a training step takes, without taking it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import psutil
import torch
from torch import Tensor
from torch.func import functional_call

from engine.build import Parts
from engine.contract.optimizer_base import OptimizerSection
from engine.contract.problems import Problem
from engine.parts.backbones import main_and_auxiliary
from engine.parts.batches import Batch
from engine.trial import modes_kept, tensors_of

GIB = 2**30
# Tensors of the size of the parameters that each class keeps; those with a switch are below.
STATES = {
    "Adadelta": 2, "Adagrad": 1, "Adam": 2, "AdamW": 2, "Adamax": 2, "ASGD": 1, "NAdam": 2,
    "RAdam": 2, "RMSprop": 1, "Rprop": 2, "Adafactor": 0, "Muon": 1, "SGD": 0,
}  # fmt: skip


class Memory(NamedTuple):
    """Bytes."""

    total: int
    free: int


class Need(NamedTuple):
    """Bytes. `batch`: the images, and what autograd keeps of them until the gradients are there."""

    weights: int
    optimizer: int
    gradients: int
    batch: int

    @property
    def step(self) -> int:
        """Beside the weights. While gradients come into being, what they were made of goes."""
        return self.optimizer + max(self.batch, self.gradients)


def memory_problems(parts: Parts, batch: Batch) -> Iterator[Problem]:
    """`batch`: a real one, for its shape. An error where a step is sure not to fit; a warning
    where it doesn't fit beside what else is in the memory now."""
    need = needed(parts, parts.data.inputs(batch).shape[1:])
    memory = device_memory(parts.device)
    if need is None or need.step <= memory.free:
        return
    size = parts.experiment.data.batch_size
    told = f"a step with a batch of {size} takes about {_gib(need.weights + need.step)}"
    if need.weights + need.step > memory.total:
        message = f"{told}, and {parts.device} has {_gib(memory.total)}"
        hint = _remedy(parts, memory.total - need.weights - need.optimizer, need.batch)
        yield Problem(message, "data.batch_size", hint)
    else:
        message = f"{told}, and of {parts.device} {_gib(memory.free)} are free"
        hint = _remedy(parts, memory.free - need.optimizer, need.batch)
        hint += "; or end what else uses it"
        yield Problem(message, "data.batch_size", hint, severity="warning")


def _remedy(parts: Parts, room: int, batch: int) -> str:
    """The largest batch of which a whole number makes the same step, with a tenth to spare."""
    size, accumulate = parts.experiment.data.batch_size, parts.experiment.train.accumulate
    fitting = int(0.9 * room * size / max(1, batch))
    if fitting < 1:
        return "write a smaller image_size, freeze more of the model, or choose a smaller backbone"
    parted = next(count for count in range(2, size + 1) if -(-size // count) <= fitting)
    smaller = -(-size // parted)
    return (
        f"write batch_size = {smaller} here and accumulate = {parted * accumulate} under [train]: "
        "the same step"
    )


def too_large(parts: Parts) -> Problem:
    """What is told where the memory did run out."""
    size, accumulate = parts.experiment.data.batch_size, parts.experiment.train.accumulate
    half = f"batch_size = {max(1, size // 2)} and accumulate = {2 * accumulate} under [train]"
    message = f"a batch of {size} doesn't fit into the memory of {parts.device}"
    return Problem(message, "data.batch_size", f"write {half}: the same step in half the memory")


def device_memory(device: torch.device) -> Memory:
    """What torch holds and doesn't use counts as free."""
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return Memory(total, free + held)
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    return Memory(memory.total + swap.total, memory.available)


def needed(parts: Parts, shape: torch.Size) -> Need | None:
    """For images of this shape, (channels, height, width). None where the model can't be run
    without memory.

    What a layer needs only while it computes is left out. Measured on the CPU at 224 px, the growth
    of the process in its first step, in GiB, against this without the images: resnet18 with a batch
    of 32 0.69 and 0.68, mobilenet_v2 with 16 1.18 and 1.16, swin_t with 8 0.83 and 0.89. Takes 0.05
    to 0.2 s.
    """
    size = parts.experiment.data.batch_size
    activations = saved_bytes(parts, torch.Size((size, *shape)))
    if activations is None:
        return None
    trained = sum(p.numel() * p.element_size() for p in parts.trained)
    now = sum(p.numel() * p.element_size() for p in parts.trained if p.requires_grad)
    weights = sum(t.numel() * t.element_size() for t in tensors_of(parts.model).values())
    inputs = 4 * size * shape.numel()
    state = int(states(parts.experiment.optimizer) * trained)
    return Need(weights, state, now, inputs + activations)


def states(section: OptimizerSection) -> float:
    """How many tensors of the parameters' size the optimizer keeps."""
    values: dict[str, Any] = section.model_dump()
    if values["name"] == "LBFGS":  # two vectors for each step that it remembers, and a few more
        return 2 * int(values["history_size"]) + 3
    switches = ("momentum", "amsgrad", "centered")
    more = sum(bool(values.get(switch)) for switch in switches if values["name"] != "Muon")
    return STATES.get(values["name"], 1) + more


def saved_bytes(parts: Parts, shape: torch.Size) -> int | None:
    """What autograd keeps of a forward of (batch, channels, height, width), on the meta device:
    shapes without memory. In half precision half of it, which is a little too little."""
    model = parts.model
    stand_ins = {name: _shape_of(tensor) for name, tensor in tensors_of(model).items()}
    for name, parameter in model.named_parameters():
        stand_ins[name].requires_grad_(parameter.requires_grad)
    known = {tensor.untyped_storage()._cdata for tensor in stand_ins.values()}
    kept: dict[int, Tensor] = {}  # the tensors too: a storage's address may be used again

    def keep(tensor: Tensor) -> Tensor:
        place = tensor.untyped_storage()._cdata
        if place not in known and tensor.device.type == "meta":
            kept[place] = tensor
        return tensor

    inputs = torch.empty(shape, device="meta")
    known.add(inputs.untyped_storage()._cdata)
    try:
        with (
            modes_kept(parts),
            torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        ):
            parts.freezing.train_mode(model)
            output, _ = main_and_auxiliary(functional_call(model, stand_ins, (inputs,)))
            output.float().log_softmax(1)  # about what a loss keeps
    except (RuntimeError, ValueError, NotImplementedError):
        return None  # the step itself tells what is wrong
    total = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    return total if parts.experiment.train.precision == "fp32" else total // 2


def _shape_of(tensor: Tensor) -> Tensor:
    return torch.empty_like(tensor, device="meta")


def _gib(amount: int) -> str:
    return f"{amount / GIB:.3g} GiB"

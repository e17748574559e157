"""Training for a moment without a trace: everything is put back exactly as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from engine.build import Parts
from engine.snapshot import generators, restore_generators


@dataclass(frozen=True)
class Trial:
    """`parts`: to do anything with. `before`: every tensor of the model as it was, on the CPU, by
    its name in the state dict (and those that are in none)."""

    parts: Parts
    before: dict[str, Tensor]


def tensors_of(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers, those that no state dict has among them."""
    return {
        **{name: parameter.detach() for name, parameter in model.named_parameters()},
        **dict(model.named_buffers()),
    }


@contextmanager
def trial(parts: Parts) -> Iterator[Trial]:
    """The model and the optimizer themselves are tried, and put back; the loss, the metrics and
    the scaler are copies. So a GPU needs no room for a second model; the CPU needs it once.

    What one's own loss keeps outside of itself, in a module's globals, is not put back.
    """
    before = {name: tensor.to("cpu", copy=True) for name, tensor in tensors_of(parts.model).items()}
    held = {parameter: deepcopy(state) for parameter, state in parts.optimizer.state.items()}
    groups = [_settings(group) for group in parts.optimizer.param_groups]
    try:
        with modes_kept(parts):
            yield Trial(_with_copies(parts), before)
    finally:
        for name, tensor in tensors_of(parts.model).items():
            tensor.copy_(before[name])
        for parameter in parts.model.parameters():
            parameter.grad = None
        parts.optimizer.state.clear()
        parts.optimizer.state.update(held)
        for group, settings in zip(parts.optimizer.param_groups, groups, strict=True):
            group.update(settings)


@contextmanager
def modes_kept(parts: Parts) -> Iterator[None]:
    """The training mode of each module, and the random generators, are as before afterwards."""
    states = generators(parts.device)
    modes = [(module, module.training) for module in parts.model.modules()]
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
        restore_generators(states, parts.device)


def _settings(group: dict[str, Any]) -> dict[str, Any]:
    return {key: deepcopy(value) for key, value in group.items() if key != "params"}


def _with_copies(parts: Parts) -> Parts:
    copies: dict[str, Any] = {}
    for name in ("criterion", "metrics", "scaler"):
        try:
            copies[name] = deepcopy(getattr(parts, name))
        except Exception:  # one's own loss may hold what can't be copied, an open file for one
            copies[name] = getattr(parts, name)
    return replace(parts, **copies)


def same(one: Tensor, other: Tensor) -> bool:
    """Bit for bit, but that NaN is NaN."""
    if torch.equal(one, other):
        return True
    return one.is_floating_point() and torch.allclose(one, other, rtol=0, atol=0, equal_nan=True)

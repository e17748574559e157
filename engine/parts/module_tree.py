"""A model's modules with the shapes that go in and come out, and what becomes of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from engine.contract.optimizer import Optimizer
from engine.parts.freezing import NORM_LAYERS
from engine.parts.optimizers import parameter_groups
from engine.parts.unfreezing import Stages

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Layer:
    """One module, or one parameter that a module with others inside holds itself."""

    name: str
    """Dotted; empty for the model itself."""
    kind: str
    """The class's name."""
    depth: int
    """The dots in its name, plus one; 0 for the model itself."""
    shape_in: Shape | None
    shape_out: Shape | None
    """Of the first call with a batch of one; None where the module is never called itself."""
    parameters: int
    """All inside it, shared ones once."""
    own: dict[str, int]
    """The parameters that it holds itself, by their last name, with their numbers of elements."""
    norm: bool
    """Whether it is a norm layer, which freeze_norm = false spares."""
    epochs: list[int | None]
    """When its parameters begin to train, each answer once: 0 for from the start, None for never.
    For a module without any it is [None] where it is held in evaluation mode."""
    groups: list[str]
    lrs: list[float]
    """The optimizer's groups that its parameters are in, and their base learning rates."""

    @property
    def state(self) -> str:
        """trains | frozen | later | partly, or empty for what has nothing to train."""
        if len(self.epochs) > 1:
            return "partly"
        states = {None: "frozen", 0: "trains"}
        return states.get(self.epochs[0], "later") if self.epochs else ""


def module_tree(
    model: nn.Module,
    image_size: int,
    stages: Stages | None = None,
    optimizer: Optimizer | None = None,
) -> list[Layer]:
    """Every module in the order of definition, the model itself first.

    `model` is on the meta device, and the square image of `image_size` pixels that goes through has
    no numbers. With `stages`, it is as `build_stages` leaves it: with a gradient for all that will
    ever train. Raises InputError for groups that match nothing.
    """
    seen = _shapes(model, image_size)
    groups = _groups(optimizer, model) if optimizer is not None else {}
    still = set(stages.enter(0).evaluating) if stages is not None else set()
    layers = []
    for name, module in model.named_modules():
        inside = dict(module.named_parameters(prefix=name))
        epochs = _epochs(list(inside), stages) or ([None] if module in still else [])
        shapes = seen.get(name, (None, None))
        kind, depth = type(module).__name__, name.count(".") + bool(name)
        count = sum(p.numel() for p in inside.values())
        own = {each: p.numel() for each, p in module.named_parameters(recurse=False)}
        norm = isinstance(module, NORM_LAYERS)
        layers.append(
            Layer(name, kind, depth, *shapes, count, own, norm, epochs, *_of(inside, groups))
        )
        if next(module.children(), None) is not None:
            for named, parameter in module.named_parameters(prefix=name, recurse=False):
                one = {named: parameter}
                kind, shape = "Parameter", tuple(parameter.shape)
                layers.append(
                    Layer(named, kind, named.count(".") + 1, None, shape, parameter.numel(),
                          {}, norm, _epochs([named], stages), *_of(one, groups))
                )  # fmt: skip
    return layers


def _epochs(parameters: list[str], stages: Stages | None) -> list[int | None]:
    found = [stages.first_epoch(name) if stages is not None else 0 for name in parameters]
    return list(dict.fromkeys(found))


def _groups(section: Optimizer, model: nn.Module) -> dict[nn.Parameter, tuple[str, float]]:
    return {
        parameter: (group["name"], float(group.get("lr", section.lr)))
        for group in parameter_groups(section, model)
        for parameter in group["params"]
    }


def _of(
    inside: Mapping[str, nn.Parameter], groups: dict[nn.Parameter, tuple[str, float]]
) -> tuple[list[str], list[float]]:
    found = list(dict.fromkeys(groups[p] for p in inside.values() if p in groups))
    return [name for name, _ in found], [lr for _, lr in found]


def _shapes(model: nn.Module, size: int) -> dict[str, tuple[Shape | None, Shape | None]]:
    """Name → (in, out), from one forward in training mode, where the auxiliary branches run too."""
    seen: dict[str, tuple[Shape | None, Shape | None]] = {}

    def watch(name: str) -> Callable[..., None]:
        def look(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
            seen.setdefault(name, (_shape([*args, *kwargs.values()]), _shape(output)))

        return look

    handles: list[RemovableHandle] = [
        module.register_forward_hook(watch(name), with_kwargs=True)
        for name, module in model.named_modules()
    ]
    model.train()
    for module in model.modules():
        if isinstance(module, NORM_LAYERS):
            module.eval()  # which takes a batch of one at any size
    try:
        with torch.no_grad():
            model(torch.empty(1, 3, size, size, device="meta"))
    finally:
        for handle in handles:
            handle.remove()
    return seen


def _shape(value: Any) -> Shape | None:
    """Of the first tensor in it."""
    if isinstance(value, Tensor):
        return tuple(value.shape)
    parts = value.values() if isinstance(value, Mapping) else value
    if not isinstance(value, list | tuple | Mapping):
        return None
    return next((found for part in parts if (found := _shape(part)) is not None), None)

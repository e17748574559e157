"""Frozen means frozen: no gradient, no optimizer state, and no drift of what a module keeps.

`requires_grad=False` alone does not freeze: BatchNorm statistics move and dropout acts while the
module is in training mode, and every `.train()` puts it back there. So a frozen module is kept in
evaluation mode, and `Freezing.train_mode` takes the place of `.train()`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import nn
from torch.nn.modules.batchnorm import _NormBase  # BatchNorm*, SyncBatchNorm and InstanceNorm*

from engine.contract.freezing import decision, is_still, matches, takes
from engine.contract.problems import InputError, Problem, did_you_mean, few

NORM_LAYERS = (_NormBase, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)


# A parameter or a module: what a pattern decides about.
Thing = nn.Parameter | nn.Module


@dataclass(frozen=True)
class Freezing:
    """What trains and what doesn't; names are the model's dotted names."""

    frozen: list[str]
    """The topmost wholly frozen modules, and single frozen parameters outside of them."""
    trainable: list[str]
    """The topmost modules whose every parameter trains, and single parameters outside of them."""
    total: int
    trainable_count: int
    """Numbers of parameters, shared ones counted once."""
    frozen_norms: int
    """Norm layers in evaluation mode."""
    evaluating: list[nn.Module]
    """Every module that stays in evaluation mode. They are the model's own: to copy a model,
    copy both together, `deepcopy((model, freezing))`."""

    def train_mode(self, model: nn.Module) -> None:
        """In place of every `model.train()`: frozen modules stay in evaluation mode."""
        model.train()
        for module in self.evaluating:
            module.training = False  # not .eval(): a spared norm layer may lie inside

    def describe(self) -> str:
        share = 100 * self.trainable_count / self.total
        lines = [
            f"trains {self.trainable_count:,} of {self.total:,} parameters ({share:.3g} %): "
            f"{few(self.trainable)}"
        ]
        if self.frozen:
            norms = f" (norm layers among them: {self.frozen_norms})" if self.frozen_norms else ""
            lines.append(f"frozen: {few(self.frozen)}{norms}")
        return "\n".join(lines)


def freeze(
    model: nn.Module, patterns: list[str], heads: list[str], freeze_norm: bool = True
) -> Freezing:
    """Freezes what the patterns name, in gitignore's order: the last match wins, `!` unfreezes.

    A pattern takes modules and parameters by full name or glob, with all that is inside; what is
    in a head, only by a pattern that begins with that head's own name. What has several names is
    taken by any of them. `freeze_norm=False` leaves norm layers in frozen modules training.
    Errors: InputError at `model.freeze.N` for the patterns that match nothing, all at once, and at
    `model.freeze` where nothing is left to train.
    """
    found = [
        unmatched(model, pattern, heads, f"model.freeze.{position}")
        for position, pattern in enumerate(patterns)
    ]
    if problems := [problem for problem in found if problem is not None]:
        raise InputError(*problems)
    names = _names(model)
    decided = {thing: decision(called, patterns, heads) for thing, called in names.items()}
    still = {
        inside
        for module in model.modules()
        if module is not model and _is_still(module, decided)
        for inside in module.modules()
    }
    spared: set[nn.Module] = set()
    if not freeze_norm:
        spared = {module for module in model.modules() if isinstance(module, NORM_LAYERS)}
    training = {parameter for norm in spared for parameter in norm.parameters(recurse=False)}
    for parameter in model.parameters():
        parameter.requires_grad_(parameter in training or not decided[parameter])
    if not any(parameter.requires_grad for parameter in model.parameters()):
        hint = f"take out the pattern that names the new head, {heads[0]}" if heads else ""
        raise InputError(Problem("nothing is left to train", "model.freeze", hint))
    return _freezing(model, [m for m in model.modules() if m in still - spared])


def _names(model: nn.Module) -> dict[Thing, list[str]]:
    """Every module and parameter with all its names; the model itself has none."""
    names: dict[Thing, list[str]] = {}
    for name, module in model.named_modules(remove_duplicate=False):
        if name:
            names.setdefault(module, []).append(name)
    for name, parameter in model.named_parameters(remove_duplicate=False):
        names.setdefault(parameter, []).append(name)
    return names


def _is_still(module: nn.Module, decided: dict[Thing, bool | None]) -> bool:
    parameters = [decided[parameter] for parameter in module.parameters()]
    idle = (
        decided[inside]
        for inside in module.modules()
        if next(inside.children(), None) is None and next(inside.parameters(), None) is None
    )
    return is_still(parameters, idle, decided[module])


def unmatched(model: nn.Module, pattern: str, heads: list[str], key: str) -> Problem | None:
    """What is wrong with a pattern that takes no parameter, and no module with nothing inside."""
    names = _names(model)
    ends = [
        name
        for thing, called in names.items()
        if not (isinstance(thing, nn.Module) and next(thing.children(), None) is not None)
        for name in called
    ]
    if any(takes(pattern, name, heads) for name in ends):
        return None
    glob = pattern.removeprefix("!")
    if any(matches(glob, name) for name in ends):
        message = f'"{glob}" holds the new head only, which is frozen by its own name only'
        return Problem(message, key, f"write one of: {', '.join(heads)}")
    known = [name for called in names.values() for name in called]
    children = ", ".join(name for name, _ in model.named_children())
    hint = did_you_mean(glob.strip("*."), known) or f"the outermost modules are: {children}"
    return Problem(f'"{glob}" matches no module or parameter', key, hint)


def _freezing(model: nn.Module, evaluating: list[nn.Module]) -> Freezing:
    def is_frozen(module: nn.Module) -> bool:
        return module in still and not any(p.requires_grad for p in module.parameters())

    def is_trainable(module: nn.Module) -> bool:
        parameters = list(module.parameters())
        return bool(parameters) and all(p.requires_grad for p in parameters)

    still = set(evaluating)
    parameters = list(model.parameters())
    return Freezing(
        frozen=list(_topmost(model, is_frozen, lambda p: not p.requires_grad)),
        trainable=list(_topmost(model, is_trainable, lambda p: p.requires_grad)),
        total=sum(p.numel() for p in parameters),
        trainable_count=sum(p.numel() for p in parameters if p.requires_grad),
        frozen_norms=sum(isinstance(module, NORM_LAYERS) for module in evaluating),
        evaluating=evaluating,
    )


def _topmost(
    module: nn.Module,
    wholly: Callable[[nn.Module], bool],
    single: Callable[[nn.Parameter], bool],
    prefix: str = "",
) -> Iterator[str]:
    for name, parameter in module.named_parameters(recurse=False):
        if single(parameter):
            yield prefix + name
    for name, child in module.named_children():
        if wholly(child):
            yield prefix + name
        else:
            yield from _topmost(child, wholly, single, f"{prefix}{name}.")

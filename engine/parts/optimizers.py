"""[optimizer] → the torch.optim object, with its parameter groups."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from engine.contract.freezing import matches
from engine.contract.optimizer import Optimizer
from engine.contract.optimizer_base import Group, OptimizerSection
from engine.contract.problems import InputError, Problem, did_you_mean
from engine.parts.schedule import GroupRates

HINTS = {
    "Muon": "every trained parameter has to be a matrix: freeze the others, or choose AdamW",
}
# Classes with a kernel for CUDA that makes the whole step; Adagrad has one for the CPU alone.
FUSED_ON_CUDA = ("SGD", "Adam", "AdamW")
IMPLEMENTATION = ("fused", "foreach")  # keys that change the speed, and the last digits at most


def build_optimizer(
    section: Optimizer, model: nn.Module, *, uneven: bool = False
) -> torch.optim.Optimizer:
    """The optimizer over the parameters that are trained; frozen ones are in no group. `uneven`:
    the first step may not be everyone's: some begin to train in a later epoch, or fp16 leaves it
    out.

    Raises InputError for a pattern that matches nothing and for what torch itself refuses.
    """
    groups = parameter_groups(section, model)
    if problems := list(_impossible(section, model)):
        raise InputError(*problems)
    optimizer_class = getattr(torch.optim, section.name, None)
    if optimizer_class is None:
        message = f"torch {torch.__version__} has no {section.name}"
        raise InputError(Problem(message, "optimizer.name", "update torch, or choose another"))
    device = groups[0]["params"][0].device
    keywords = _torch_keywords(section) | chosen_implementation(section, device, uneven=uneven)
    try:
        optimizer: torch.optim.Optimizer = optimizer_class(groups, **keywords)
    except (ValueError, TypeError, RuntimeError) as error:
        hint = HINTS.get(section.name, "")
        raise InputError(Problem(f"torch's {section.name}: {error}", "optimizer", hint)) from None
    return optimizer


def chosen_implementation(
    section: Optimizer, device: torch.device, *, uneven: bool
) -> dict[str, bool]:
    """`fused` where nobody said otherwise: torch's own default on CUDA is `foreach`, a kernel for
    each operation and some tensors, where the fused one is a kernel a step; and with a gradient
    scaler it leaves out a step without telling the CPU, which need not wait. On the CPU nothing is
    chosen, so that numbers are torch's.

    torch's fused SGD begins the momentum of all parameters with the first step. It fails on one
    that joins later; and where that step is left out, the momentum is whatever was in that memory.
    """
    settings = [options for _, options in _settings(section)]
    said = {key for options in settings for key in options}
    if device.type != "cuda" or section.name not in FUSED_ON_CUDA:
        return {}
    if said & {"fused", "foreach", "differentiable"}:
        return {}
    if uneven and section.name == "SGD" and any(options.get("momentum") for options in settings):
        return {}
    return {"fused": True}


def bare_step(optimizer: torch.optim.Optimizer) -> Callable[[], object]:
    """`optimizer.step`, without what torch wraps around it: a range for its profiler and hooks,
    which nobody here sets. They take 50 µs, a twentieth of a step of 1 ms."""
    step = inspect.unwrap(type(optimizer).step)

    def bare() -> object:
        with torch.no_grad():
            return step(optimizer)

    return bare


def load_optimizer(optimizer: torch.optim.Optimizer, saved: dict[str, Any]) -> None:
    """Its state from a checkpoint, which may be of another device or another memory format.

    How a step is implemented is this optimizer's affair, not the checkpoint's; and each tensor of
    its state lies in memory as its parameter does, without which a fused step is refused.
    """
    groups = [
        before | {key: now[key] for key in IMPLEMENTATION if key in now}
        for before, now in zip(saved["param_groups"], optimizer.param_groups, strict=True)
    ]
    optimizer.load_state_dict({**saved, "param_groups": groups})
    for parameter, state in optimizer.state.items():
        for key, value in state.items():
            if not isinstance(value, torch.Tensor) or value.shape != parameter.shape:
                continue
            if value.stride() != parameter.stride():
                state[key] = torch.empty_like(parameter.detach(), dtype=value.dtype).copy_(value)


def _impossible(section: Optimizer, model: nn.Module) -> Iterator[Problem]:
    """Settings that torch's constructors take and its first step refuses."""
    device = next(p.device.type for p in model.parameters() if p.requires_grad)
    for key, options in _settings(section):
        if options.get("differentiable"):
            yield Problem(
                "torch can't take a differentiable step on a model's own parameters",
                f"{key}.differentiable",
                "take it out: it is for optimizers inside of another model",
            )
        if options.get("capturable") and device in ("cpu", "mps"):
            yield Problem(
                f"a step on {device} can't be captured in a CUDA graph",
                f"{key}.capturable",
                'take it out, or write device = "cuda" under [train]',
            )


def _settings(section: Optimizer) -> Iterator[tuple[str, dict[str, Any]]]:
    """The keywords of the optimizer and of each group, with the key that they stand under."""
    yield "optimizer", section.keywords()
    for position, group in enumerate(section.group):
        yield f"optimizer.group.{position}", group.options


def group_rates(optimizer: torch.optim.Optimizer) -> list[GroupRates]:
    """What the schedule needs to know of each group."""
    return [
        GroupRates(
            name=group["name"],
            lr=float(group["lr"]),
            momentum=group.get("momentum"),
            betas=group.get("betas"),
        )
        for group in optimizer.param_groups
    ]


def planned_rates(section: Optimizer, model: nn.Module) -> list[GroupRates]:
    """What `group_rates` will give, without an optimizer: the model may be on the meta device,
    where torch refuses to build some (fused ones). Raises InputError as `build_optimizer` does for
    patterns."""
    return [
        GroupRates(
            name=group["name"],
            lr=float(group.get("lr", section.lr)),
            momentum=group.get("momentum", getattr(section, "momentum", None)),
            betas=_tuple(group.get("betas", getattr(section, "betas", None))),
        )
        for group in parameter_groups(section, model)
    ]


def _torch_keywords(section: OptimizerSection) -> dict[str, Any]:
    return {key: _tuple(value) for key, value in section.keywords().items()}


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value  # betas, etas, …


def parameter_groups(section: Optimizer, model: nn.Module) -> list[dict[str, Any]]:
    """torch's group dicts; `default` first, and only if something is left for it."""
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    chosen: dict[str, int] = {}  # parameter → its group; of several that match, the last
    problems = []
    for position, group in enumerate(section.group):
        for place, pattern in enumerate(group.match):
            hits = [name for name in trained if matches(pattern, name)]
            if not hits:
                key = f"optimizer.group.{position}.match.{place}"
                problems.append(_no_match(pattern, key, model))
            chosen.update(dict.fromkeys(hits, position))
    problems += _emptied(section.group, chosen, problems)
    if problems:
        raise InputError(*problems)
    rest = [p for name, p in trained.items() if name not in chosen]
    groups: list[dict[str, Any]] = [{"params": rest, "name": "default"}] if rest else []
    for position, group in enumerate(section.group):
        members = [trained[name] for name in trained if chosen.get(name) == position]
        options = {key: _tuple(value) for key, value in group.options.items()}
        groups.append({"params": members, "name": group.name, **options})
    return groups


def _no_match(pattern: str, key: str, model: nn.Module) -> Problem:
    names = _known_names(model)
    if any(matches(pattern, name) for name in names):
        hint = "frozen parameters are in no group: take them out of model.freeze, or this pattern"
        return Problem(f'"{pattern}" matches only what is frozen', key, hint)
    top = ", ".join(name for name, _ in model.named_children())
    hint = did_you_mean(pattern, names) or f"the model's parts are: {top}"
    return Problem(f'"{pattern}" matches nothing in the model', key, hint)


def _emptied(groups: list[Group], chosen: dict[str, int], earlier: list[Problem]) -> list[Problem]:
    """A group whose every parameter a later group takes would be trained by nobody's settings."""
    if earlier:
        return []
    return [
        Problem(
            f'all that "{group.name}" matches is taken by a later group',
            f"optimizer.group.{position}.match",
            "of several groups that match, the last takes the parameter: put the wider one first",
        )
        for position, group in enumerate(groups)
        if position not in chosen.values()
    ]


def _known_names(model: nn.Module) -> list[str]:
    """Every module and parameter of a model by its dotted name; the model itself has none."""
    modules = [name for name, _ in model.named_modules() if name]
    return modules + [name for name, _ in model.named_parameters()]

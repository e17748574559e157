"""[optimizer] → the torch.optim object, with its parameter groups."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from engine.contract.optimizer import Group, Optimizer, OptimizerSection
from engine.contract.problems import InputError, Problem, did_you_mean
from engine.parts.patterns import known_names, matches
from engine.parts.schedule import GroupRates

Named = dict[str, nn.Parameter]


def build_optimizer(section: Optimizer, model: nn.Module) -> torch.optim.Optimizer:
    """The optimizer over the parameters that are trained; frozen ones are in no group.

    Raises InputError for a pattern that matches nothing and for what torch itself refuses.
    """
    groups = _groups(section, model)
    optimizer_class = getattr(torch.optim, section.name, None)
    if optimizer_class is None:
        message = f"torch {torch.__version__} has no {section.name}"
        raise InputError(Problem(message, "optimizer.name", "update torch, or choose another"))
    try:
        optimizer: torch.optim.Optimizer = optimizer_class(groups, **_torch_keywords(section))
    except (ValueError, TypeError, RuntimeError) as error:
        raise InputError(Problem(f"torch's {section.name}: {error}", "optimizer")) from None
    return optimizer


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


def _torch_keywords(section: OptimizerSection) -> dict[str, Any]:
    return {key: _tuple(value) for key, value in section.keywords().items()}


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value  # betas, etas, …


def _groups(section: Optimizer, model: nn.Module) -> list[dict[str, Any]]:
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
    names = known_names(model)
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

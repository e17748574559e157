"""Names and globs of a model's modules and parameters, as `freeze` and `match` write them."""

from __future__ import annotations

from fnmatch import fnmatchcase

from torch import nn


def matches(pattern: str, name: str) -> bool:
    """Whether a pattern names this module or parameter, or something that it is inside of.

    `layer4` takes `layer4.0.bn1.weight`; `*` crosses dots.
    """
    parts = name.split(".")
    return any(fnmatchcase(".".join(parts[:depth]), pattern) for depth in range(1, len(parts) + 1))


def known_names(model: nn.Module) -> list[str]:
    """Every module and parameter of a model by its dotted name; the model itself has none."""
    modules = [name for name, _ in model.named_modules() if name]
    return modules + [name for name, _ in model.named_parameters()]

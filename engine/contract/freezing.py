"""What `model.freeze` means, for whoever has only names: the model's own modules are elsewhere.

The patterns stand in gitignore's order: naming a module takes all that is inside of it, `!` takes
it out again, and the last match wins. The new head is taken by its own name only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from fnmatch import fnmatchcase

NAME_ENDS = ("", *".*?[")  # what follows the head's name in a pattern that is about the head


def matches(pattern: str, name: str) -> bool:
    """Whether a pattern names this module or parameter, or something that it is inside of.

    `layer4` takes `layer4.0.bn1.weight`; `*` crosses dots.
    """
    parts = name.split(".")
    return any(fnmatchcase(".".join(parts[:depth]), pattern) for depth in range(1, len(parts) + 1))


def takes(pattern: str, name: str, heads: Iterable[str]) -> bool:
    """Whether a pattern, with its `!` or without, names this module or parameter. What is in a head
    is named by a pattern that begins with that head's own name only."""
    glob = pattern.removeprefix("!")
    head = next((head for head in heads if name == head or name.startswith(f"{head}.")), None)
    if head is not None and not (glob.startswith(head) and glob[len(head) :][:1] in NAME_ENDS):
        return False
    return matches(glob, name)


def decision(called: Sequence[str], patterns: Sequence[str], heads: Sequence[str]) -> bool | None:
    """Of what has these names: frozen, taken out again, or (None) never named."""
    for pattern in reversed(patterns):
        if any(takes(pattern, name, heads) for name in called):
            return not pattern.startswith("!")
    return None


def is_still(
    parameters: Collection[bool | None], idle: Iterable[bool | None], own: bool | None
) -> bool:
    """Whether nothing in a module moves: it and what is in it stay in evaluation mode.

    `parameters` and `idle` are the decisions about all the parameters inside, and about the modules
    inside that hold nothing at all (dropout, stochastic depth); `own` that about the module itself.
    A module whose parameters were all frozen one by one is as still as one that was named; one
    without parameters must be named, or lie in a still one.
    """
    taken_out = any(decided is False for decided in idle)
    return all(parameters) and not taken_out and bool(parameters or own)

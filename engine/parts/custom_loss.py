"""One's own loss: a function or a class, loaded and ready to be called with (output, target)."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from engine.contract.loss import Custom, Loss
from engine.contract.problems import InputError, Problem, did_you_mean
from engine.parts.custom import described, load_target


def load_loss(section: Loss, key: str, folder: Path) -> Callable[[Tensor, Tensor], Tensor] | None:
    """One's own loss, ready to be called with (output, target); None for torch's.

    This runs its file's code. Raises InputError at `loss.N.target` or `loss.N.args.…`.
    """
    if not isinstance(section, Custom):
        return None
    found: Any = load_target(section.target, folder, f"{key}.target")
    if not callable(found):
        message = f"{section.title} is a {type(found).__name__}, not a function or a class"
        raise InputError(Problem(message, f"{key}.target"))
    _check_arguments(found, section, key)
    if not inspect.isclass(found):
        return partial(found, **section.args)
    try:
        made: Any = found(**section.args)
    except Exception as error:
        told = f"{section.title} can't be made: {described(error)}"
        raise InputError(Problem(told, f"{key}.args")) from error
    if not callable(made):
        message = f"{section.title} can't be called as f(output, target)"
        raise InputError(Problem(message, f"{key}.target", "derive it from torch.nn.Module"))
    if isinstance(made, nn.Module) and (own := [n for n, _ in made.named_parameters()]):
        raise InputError(
            Problem(
                f"{section.title} has parameters that nothing would train: {', '.join(own)}",
                f"{key}.target",
                "make them buffers, if they are constants",
            )
        )
    return made  # type: ignore[no-any-return]


def _check_arguments(found: Any, section: Custom, key: str) -> None:
    """Keywords that it doesn't take, those it needs, and whether it can be called as a loss."""
    try:
        signature = inspect.signature(found)
    except ValueError:  # some written in C don't tell
        return
    parameters = signature.parameters
    problems = []
    if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        problems = [
            Problem(
                f"{section.title} has no keyword {name}",
                f"{key}.args.{name}",
                did_you_mean(name, parameters) or f"it takes: {', '.join(parameters) or 'none'}",
            )
            for name in section.args
            if name not in parameters
        ]
    if problems:
        raise InputError(*problems)
    try:
        if inspect.isclass(found):
            signature.bind(**section.args)
        else:
            signature.bind(None, None, **section.args)
    except TypeError as error:
        wanted = "made with these args" if inspect.isclass(found) else "called as f(output, target)"
        message = f"{section.title} can't be {wanted}: {error}"
        hint = f"write them under args: it is {section.title}{signature}"
        raise InputError(Problem(message, f"{key}.args", hint)) from error

"""One's own loss, watched while it is called: what no signature tells."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.contract.loss import Custom
from engine.contract.problems import InputError, Problem
from engine.parts.custom import described
from engine.parts.losses import Criterion


class Watched(nn.Module):
    """In place of a loss's function. Raises InputError at the loss's key where it raises, gives no
    gradient or nothing finite, gives something on another device, broadcasts the targets, or
    changes what it was given."""

    def __init__(self, function: Callable[..., Any], section: Custom, key: str, folder: Path):
        super().__init__()
        self.function, self.section, self.key = function, section, key
        place = section.target.rpartition(":")[0]
        self.file = (folder / Path(place).expanduser()).resolve() if place[-3:] == ".py" else None

    def forward(self, output: Tensor, targets: Tensor) -> Any:
        counted = not output.is_inference()  # those have no version
        versions = [t._version for t in (output, targets) if counted]
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                value = self.function(output, targets)
        except Exception as error:
            what = f"fails on outputs {shaped(output)} and targets {shaped(targets)}"
            hint = "it is called as f(output, target); its line and message are above"
            raise self._problem(f"{what}: {described(error, self.file)}", hint) from error
        if any("target size" in str(warning.message) for warning in caught):
            told = f"broadcasts outputs {shaped(output)} and targets {shaped(targets)}"
            hint = "write target.view_as(output) for an output a sample, else one_hot(target, n)"
            raise self._problem(f"{told}: each is compared with every other one", hint)
        if counted:
            changed = [t._version for t in (output, targets)]
            for name, before, now in zip(("outputs", "targets"), versions, changed, strict=True):
                if before != now:
                    hint = f"write {name[:-1]} = {name[:-1]}.clone() first, or no operation with _"
                    raise self._problem(f"changes the {name} that it is given, in place", hint)
        if isinstance(value, Tensor):
            self._check(value, output)
        return value

    def _check(self, value: Tensor, output: Tensor) -> None:
        if value.device != output.device:
            hint = "make tensors with device=output.device, or keep them as buffers of a Module"
            raise self._problem(f"gives a tensor on {value.device}, not {output.device}", hint)
        if torch.is_grad_enabled() and output.requires_grad and not value.requires_grad:
            hint = (
                "it detaches them, or uses .item(), .numpy(), argmax, a comparison or rounding: "
                "compute it from the outputs by differentiable operations"
            )
            raise self._problem("gives no gradient: it does not depend on the outputs", hint)
        if bool(output.isfinite().all()) and not bool(value.isfinite().all()):
            hint = "look for a division by 0, or the logarithm or root of what may be 0: add an eps"
            raise self._problem(f"gives {_first_bad(value)} for outputs that are finite", hint)

    def _problem(self, message: str, hint: str) -> InputError:
        return InputError(Problem(f"{self.section.title} {message}", f"{self.key}.target", hint))


def watch(criterion: Criterion, folder: Path) -> None:
    """Puts every loss of one's own under watch; for a criterion that is a copy."""
    for key, section, term in _own(criterion):
        term.function = Watched(term.function, section, key, folder)


def _own(criterion: Criterion) -> Iterator[tuple[str, Custom, Any]]:
    for position, term in enumerate(criterion.terms):
        if isinstance(term.section, Custom):
            yield f"loss.{position}", term.section, term


def refused(error: BaseException) -> list[Problem] | None:
    """What a watched loss told, however it was wrapped on its way; None for another error."""
    while not isinstance(error, InputError):
        if error.__cause__ is None:
            return None
        error = error.__cause__
    return list(error.problems)


def shaped(tensor: Tensor) -> str:
    """`(4, 2) float32`"""
    return f"{tuple(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"


def _first_bad(value: Tensor) -> float:
    value = value.detach().flatten()
    return float(value[~value.isfinite()][0])

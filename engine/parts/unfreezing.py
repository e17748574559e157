"""[[model.unfreeze]]: what begins to train in the middle of a run.

The optimizer is built once, over all that will ever train, so that its groups and the schedule
never change. What is still frozen has no gradient, and torch's optimizers pass over what has none:
no weight decay, no momentum, no state. (L-BFGS alone keeps one flat history of all parameters: the
loop clears it when a stage begins.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from engine.contract.freezing import takes
from engine.contract.model import Model
from engine.contract.problems import InputError, Problem, few
from engine.parts.freezing import Freezing, freeze, unmatched


@dataclass(frozen=True)
class Stage:
    """What is frozen from the beginning of `epoch` on, and the layers that begin to train then."""

    epoch: int
    layers: list[str]
    freezing: Freezing
    trains: frozenset[str]
    """The parameters with a gradient, by name."""


class Stages:
    """What of a model trains in which epoch: a stage from epoch 0, and each [[model.unfreeze]]."""

    def __init__(self, model: nn.Module, stages: list[Stage]) -> None:
        self._model, self._stages = model, stages

    def enter(self, epoch: int) -> Freezing:
        """Freezes what is frozen in that epoch and nothing else; `train_mode` is to be called next.

        An epoch gives the same from wherever it is entered.
        """
        stage = [stage for stage in self._stages if stage.epoch <= epoch][-1]
        for name, parameter in self._model.named_parameters():
            parameter.requires_grad_(name in stage.trains)
        return stage.freezing

    @property
    def last(self) -> Freezing:
        """What is frozen to the end: a stage only lets more of it train."""
        return self._stages[-1].freezing

    def beginning(self, epoch: int) -> Stage | None:
        """The stage that begins with that very epoch, if one does; the first is no change."""
        return next((stage for stage in self._stages[1:] if stage.epoch == epoch), None)

    def describe(self) -> list[str]:
        """One line for each stage that is to come."""
        return [
            f"after {_epochs(stage.epoch)}: {', '.join(stage.layers)} too, "
            f"{stage.freezing.trainable_count:,} parameters"
            for stage in self._stages[1:]
        ]

    def first_epoch(self, parameter: str) -> int | None:
        """When that parameter begins to train; None for never."""
        return next((stage.epoch for stage in self._stages if parameter in stage.trains), None)


def build_stages(model: nn.Module, section: Model, heads: list[str]) -> Stages:
    """Reads `freeze` and `unfreeze`, and leaves the model as in the last stage: what has a gradient
    then is what the optimizer has to know. `Stages.enter` goes back to the first.

    Errors: InputError as `freeze` raises it, and at `model.unfreeze.N.layers.M` for what matches
    nothing, or nothing that is frozen at that time.
    """
    patterns = list(section.freeze)
    stages = [_stage(model, section, heads, 0, [], patterns)]
    problems: list[Problem] = []
    for position, later in enumerate(section.unfreeze):
        key = f"model.unfreeze.{position}.layers"
        problems += _misnamed(model, later.layers, heads, stages[-1].freezing, key)
        patterns += [f"!{layer}" for layer in later.layers]
        if not problems:
            stages.append(_stage(model, section, heads, later.epoch, later.layers, patterns))
    if problems:
        raise InputError(*problems)
    return Stages(model, stages)


def _stage(
    model: nn.Module,
    section: Model,
    heads: list[str],
    epoch: int,
    layers: list[str],
    patterns: list[str],
) -> Stage:
    freezing = freeze(model, patterns, heads, section.freeze_norm)
    trains = frozenset(name for name, p in model.named_parameters() if p.requires_grad)
    return Stage(epoch, layers, freezing, trains)


def _misnamed(
    model: nn.Module, layers: list[str], heads: list[str], before: Freezing, key: str
) -> Iterator[Problem]:
    """Each layer has to hold something that is frozen until then."""
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    still = {module for module in before.evaluating if next(module.children(), None) is None}
    frozen |= {name for name, module in model.named_modules() if module in still}
    for place, layer in enumerate(layers):
        where = f"{key}.{place}"
        if problem := unmatched(model, layer, heads, where):
            yield problem
        elif not any(takes(layer, name, heads) for name in frozen):
            outermost = few(before.frozen) or "nothing: write what is under model.freeze"
            hint = f"frozen until then: {outermost}"
            yield Problem(f'"{layer}" trains already: nothing in it is frozen', where, hint)


def _epochs(count: int) -> str:
    return "1 epoch" if count == 1 else f"{count} epochs"

"""One term of the loss: torch's own class, or one's own, with the denominator of its mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.contract.loss import Custom, Loss
from engine.contract.loss_base import Activation
from engine.contract.loss_classes import HingeEmbeddingLoss, KLDivLoss, PoissonNLLLoss
from engine.contract.problems import RunError
from engine.contract.tasks import Task
from engine.parts.custom import described
from engine.parts.targets import Scaling, encode

ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "log_softmax": lambda output: F.log_softmax(output, dim=1),
    "softmax": lambda output: F.softmax(output, dim=1),
    "sigmoid": torch.sigmoid,
    "softplus": F.softplus,
}
# Their mean is over the samples, whatever the outputs; all others' is over what is compared.
BY_SAMPLE = ("MultiMarginLoss", "MultiLabelMarginLoss", "MultiLabelSoftMarginLoss", "Custom")
OURS = {"name", "scale", "weight", "pos_weight", "reduction"}  # what torch's classes don't take so


class Term:
    """A loss of the form (output, target). What of it has to be on the device is in `modules`: the
    term is no module itself, since calling one costs more than the bookkeeping here.

    `weight` and `pos_weight`: (outputs,) float32 or None. `all_count`: whether every target of
    the training counts alike, so that counting needs no look at them. `ignore_index`: of masks, for
    losses that have no such key.
    """

    def __init__(
        self,
        section: Loss,
        title: str,
        task: Task,
        *,
        weight: Tensor | None = None,
        pos_weight: Tensor | None = None,
        scaling: Scaling | None = None,
        function: Callable[[Tensor, Tensor], Tensor] | None = None,
        all_count: bool = False,
        ignore_index: int | None = None,
    ) -> None:
        self.section, self.title, self.task, self.scale = section, title, task, section.scale
        self.form, self.scaling, self.function = section.form, scaling, function
        self.reduction: str = section.reduction
        self.activation = ACTIVATIONS.get(section.added_activation)
        self.ignore_index: int | None = getattr(section, "ignore_index", ignore_index)
        # Masks have pixels that nobody knows, if only where a rotated image has none, and torch's
        # losses of yes and no have no word for them.
        self._masked = task == "segmentation" and section.form in ("hot", "sign")
        self.by_index = section.form == "index"
        # Targets are counted on the CPU, where they come from, which never waits for the device;
        # and by numpy, which takes 2 µs for a batch where torch's small operations take 8.
        self._host_weight = (
            weight.double().numpy() if weight is not None and self._divides_by_weights else None
        )
        self._all_count = all_count and self._host_weight is None
        self._by_reduction: dict[str, nn.Module] = {}
        if function is None:
            self._by_reduction = {
                reduction: _torch_loss(section, reduction, weight, pos_weight, task)
                for reduction in ("mean", "sum", "none")
            }
        own = [module for module in (function, scaling) if isinstance(module, nn.Module)]
        self.modules = nn.ModuleList([*self._by_reduction.values(), *own])

    @property
    def _divides_by_weights(self) -> bool:
        """Only these two of torch's losses have a weighted mean; MultiMarginLoss's is plain."""
        return self.section.name in ("CrossEntropyLoss", "NLLLoss")

    def value(self, output: Tensor, targets: Tensor, count: float) -> Tensor:
        """What is minimized of a batch, shape (), without the scale.

        `output` (batch, outputs, …) raw, `targets` as the data has them, `count` as `count` gives.
        """
        if self.reduction in ("none", "batchmean") or self.section.name == "KLDivLoss":
            # torch's own KLDivLoss warns of its "mean" at each call, and may change it one day.
            total = self.total(output, targets)
            return total if self.reduction == "sum" else total / count
        return self._reduced(output, targets, self.reduction)

    def total(self, output: Tensor, targets: Tensor) -> Tensor:
        """The sum over what counts, shape (): divided by the `count`, it is the mean of any number
        of batches together."""
        if self.function is not None and self.reduction == "mean":
            return self._reduced(output, targets, "mean") * len(targets)
        return self._reduced(output, targets, "sum")

    def each(self, output: Tensor, targets: Tensor) -> Tensor:
        """Unreduced, as torch's reduction = "none" has it: (batch,), or with more dimensions."""
        return self._reduced(output, targets, "none")

    def count(self, targets: Tensor, outputs: int) -> float:
        """The denominator of torch's mean, of training targets on the CPU; 0 where none counts."""
        if self._all_count:
            return float(len(targets))
        return self.count_of_any(targets, outputs)

    def count_of_any(self, targets: Tensor, outputs: int) -> float:
        """As `count`, for targets that need not be of training samples: what torch's mean divides
        by. Samples; or classes that count, with their weights; or all numbers that are compared.
        """
        if self.section.name in BY_SAMPLE or self.reduction == "batchmean":
            return float(len(targets))
        if self._masked:
            return float(np.count_nonzero(targets.numpy() != self.ignore_index) * outputs)
        if not self.by_index:
            hot = self.task in ("classification", "segmentation")
            return float(targets.numel() * (outputs if hot else 1))
        indices = targets.numpy()
        counting = indices != self.ignore_index
        if self._host_weight is None:
            return float(np.count_nonzero(counting))
        chosen = indices[counting]
        if chosen.size < 4096:
            return float(self._host_weight[chosen].sum())
        # Of masks: counting classes first is five times as fast as looking up each pixel's weight.
        return float(np.bincount(chosen, minlength=len(self._host_weight)) @ self._host_weight)

    def activated(self, output: Tensor) -> Tensor:
        return output if self.activation is None else self.activation(output)

    def _reduced(self, output: Tensor, targets: Tensor, reduction: str) -> Tensor:
        if self.function is not None:
            return self._own(self.activated(output), targets, reduction)
        if self._masked:
            return self._of_known_pixels(self.activated(output), targets, reduction)
        wanted = encode(targets, output.shape[1], self.task, self.form)
        if self.scaling is not None:
            wanted = self.scaling(wanted)
        value: Tensor = self._by_reduction[reduction](self.activated(output), wanted)
        return value

    def _of_known_pixels(self, output: Tensor, targets: Tensor, reduction: str) -> Tensor:
        """torch's loss of each output of each pixel, reduced over those that are known."""
        assert self.ignore_index is not None
        known = targets.ne(self.ignore_index)
        wanted = encode(torch.where(known, targets, 0), output.shape[1], self.task, self.form)
        each: Tensor = self._by_reduction["none"](output, wanted) * known.unsqueeze(1)
        if reduction == "none":
            return each
        return each.sum() / (known.sum() * output.shape[1] if reduction == "mean" else 1)

    def _own(self, output: Tensor, targets: Tensor, reduction: str) -> Tensor:
        """One's own loss reduces as it does; of a loss for each sample, the sum is ours to take."""
        assert self.function is not None
        if self.scaling is not None:
            targets = self.scaling(targets)
        try:
            value = self.function(output, targets)
        except Exception as error:
            raise RunError(
                f"{self.title} fails on outputs {tuple(output.shape)} and targets "
                f"{tuple(targets.shape)}: {described(error)}",
                "it is called as f(output, target)",
            ) from error
        if not isinstance(value, Tensor) or (value.ndim > 0) != (self.reduction == "none"):
            raise self._misshapen(value)
        if self.reduction == "none" and reduction == "none":
            return value
        # More numbers than samples, as for pixels, are averaged for each sample.
        return value.flatten(1).mean(1).sum() if value.ndim > 1 else value.sum()

    def _misshapen(self, value: object) -> RunError:
        if not isinstance(value, Tensor):
            told = f"a {type(value).__name__}, not a tensor"
        elif value.ndim:
            told = f"a tensor of shape {tuple(value.shape)}, where one number is wanted"
        else:
            told = "one number, where a loss for each sample is wanted"
        remedy = 'give the mean; or write reduction = "none" for a loss that gives one a sample'
        return RunError(f"{self.title} gives {told}", remedy)


def _torch_loss(
    section: Loss, reduction: str, weight: Tensor | None, pos_weight: Tensor | None, task: Task
) -> nn.Module:
    values: dict[str, Any] = section.model_dump(exclude=OURS)
    if weight is not None:
        values["weight"] = weight if section.form == "index" else _along_outputs(weight, task)
    if pos_weight is not None:
        values["pos_weight"] = _along_outputs(pos_weight, task)
    kind: type[nn.Module] = getattr(nn, section.name)
    return kind(**values, reduction=reduction)


def _along_outputs(weight: Tensor, task: Task) -> Tensor:
    """For dimension 1 of (batch, outputs, H, W), where torch would take the last one."""
    return weight.view(-1, 1, 1) if task == "segmentation" else weight


def scores(section: Loss, output: Tensor) -> Tensor:
    """Raw outputs → higher where the class or label applies, and the numbers of a regression."""
    if isinstance(section, HingeEmbeddingLoss):
        return section.margin / 2 - F.softplus(output)
    if isinstance(section, PoissonNLLLoss):
        return output.exp() if section.log_input else F.softplus(output)
    if isinstance(section, Custom) and section.activation == "softplus":
        return F.softplus(output)
    return output


def gives_probabilities(section: Loss) -> bool:
    return isinstance(section, KLDivLoss)

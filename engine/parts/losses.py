"""[loss] → what the loop minimizes: a sum of terms, with the denominators of their means.

`weight` and `ignore_index` make torch's mean a weighted one: batches that are accumulated, and the
batches of an epoch, have to be averaged with the sum of the weights of the targets that count.
Each term has its own denominator, so a count is a tuple with one number a term.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from engine.contract.loss import Custom
from engine.contract.tasks import Task
from engine.parts.loss_term import Term, gives_probabilities, scores

Counts = tuple[float, ...]


class SampleLosses(NamedTuple):
    """What reduction = "none" keeps of a batch; all on the device."""

    losses: Tensor  # (batch,), NaN where nothing of the sample counts
    class_totals: Tensor  # (classes,), the losses summed by class, label or number
    class_counts: Tensor  # (classes,)


class BatchLoss(NamedTuple):
    """`value`: (), with its graph. `terms`: (terms,) without graph, or None where there is one
    term. `samples`: where a term has reduction = "none"."""

    value: Tensor
    terms: Tensor | None
    samples: SampleLosses | None


class Criterion(nn.Module):
    """The sum of the terms, each times its scale; auxiliary heads count `aux_weight` in each."""

    def __init__(
        self, terms: Sequence[Term], task: Task, classes: int, outputs: int, aux_weight: float
    ) -> None:
        super().__init__()
        self.terms = list(terms)
        self._of_terms = nn.ModuleList([term.modules for term in terms])  # moved by .to(device)
        self.task, self.classes, self.outputs, self.aux_weight = task, classes, outputs, aux_weight
        self.titles = [term.title for term in self.terms]
        self.scales = [term.scale for term in self.terms]
        # Whether a term's number is a sum over what counts, not a mean.
        self.sums = [term.reduction == "sum" for term in self.terms]
        self.kept = next((term for term in self.terms if term.reduction == "none"), None)
        self.scaling = next((t.scaling for t in self.terms if t.scaling is not None), None)

    def forward(
        self,
        output: Tensor,
        auxiliary: Sequence[Tensor],
        targets: Tensor,
        counts: Counts,
        window: Counts | None = None,
    ) -> BatchLoss:
        """`output` (batch, outputs, …) raw and float32, as each of `auxiliary`; `targets` as the
        data has them. `window`: the counts of all batches of the step, where there are several.
        """
        values = []
        total: Tensor | None = None
        for position, (term, count) in enumerate(zip(self.terms, counts, strict=True)):
            value = self._term(term, output, auxiliary, targets, count)
            if window is not None and not self.sums[position] and window[position]:
                value = value * (count / window[position])
            values.append(value)
            scaled = value if term.scale == 1 else value * term.scale
            total = scaled if total is None else total + scaled
        assert total is not None
        terms = torch.stack(values).detach() if len(values) > 1 else None
        samples = self.samples(output.detach(), targets) if self.kept is not None else None
        return BatchLoss(total, terms, samples)

    def _term(
        self,
        term: Term,
        output: Tensor,
        auxiliary: Sequence[Tensor],
        targets: Tensor,
        count: float,
    ) -> Tensor:
        if count == 0:  # a mean over nothing is NaN; other terms may have something
            return output.sum() * 0.0
        value = term.value(output, targets, count)
        for extra in auxiliary:
            value = value + self.aux_weight * term.value(extra, targets, count)
        return value

    def totals(self, output: Tensor, targets: Tensor) -> Tensor:
        """The sum of each term over what counts, (terms,): for averages over any batches."""
        return torch.stack([term.total(output, targets) for term in self.terms])

    def combined(self, means: Sequence[float]) -> float:
        """The loss of these means of the terms."""
        return sum(scale * mean for scale, mean in zip(self.scales, means, strict=True))

    def counts(self, targets: Tensor) -> Counts:
        """The denominator of each term's mean. `targets`: of training samples, on the CPU; 0
        where every one is ignored. Counts only where something can differ: it is once a batch."""
        if len(targets) == 0:
            return (0.0,) * len(self.terms)
        return tuple([term.count(targets, self.outputs) for term in self.terms])

    def counts_of_any(self, targets: Tensor) -> Counts:
        """As `counts`, for targets that need not be of training samples."""
        return tuple([term.count_of_any(targets, self.outputs) for term in self.terms])

    def describe(self) -> list[str]:
        """What is added to the model's outputs before each term, which nobody wrote."""
        return [
            f"{term.title} expects {term.section.expects}: {term.section.added_activation} is "
            "applied to the model's outputs"
            for term in self.terms
            if term.activation is not None and not isinstance(term.section, Custom)
        ]

    def predictions(self, output: Tensor, *, probabilities: bool) -> Tensor:
        """Raw outputs → what metrics take: logits (batch, classes, …), or probabilities, for
        classes; probabilities (batch, labels); numbers (batch, numbers) in the original unit."""
        section = self.terms[0].section
        output = scores(section, output)
        if self.task == "multilabel":
            return output.sigmoid()
        if self.task == "regression":
            if gives_probabilities(section):
                return output.softmax(1)
            return output if self.scaling is None else self.scaling.back(output)
        if output.shape[1] == 1:  # the logit of the second of two classes
            output = torch.cat([torch.zeros_like(output), output], 1)
        return output.softmax(1) if probabilities else output

    def samples(self, output: Tensor, targets: Tensor) -> SampleLosses:
        """The losses of the first term that keeps them, by sample and by class, without a graph
        and without waiting for the device."""
        term = self.kept
        assert term is not None
        with torch.no_grad():
            each = term.each(output, targets)
            if self.task == "segmentation" and each.ndim == 4:
                each = each.mean(1)
            if self.task in ("classification", "segmentation"):
                if self.task == "classification" and each.ndim > 1:
                    each = each.flatten(1).mean(1)
                return _by_class(each, targets, self.classes, term.ignore_index)
            if each.ndim == 2 and each.shape[1] == self.classes:
                ones = torch.full((self.classes,), float(len(each)), device=each.device)
                return SampleLosses(each.mean(1), each.sum(0), ones)
            by_sample = each.flatten(1).mean(1) if each.ndim > 1 else each
            applies = targets if self.task == "multilabel" else torch.ones_like(targets)
            return SampleLosses(by_sample, by_sample @ applies, applies.sum(0))


def _by_class(
    each: Tensor, targets: Tensor, classes: int, ignore_index: int | None
) -> SampleLosses:
    """`each` and `targets`: (batch, …). A class more takes what is ignored: choosing by a mask
    would wait for the device, to know how many are left."""
    if each.shape != targets.shape:  # one number a sample, of targets with pixels
        nothing = torch.zeros(classes, device=each.device)
        return SampleLosses(each, nothing, nothing)
    counting = targets != ignore_index if ignore_index is not None else torch.ones_like(targets) > 0
    losses = torch.where(counting, each, 0.0)
    flat_counting = counting.flatten(1).float() if each.ndim > 1 else counting.float().unsqueeze(1)
    by_sample = losses.flatten(1).sum(1) if each.ndim > 1 else losses
    places = torch.where(counting, targets, classes).flatten()
    # In float32 a million pixels, added one by one, are 1 % off. mps has no float64.
    wide = torch.float32 if each.device.type == "mps" else torch.float64
    totals = torch.zeros(classes + 1, dtype=wide, device=each.device)
    counts = torch.zeros(classes + 1, dtype=wide, device=each.device)
    totals.index_add_(0, places, losses.flatten().to(wide))
    counts.index_add_(0, places, torch.ones_like(places, dtype=wide))
    return SampleLosses(by_sample / flat_counting.sum(1), totals[:-1], counts[:-1])

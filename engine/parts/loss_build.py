"""[loss] and what is known of the targets → Criterion, or every problem of both."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from engine.contract.loss import Loss
from engine.contract.problems import InputError, Problem, first
from engine.contract.tasks import Task
from engine.parts.custom_loss import load_loss
from engine.parts.loss_term import Term
from engine.parts.losses import Criterion
from engine.parts.targets import positives, scaling_of


@dataclass(frozen=True)
class Targets:
    """What the training targets are.

    `classes`: the names of the classes, labels or numbers. `values`: (samples,) int64, (samples,
    labels) or (samples, numbers) float32, or None for masks. `count`: reads masks, once, and gives
    the distinct values and how often each occurs.
    """

    task: Task
    classes: list[str]
    values: Tensor | None
    count: Callable[[], tuple[Tensor, Tensor]]
    ignore_index: int = -100

    @cached_property
    def counts(self) -> dict[int, int]:
        """Class → samples or pixels, the ignored ones too."""
        values, counts = self.count()
        return dict(zip(values.tolist(), counts.tolist(), strict=True))


def outputs_for(sections: Sequence[Loss], task: Task, classes: int) -> int:
    """One a class, label or number; of two classes one is enough for losses of yes and no."""
    binary = all(section.form in ("hot", "sign") for section in sections)
    by_class = task in ("classification", "segmentation")
    return 1 if by_class and classes == 2 and binary else classes


def needs_signed(sections: Sequence[Loss], task: Task, outputs: int) -> bool:
    """Whether outputs that can't be negative would be no use: they will do only where those of
    several classes are compared with one another."""
    compared = all(s.form in ("index", "probabilities", "natural") for s in sections)
    return not (task == "classification" and outputs > 1 and compared)


def output_problems(
    sections: Sequence[Loss], task: Task, classes: list[str], outputs: int
) -> Iterator[Problem]:
    """What of a given model.outputs can't be."""
    needed, what = len(classes), {"multilabel": "labels", "regression": "numbers"}.get(task)
    if what is not None:
        if outputs != needed:
            message = f"{outputs} outputs for {needed} {what} ({first(classes)})"
            yield Problem(message, "model.outputs", f"leave it out: the head gets {needed}")
    elif outputs == 1 and needed == 2:
        for section in sections:
            if section.form in ("index", "probabilities"):
                yield Problem(
                    f"{section.name} compares classes, and there is one output only",
                    "model.outputs",
                    "leave it out, or choose BCEWithLogitsLoss for one output",
                )
                return
    elif outputs < needed:
        message = f"{outputs} outputs for {needed} classes"
        yield Problem(message, "model.outputs", "leave it out: the head gets an output for each")


def build_criterion(
    sections: Sequence[Loss],
    titles: Sequence[str],
    targets: Targets,
    outputs: int,
    folder: Path,
    *,
    aux_weight: float = 0.0,
    standardize: bool = False,
) -> Criterion:
    """`folder`: what a file of `target` is relative to. Raises InputError, with all that was found,
    for weights that don't fit, code that can't be loaded, and targets that nothing can be learned
    from."""
    problems: list[Problem] = []
    terms = []
    for position, (section, title) in enumerate(zip(sections, titles, strict=True)):
        builder = _Builder(section, f"loss.{position}", targets, outputs, folder, standardize)
        try:
            terms.append(builder.term(title))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(*problems)
    return Criterion(terms, targets.task, len(targets.classes), outputs, aux_weight)


@dataclass(frozen=True)
class _Builder:
    section: Loss
    key: str
    targets: Targets
    outputs: int
    folder: Path
    standardize: bool

    def term(self, title: str) -> Term:
        section, targets = self.section, self.targets
        known = targets.values if targets.task == "classification" else None
        ignored = getattr(section, "ignore_index", None)
        if section.form != "natural" and known is not None:
            self._check_classes(known, ignored)
        all_count = section.form == "index" and known is not None and ignored not in known.tolist()
        numbers = targets.values if targets.task == "regression" else None
        scales = self.standardize and numbers is not None and section.form != "probabilities"
        term = Term(
            section,
            title,
            targets.task,
            weight=self._weight("weight"),
            pos_weight=self._weight("pos_weight"),
            scaling=scaling_of(numbers) if scales and numbers is not None else None,
            function=load_loss(section, self.key, self.folder),
            all_count=all_count,
            ignore_index=targets.ignore_index if targets.task == "segmentation" else None,
        )
        if section.form == "index" and known is not None:
            self._check_something_counts(term, known)
        return term

    def _check_classes(self, values: Tensor, ignored: int | None) -> None:
        counting = values[values != ignored] if ignored is not None else values
        if len(counting) == 0:
            message = f"every training target is {ignored}: nothing is left to learn from"
            hint = "choose a number that is no class of yours, such as -100"
            raise InputError(Problem(message, f"{self.key}.ignore_index", hint))
        if int(counting.min()) < 0:
            found = int(counting.min())
            hint = f"write ignore_index = {found} if such samples are to be left out"
            if ignored is None:
                hint = f"{self.section.name} can't leave targets out; CrossEntropyLoss can"
            message = f"the target {found} is no class"
            raise InputError(Problem(message, f"{self.key}.ignore_index", hint))

    def _check_something_counts(self, term: Term, values: Tensor) -> None:
        inside = self.outputs > int(values[values != term.ignore_index].max())
        if inside and term.count_of_any(values, self.outputs) == 0:
            raise self._problem(
                "weight",
                "every class that has training samples has the weight 0: nothing is left to learn",
                'one number for each class, or "balanced"',
            )

    def _weight(self, field: str) -> Tensor | None:
        given = getattr(self.section, field, None)
        if given is None:
            return None
        if given == "balanced":
            return self._balanced(field)
        targets, outputs = self.targets, self.outputs
        what = {"multilabel": "labels"}.get(targets.task, "classes" if outputs > 1 else "output")
        if len(given) != outputs:
            raise self._problem(
                field,
                f"{len(given)} weights for {outputs} {what} ({first(targets.classes)})",
                f'one number for each of the {what}, in that order, or "balanced"',
            )
        hint = "0 leaves it out of the loss, 1 is as without weights"
        if negative := [n for n, weight in enumerate(given) if weight < 0]:
            raise InputError(
                *(
                    Problem(
                        f"a weight is not negative, as {given[n]:g} is",
                        f"{self.key}.{field}.{n}",
                        hint,
                    )
                    for n in negative
                )
            )
        return torch.tensor(given, dtype=torch.float32)

    def _balanced(self, field: str) -> Tensor:
        targets, outputs = self.targets, self.outputs
        ignored = getattr(self.section, "ignore_index", targets.ignore_index)
        counts = {}
        if targets.values is None or targets.values.ndim == 1:
            counts = {v: n for v, n in targets.counts.items() if v != ignored and v >= 0}
        found = positives(targets.values, counts, len(targets.classes), outputs)
        total = sum(counts.values()) if counts else len(targets.values)  # type: ignore[arg-type]
        if field == "pos_weight":
            return balanced_positives(found, total)
        if outputs == 1 and self.section.form != "index" and targets.task != "multilabel":
            raise self._problem(
                "weight",
                "one output has one weight, which can't balance two classes",
                'write pos_weight = "balanced" with BCEWithLogitsLoss',
            )
        return balanced(found, total, len(targets.classes))

    def _problem(self, field: str, message: str, hint: str) -> InputError:
        return InputError(Problem(message, f"{self.key}.{field}", hint))


def balanced(counts: Tensor, samples: int, classes: int) -> Tensor:
    """samples / (classes x samples of the class), as scikit-learn's "balanced"; shape (outputs,).

    A class without a sample gets 0: no target ever asks for its weight.
    """
    return torch.where(counts > 0, samples / (classes * counts.clamp(min=1)), 0.0).float()


def balanced_positives(counts: Tensor, samples: int) -> Tensor:
    """Samples without the label / samples with it, as BCEWithLogitsLoss's documentation has it;
    1 where there is none with it. Shape (outputs,)."""
    return torch.where(counts > 0, (samples - counts) / counts.clamp(min=1), 1.0).float()

"""[loss] and what is known of the targets → Criterion, or every problem of both."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.contract.loss import Custom, Loss
from engine.contract.problems import InputError, Problem, did_you_mean
from engine.contract.tasks import Task
from engine.parts.custom import described, load_target
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
            message = f"{outputs} outputs for {needed} {what} ({_some(classes)})"
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
                f"{len(given)} weights for {outputs} {what} ({_some(targets.classes)})",
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
                f"{section.title} has parameters of its own ({_some(own)}), which nothing trains",
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


def _some(names: Sequence[str], shown: int = 8) -> str:
    return ", ".join(names[:shown]) + (", …" if len(names) > shown else "")

"""The targets themselves: what can't be learned from them, and what is hardly meant."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from engine.build import Parts
from engine.contract.loss import Loss
from engine.contract.loss_classes import KLDivLoss, PoissonNLLLoss
from engine.contract.problems import InputError, Problem, first
from engine.parts.batches import Data
from engine.parts.targets import scaling_of

SHOWN = 8  # names in a message
HALF = 0.5  # of the targets: more that are ignored are worth a word
LOPSIDED = 20  # times as many samples of one class as of another
FAR = 100  # standard deviations, or units, beyond which numbers are hard to learn unscaled
SUM = 1e-3  # what probabilities may miss of adding up to 1


def target_problems(parts: Parts) -> list[Problem]:
    """Every error and warning about the training and validation targets. Reads all masks of a
    segmentation once, unless they have been read."""
    data = parts.data
    if data.task == "multilabel":
        return list(_labels(data))
    if data.task == "regression":
        return [*_numbers(data, parts), *_for_losses(data, parts)]
    try:
        counts = dict(zip(*(t.tolist() for t in data.target_counts), strict=True))
    except InputError as error:
        return list(error.problems)
    indices = _Indices(parts, counts)
    return [*indices.strange(), *indices.ignored(), *indices.classes(), *_log_target(parts)]


class _Indices:
    """Class indices, and how often each occurs."""

    def __init__(self, parts: Parts, counts: dict[int, int]) -> None:
        self.parts, self.data, self.counts = parts, parts.data, counts
        self.ignore_index = parts.experiment.ignore_index
        self.outputs = max(parts.criterion.outputs, 2)  # one output is for two classes
        self.known = {value: n for value, n in counts.items() if value != self.ignore_index}
        self.unit = "pixels" if self.data.task == "segmentation" else "samples"

    def strange(self) -> Iterator[Problem]:
        """Targets that are the number of no output, in training and in validation."""
        for value, count in self.known.items():
            if not 0 <= value < self.outputs:
                yield self._no_class(value, f"{count} training {self.unit}", self._sample(value))
        val = self.data.val_targets
        if val is None:
            return
        for value in sorted(set(val.tolist()) - {self.ignore_index} - set(self.counts)):
            if not 0 <= value < self.outputs:
                count = int((val == value).sum())
                yield self._no_class(value, f"{count} validation {self.unit}", "")
            else:
                yield Problem(
                    f"{self.data.classes[value]} is a class of validation samples only: nothing is "
                    "learned of it",
                    "data.val",
                    "put samples of it into the training data too, or take it out of both",
                    severity="warning",
                )

    def _no_class(self, value: int, where: str, sample: str) -> Problem:
        message = f"the target {value} of {where}{sample} is none of {self.outputs} outputs"
        hint = f"write ignore_index = {value} if such targets are to be left out; else mend them"
        return Problem(message, "loss.0.ignore_index", hint)

    def _sample(self, value: int) -> str:
        targets = self.data.train_targets
        if targets is None:
            return ""
        return f" ({self.data.sample_name(int((targets == value).nonzero()[0, 0]))}, …)"

    def ignored(self) -> Iterator[Problem]:
        count, total = self.counts.get(self.ignore_index, 0), sum(self.counts.values())
        position, by_file = _ignoring(self.parts.experiment.loss)
        key = f"loss.{position}.ignore_index"
        occurring = first([str(value) for value in self.counts])
        if count == 0 and by_file:
            yield Problem(
                f"no training target is {self.ignore_index}: nothing is ignored",
                key,
                f"take it out, or write what it is in the data; the targets are {occurring}",
                severity="warning",
            )
        elif count == total:
            yield Problem(
                f"every training target is {self.ignore_index}: nothing is left to learn from",
                key,
                "choose a number that is no class of yours, such as -100",
            )
        elif count > HALF * total:
            share = 100 * count / total
            yield Problem(
                f"{share:.3g} % of the training {self.unit} are {self.ignore_index}, and ignored",
                key,
                "look whether that many are meant to be left out",
                severity="warning",
            )

    def classes(self) -> Iterator[Problem]:
        names = self.data.classes
        empty = [name for value, name in enumerate(names) if not self.counts.get(value)]
        if empty and self.known:
            yield Problem(
                f"no training sample is of: {first(empty)}",
                "data.train",
                "these classes can't be learned; with balanced weights theirs is 0",
                severity="warning",
            )
        if self.data.task == "classification" and len(self.known) > 1:
            yield from self._lopsided()

    def _lopsided(self) -> Iterator[Problem]:
        ordered = sorted(self.known, key=lambda value: self.known[value])
        least, most = ordered[0], ordered[-1]
        section = self.parts.experiment.loss[0]
        fields = ("pos_weight", "weight") if self.parts.criterion.outputs == 1 else ("weight",)
        field = next((name for name in fields if hasattr(section, name)), None)
        weighted = any(getattr(section, name, None) for name in ("weight", "pos_weight"))
        if self.known[most] <= LOPSIDED * self.known[least] or weighted or field is None:
            return
        names = {value: self.data.classes[value] for value in (least, most) if self._named(value)}
        if len(names) < 2:
            return
        yield Problem(
            f"{names[most]} has {self.known[most]} training samples and {names[least]} "
            f"{self.known[least]}: the rare class hardly counts in the loss",
            f"loss.0.{field}",
            f'write {field} = "balanced" to count all classes alike',
            severity="warning",
        )

    def _named(self, value: int) -> bool:
        return 0 <= value < len(self.data.classes)


def _ignoring(sections: list[Loss]) -> tuple[int, bool]:
    """The term that ignores, and whether the file says what."""
    chosen = [n for n, section in enumerate(sections) if "ignore_index" in section.model_fields_set]
    told = bool(chosen) and getattr(sections[chosen[0]], "ignore_index", -100) != -100
    return (chosen[0] if chosen else 0), told


def _labels(data: Data) -> Iterator[Problem]:
    targets = data.train_targets
    assert targets is not None
    share = targets.double().mean(0).tolist()
    key = "data.train"
    for value, word, hint in (
        (0.0, "no training sample has", "it can't be learned: take it out, or add samples with it"),
        (1.0, "every training sample has", "nothing tells it apart: take it out, or add others"),
    ):
        found = [name for name, part in zip(data.classes, share, strict=True) if part == value]
        if found:
            message = f"{word} the label {first(found)}"
            yield Problem(message, key, hint, severity="warning")


def _numbers(data: Data, parts: Parts) -> Iterator[Problem]:
    targets = data.train_targets
    assert targets is not None
    bad = (~targets.isfinite()).nonzero()
    if len(bad):
        row, column = bad[0].tolist()
        message = f"{data.classes[column]} of {data.sample_name(row)} is {targets[row, column]:g}"
        yield Problem(message, "data.train", "leave such samples out, or give them a number")
        return
    constant = [
        name for name, column in zip(data.classes, targets.T, strict=True) if _constant(column)
    ]
    if constant:
        yield Problem(
            f"{first(constant)} is the same number for every training sample",
            "data.targets",
            "nothing is to be learned of it: take it out with targets = [...]",
            severity="warning",
        )
    own_unit = any(section.form == "numbers" for section in parts.experiment.loss)
    own_unit &= not any(isinstance(section, PoissonNLLLoss) for section in parts.experiment.loss)
    if own_unit and not parts.experiment.data.standardize:
        yield from _unscaled(data, targets, constant)


def _constant(column: Tensor) -> bool:
    return bool((column == column[0]).all())


def _unscaled(data: Data, targets: Tensor, constant: list[str]) -> Iterator[Problem]:
    scaling = scaling_of(targets)
    told = [
        f"{name} is {mean:.4g} ± {std:.4g}"
        for name, mean, std in zip(
            data.classes, scaling.mean.tolist(), scaling.std.tolist(), strict=True
        )
        if name not in constant and (std > FAR or abs(mean) > FAR * std or std < 1 / FAR)
    ]
    if told:
        yield Problem(
            f"{first(told)}: a model that begins near 0 ± 1 takes long to get there, or never does",
            "data.standardize",
            "write standardize = true under [data]; metrics stay in the targets' own unit",
            severity="warning",
        )


def _for_losses(data: Data, parts: Parts) -> Iterator[Problem]:
    """What single losses need of the numbers."""
    targets = data.train_targets
    assert targets is not None
    for position, section in enumerate(parts.experiment.loss):
        key = f"loss.{position}.name"
        if isinstance(section, PoissonNLLLoss) and bool((targets < 0).any()):
            row = int((targets < 0).any(1).nonzero()[0, 0])
            yield Problem(
                f"PoissonNLLLoss is for counts, and {data.sample_name(row)} has "
                f"{float(targets[row].min()):g}",
                key,
                "choose MSELoss, L1Loss or HuberLoss for numbers that may be negative",
            )
        if isinstance(section, KLDivLoss):
            yield from _no_probabilities(data, section, targets, position)


def _no_probabilities(
    data: Data, section: KLDivLoss, targets: Tensor, position: int
) -> Iterator[Problem]:
    shares = targets.exp() if section.log_target else targets
    wrong = ((shares < 0).any(1) | ((shares.sum(1) - 1).abs() > SUM)).nonzero()
    if len(wrong) == 0:
        return
    row = int(wrong[0, 0])
    numbers = ", ".join(f"{number:g}" for number in targets[row].tolist()[:SHOWN])
    yield Problem(
        f"KLDivLoss compares probabilities, and those of {data.sample_name(row)} ({numbers}) are "
        "negative or don't add up to 1",
        f"loss.{position}.name",
        "divide the numbers of each sample by their sum, or choose MSELoss; log_target = true is "
        "for logarithms",
    )


def _log_target(parts: Parts) -> Iterator[Problem]:
    for position, section in enumerate(parts.experiment.loss):
        if isinstance(section, KLDivLoss) and section.log_target:
            yield Problem(
                "the targets are classes, and the logarithm of a class's 0 is -inf",
                f"loss.{position}.log_target",
                "take it out: each class is compared as a probability of 1",
            )

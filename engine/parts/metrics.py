"""The metrics of a validation, by torchmetrics, accumulated on the device."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torchmetrics
from torch import Tensor
from torchmetrics import MetricCollection
from torchmetrics.classification import MultilabelAccuracy, MultilabelF1Score
from torchmetrics.regression import MeanAbsoluteError, MeanSquaredError, R2Score

from engine.contract.metric import Metric as MetricSection
from engine.contract.problems import InputError, Problem, did_you_mean
from engine.contract.tasks import Task
from engine.parts.counting import Accuracy, F1Score, JaccardIndex
from engine.parts.custom import described


def build_metrics(
    task: Task,
    classes: Sequence[str],
    outputs: int,
    ignore_index: int,
    device: torch.device,
    sections: Sequence[MetricSection] = (),
) -> MetricCollection:
    """What Criterion.predictions and the targets are given to. `classes` names the classes, labels
    or numbers; `outputs` of the model, which may be more.

    All leave out the targets that the loss ignores. No update waits for the device: arguments are
    not validated at each, and classes are counted as in counting.py. What `[[metric]]` adds is
    torchmetrics' own and may wait. Raises InputError at `metric.N…`.
    """
    metrics: dict[str, torchmetrics.Metric] = {}
    if task == "regression":
        metrics = _regression(classes)
    else:
        metrics = _usual(task, max(outputs, len(classes)), ignore_index)
    problems: list[Problem] = []
    for position, section in enumerate(sections):
        try:
            metrics[section.title] = _named(
                section, f"metric.{position}", task, max(outputs, len(classes)), ignore_index
            )
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(*problems)
    # Micro and macro states differ; finding out which metrics share theirs costs a sync.
    return MetricCollection(metrics, compute_groups=False).to(device)  # type: ignore[arg-type]


def _usual(task: Task, classes: int, ignore_index: int) -> dict[str, torchmetrics.Metric]:
    """`accuracy`: the share of the samples, labels or pixels that are right. `f1` and `miou`: the
    mean over the classes that are a target or a prediction somewhere."""
    if task == "multilabel":
        return {
            "f1": MultilabelF1Score(classes, average="macro", validate_args=False),
            "accuracy": MultilabelAccuracy(classes, average="micro", validate_args=False),
        }
    common: dict[str, Any] = {"ignore_index": ignore_index, "validate_args": False}
    accuracy = Accuracy(classes, average="micro", **common)
    if task == "segmentation":
        return {
            "miou": JaccardIndex(classes, average="macro", **common),
            "accuracy": accuracy,
        }
    return {
        "accuracy": accuracy,
        "f1": F1Score(classes, average="macro", **common),
    }


def _regression(columns: Sequence[str]) -> dict[str, torchmetrics.Metric]:
    """In the original unit. Of several numbers, each has its own, since their units differ; only
    `r2`, which has none, is there for all of them together too."""

    def each(column: int | None) -> dict[str, torchmetrics.Metric]:
        kinds: dict[str, Callable[[], torchmetrics.Metric]] = {
            "r2": lambda: R2Score(multioutput="uniform_average"),
            "mae": MeanAbsoluteError,
            "rmse": lambda: MeanSquaredError(squared=False),
        }
        return {name: OfColumn(kind(), column) for name, kind in kinds.items()}

    if len(columns) == 1:
        return each(0)
    metrics = {"r2": each(None)["r2"]}
    for index, column in enumerate(columns):
        metrics |= {f"{name}/{column}": metric for name, metric in each(index).items()}
    return metrics


class OfColumn(torchmetrics.Metric):
    """A metric of one of several numbers, or (None) of all of them together."""

    full_state_update = False

    def __init__(self, metric: torchmetrics.Metric, column: int | None) -> None:
        super().__init__()
        self.metric, self.column = metric, column

    def update(self, predictions: Tensor, targets: Tensor) -> None:
        column = slice(None) if self.column is None else self.column
        self.metric.update(predictions[:, column], targets[:, column])

    def compute(self) -> Tensor:
        value: Tensor = self.metric.compute()
        return value.mean()

    def reset(self) -> None:
        super().reset()
        self.metric.reset()


_PREFIX: dict[Task, str] = {
    "classification": "Multiclass",
    "segmentation": "Multiclass",
    "multilabel": "Multilabel",
    "regression": "",
}


def _named(
    section: MetricSection, key: str, task: Task, classes: int, ignore_index: int
) -> torchmetrics.Metric:
    module = torchmetrics.regression if task == "regression" else torchmetrics.classification
    prefix = _PREFIX[task]
    known = {name for name in module.__all__ if name.startswith(prefix)}
    name = section.name if section.name in known else prefix + section.name
    if name not in known:
        short = [*known, *(other.removeprefix(prefix) for other in known)]
        hint = did_you_mean(section.name, short) or f"there are: {', '.join(sorted(known))}"
        message = f'torchmetrics has no "{section.name}" for a {task}'
        raise InputError(Problem(message, f"{key}.name", hint))
    kind = getattr(module, name)
    parameters = inspect.signature(kind.__init__).parameters
    filled = {
        "num_classes": classes,
        "num_labels": classes,
        "num_outputs": classes,
        "ignore_index": ignore_index if task != "multilabel" else None,
        "validate_args": True,  # of the keywords, here; not of the targets, at each update
    }
    values = {name: value for name, value in filled.items() if name in parameters}
    values |= section.keywords
    problems = [
        Problem(
            f"{name} has no keyword {word}",
            f"{key}.{word}",
            did_you_mean(word, [*parameters][1:]) or f"it takes: {', '.join([*parameters][1:])}",
        )
        for word in section.keywords
        if word not in parameters
    ]
    if problems:
        raise InputError(*problems)
    try:
        kind(**{name: value for name, value in values.items() if name != "validate_args"})
        metric: torchmetrics.Metric = kind(**values)
    except Exception as error:  # whatever a constructor of torchmetrics raises for a bad value
        message = f"torchmetrics refuses this {name}: {error}"
        raise InputError(Problem(message, key)) from error
    if "validate_args" in values:
        metric.validate_args = False
    if task == "regression":
        metric = OfColumn(metric, 0 if classes == 1 else None)
    _check_one_number(metric, name, key, task, classes)
    return metric


def _check_one_number(
    metric: torchmetrics.Metric, name: str, key: str, task: Task, classes: int
) -> None:
    """On made-up targets: what fails on them, or gives a curve or a number for each class, would
    fail after a whole epoch of training. Leaves the metric as new."""
    scores = torch.linspace(0.1, 0.9, 8 * classes).view(8, classes)
    predictions = scores if task in ("multilabel", "regression") else scores.softmax(1)
    targets = torch.arange(8) % classes
    if task == "multilabel":
        targets = (torch.arange(8 * classes) % 2).view(8, classes)
    elif task == "regression":
        targets = scores.flip(0)
    elif task == "segmentation":
        predictions, targets = predictions.unsqueeze(2), targets.unsqueeze(1)
    try:
        with warnings.catch_warnings():  # that so few have no sample of some class
            warnings.simplefilter("ignore")
            metric.update(predictions, targets)
            value = metric.compute()
    except Exception as error:
        message = f"{name} can't measure a {task}: {described(error)}"
        raise InputError(Problem(message, f"{key}.name", "choose another metric")) from error
    metric.reset()
    if not isinstance(value, Tensor) or value.numel() != 1:
        hint = 'choose one that is a single number; some are with average = "macro"'
        raise InputError(Problem(f"{name} gives more than one number", f"{key}.name", hint))

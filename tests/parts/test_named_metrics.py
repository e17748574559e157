"""[[metric]]: what torchmetrics has measures, or is refused before anything is trained."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torchmetrics

from engine.contract.data import Data
from engine.contract.experiment import Experiment
from engine.contract.metric import Metric
from engine.contract.problems import InputError, Problem
from engine.contract.tasks import Task
from engine.evaluate import evaluate
from engine.parts.metrics import build_metrics
from tests.tiny import CLASSES, in_batches, linear, parts_of, samples

CPU = torch.device("cpu")
NEEDED: dict[str, dict[str, Any]] = {
    "FBetaScore": {"beta": 2.0},
    "MinkowskiDistance": {"p": 3},
    "CriticalSuccessIndex": {"threshold": 0.5},
    "PrecisionAtFixedRecall": {"min_recall": 0.5},
    "RecallAtFixedPrecision": {"min_precision": 0.5},
    "SensitivityAtSpecificity": {"min_specificity": 0.5},
    "SpecificityAtSensitivity": {"min_sensitivity": 0.5},
}
CURVES_AND_TABLES = {
    *("ConfusionMatrix", "EER", "LogAUC", "PrecisionRecallCurve", "ROC", "StatScores"),
    *("PrecisionAtFixedRecall", "RecallAtFixedPrecision"),  # a number and its threshold
    *("SensitivityAtSpecificity", "SpecificityAtSensitivity"),
}
OF_ENSEMBLES = {"ContinuousRankedProbabilityScore"}


def built(task: Task, name: str, **keywords: Any) -> torchmetrics.MetricCollection:
    section = Metric.model_validate({"name": name, **keywords})
    return build_metrics(task, ["a", "b", "c", "d"], CLASSES, -100, CPU, [section])


def refused(task: Task, name: str, **keywords: Any) -> Problem:
    with pytest.raises(InputError) as caught:
        built(task, name, **keywords)
    (problem,) = caught.value.problems
    return problem


def of(prefix: str) -> list[str]:
    names = torchmetrics.classification.__all__
    return [name.removeprefix(prefix) for name in names if name.startswith(prefix)]


def targets_of(task: Task) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    if task == "multilabel":
        return (torch.rand(11, CLASSES, generator=generator) > 0.5).float()
    if task == "regression":
        return torch.rand(11, CLASSES, generator=generator) + 0.5
    return samples(11)[1]


EACH: list[tuple[Task, str]] = [
    *(("classification", name) for name in of("Multiclass")),
    *(("multilabel", name) for name in of("Multilabel")),
    *(("regression", name) for name in torchmetrics.regression.__all__),
]


@pytest.mark.filterwarnings("ignore::UserWarning")  # torchmetrics' own, of small data
@pytest.mark.parametrize(("task", "name"), EACH)
def test_every_metric_of_torchmetrics_measures_or_is_refused_when_it_is_built(
    task: Task, name: str
) -> None:
    keywords = NEEDED.get(name, {})
    if name in CURVES_AND_TABLES | OF_ENSEMBLES:
        problem = refused(task, name, **keywords)
        assert problem.key == "metric.0.name"
        several = "more than one number"
        assert (several if name in CURVES_AND_TABLES else "can't measure") in problem.message
        return
    inputs, _ = samples(11)
    batches = in_batches(inputs, targets_of(task), 6, 4, 1)
    parts = parts_of(
        batches,
        val=batches,
        data=Data(target="mine.py:build", task=task),
        metric=[{"name": name, "label": "own", **keywords}],
    )
    first, second = evaluate(parts), evaluate(parts)
    assert first is not None
    assert isinstance(first["val/own"], float)
    assert str(first) == str(second), "each validation begins anew"


def test_a_metric_is_torchmetrics_own_over_all_samples() -> None:
    inputs, targets = samples(11)[0], targets_of("multilabel")
    batches = in_batches(inputs, targets, 6, 4, 1)
    parts = parts_of(
        batches,
        val=batches,
        data=Data(target="mine.py:build", task="multilabel"),
        metric=[
            {"name": "JaccardIndex", "average": "weighted"},
            {"name": "MultilabelFBetaScore", "beta": 2.0, "label": "f2"},
        ],
    )
    probabilities = linear()(inputs).sigmoid()
    weighted = torchmetrics.classification.MultilabelJaccardIndex(CLASSES, average="weighted")
    f2 = torchmetrics.classification.MultilabelFBetaScore(2.0, CLASSES)
    metrics = evaluate(parts)
    assert metrics is not None
    assert metrics["val/JaccardIndex"] == pytest.approx(
        float(weighted(probabilities, targets.long()))
    )
    assert metrics["val/f2"] == pytest.approx(float(f2(probabilities, targets.long())))


def test_what_the_loss_ignores_a_further_metric_ignores_too() -> None:
    inputs, targets = samples(11)
    targets[:3] = 2
    batches = in_batches(inputs, targets, 6, 5)
    parts = parts_of(
        batches, val=batches, loss={"ignore_index": 2}, metric=[{"name": "CohenKappa"}]
    )
    kappa = torchmetrics.classification.MulticlassCohenKappa(CLASSES)
    counting = targets != 2
    metrics = evaluate(parts)
    assert metrics is not None
    assert metrics["val/CohenKappa"] == pytest.approx(
        float(kappa(linear()(inputs)[counting], targets[counting]))
    )


def test_the_look_at_made_up_targets_leaves_nothing_behind() -> None:
    metric = built("classification", "Recall")["Recall"]
    metric.update(torch.eye(4), torch.arange(4))
    assert float(metric.compute()) == 1.0


@pytest.mark.parametrize(
    ("task", "name", "keywords", "key", "message"),
    [
        ("classification", "AUROCC", {}, "metric.0.name", "no "),
        ("classification", "Recall", {"averge": "macro"}, "metric.0.averge", "no keyword averge"),
        ("classification", "Recall", {"average": "most"}, "metric.0", "refuses"),
        ("classification", "Recall", {"average": "none"}, "metric.0.name", "more than one number"),
        ("classification", "FBetaScore", {}, "metric.0", "beta"),
        ("regression", "Accuracy", {}, "metric.0.name", 'no "Accuracy" for a regression'),
        ("segmentation", "R2Score", {}, "metric.0.name", 'no "R2Score" for a segmentation'),
    ],
)
def test_what_can_not_be_meant_is_told_at_its_key(
    task: Task, name: str, keywords: dict[str, Any], key: str, message: str
) -> None:
    problem = refused(task, name, **keywords)
    assert problem.key == key
    assert message in problem.message


def test_a_metric_of_pixels_is_torchmetrics_own() -> None:
    metric = built("segmentation", "Precision")["Precision"]
    scores, targets = torch.rand(2, 4, 3, 3), torch.arange(18).view(2, 3, 3) % 4
    own = torchmetrics.classification.MulticlassPrecision(4)
    metric.update(scores, targets)
    assert float(metric.compute()) == pytest.approx(float(own(scores, targets)))


def test_labels_are_what_events_call_them() -> None:
    given = {"name": "x", "model": {"backbone": "resnet18"}, "train": {"epochs": 1}}
    read = Experiment.model_validate(given | {"metric": [{"name": "AUROC", "label": "area"}]})
    assert [section.title for section in read.metric] == ["area"]

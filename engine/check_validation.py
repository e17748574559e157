"""Validation with a few real samples: what would fail after the first epoch is told before."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import torch
from torch import Tensor

from engine.build import Parts
from engine.check_custom import refused, shaped
from engine.check_memory import too_large
from engine.contract.problems import Problem, RunError
from engine.parts.backbones import main_and_auxiliary
from engine.parts.batches import Batch


def validation_problems(parts: Parts, batch: Batch) -> list[Problem]:
    """As `evaluate` does it. For parts of a trial: the model and the metrics are changed."""
    parts.model.eval()
    parts.metrics.reset()
    criterion = parts.criterion
    try:
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of few samples some metrics warn that they are few
            targets = batch.targets.to(parts.device)
            inputs = parts.data.inputs(batch, parts.device)
            with parts.autocast:
                output = main_and_auxiliary(parts.model(inputs))[0].float()
            criterion.totals(output, targets)
            predictions = criterion.predictions(output, probabilities=parts.probabilities)
            return list(_metrics(parts, predictions, targets))
    except torch.OutOfMemoryError:
        return [too_large(parts)]
    except (RunError, RuntimeError, ValueError, IndexError) as error:
        told = f"validation can't take images {shaped(parts.data.inputs(batch))}: {error}"
        return refused(error) or [Problem(told, "data.val", "give them the size of the others")]


def _metrics(parts: Parts, predictions: Tensor, targets: Tensor) -> Iterator[Problem]:
    titles = [section.title for section in parts.experiment.metric]
    for name, metric in parts.metrics.items():
        try:
            metric.update(predictions, targets)
            metric.compute()
        except Exception as error:  # whatever torchmetrics, or what it calls, raises
            own = name in titles
            key = f"metric.{titles.index(name)}" if own else "data.val"
            hint = "take it out, or look at its arguments in torchmetrics' documentation"
            few = "write a larger val: a few samples at least"
            yield Problem(f"val/{name} can't be computed: {error}", key, hint if own else few)

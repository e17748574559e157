"""The metrics of a classification, by torchmetrics, accumulated on the device."""

from __future__ import annotations

import torch
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score


def build_metrics(classes: int, ignore_index: int, device: torch.device) -> MetricCollection:
    """`accuracy`: the share of the samples that are right. `f1`: the mean over the classes that
    are a target or a prediction of some sample.

    Both leave out the targets that the loss ignores. Arguments are not validated at each update,
    since that reads them back from the device.
    """
    return MetricCollection(
        {
            "accuracy": MulticlassAccuracy(
                classes, average="micro", ignore_index=ignore_index, validate_args=False
            ),
            "f1": MulticlassF1Score(
                classes, average="macro", ignore_index=ignore_index, validate_args=False
            ),
        },
        compute_groups=False,  # micro and macro states differ; finding that out costs a sync
    ).to(device)

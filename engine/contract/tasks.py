"""What a model learns: the kinds of targets, and what follows from each."""

from __future__ import annotations

from typing import Literal

Task = Literal["classification", "multilabel", "regression", "segmentation"]

# For a file without [loss].
DEFAULT_LOSS: dict[Task, str] = {
    "classification": "CrossEntropyLoss",
    "multilabel": "BCEWithLogitsLoss",
    "regression": "MSELoss",
    "segmentation": "CrossEntropyLoss",
}
# What a `validated` event carries beside the losses, each as `val/…`.
DEFAULT_METRICS: dict[Task, tuple[str, ...]] = {
    "classification": ("accuracy", "f1"),
    "multilabel": ("f1", "accuracy"),
    "regression": ("r2", "mae", "rmse"),
    "segmentation": ("miou", "accuracy"),
}
# Of several columns of a regression, each has its own `val/mae/age`: their units differ.
COLUMN_METRICS = ("r2", "mae", "rmse")

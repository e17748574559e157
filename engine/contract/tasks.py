"""What there is to learn: the kinds of target."""

from __future__ import annotations

from typing import Literal

Task = Literal["classification", "multilabel", "regression", "segmentation"]

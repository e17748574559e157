"""[[metric]]: further numbers after each validation, by torchmetrics' own names."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field

from engine.contract.section import Section


class Metric(Section):
    """One class of torchmetrics.classification or torchmetrics.regression, with that class's own
    keywords beside its name; the numbers of classes, labels and outputs are filled in."""

    model_config = ConfigDict(extra="allow")

    name: str = Field(min_length=1, pattern=r"^\w+$")
    """A class such as `MulticlassAUROC`, or `AUROC` for the one that fits the task."""
    label: str | None = Field(default=None, min_length=1, pattern=r"^[\w.-]+$")
    """What it is called in events, after `val/`. Default: its name."""

    @property
    def title(self) -> str:
        return self.label or self.name

    @property
    def keywords(self) -> dict[str, Any]:
        """What stands beside, as written."""
        return dict(self.model_extra or {})

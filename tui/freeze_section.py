"""What `[model]` of an edited file says of freezing. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FREEZE = ("model", "freeze")  # its row in the form


@dataclass(frozen=True)
class Freezes:
    """What `[model]` says of freezing; what is not as it must be is left out."""

    backbone: str
    patterns: list[str]
    freeze_norm: bool
    stages: list[tuple[int, list[str]]]

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Freezes:
        model = values.get("model")
        model = model if isinstance(model, dict) else {}
        stages = model.get("unfreeze", [])
        return cls(
            backbone=str(model.get("backbone", "")),
            patterns=_words(model.get("freeze")),
            freeze_norm=model.get("freeze_norm") is not False,
            stages=[
                (stage["epoch"], _words(stage.get("layers")))
                for stage in (stages if isinstance(stages, list) else [])
                if isinstance(stage, dict) and isinstance(stage.get("epoch"), int)
            ],
        )


def _words(value: Any) -> list[str]:
    return [word for word in value if isinstance(word, str)] if isinstance(value, list) else []

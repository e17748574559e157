"""How the engine is asked for the learning rates of what is being edited. Pure.

Editing never runs code that the experiment names: one's own scheduler is drawn only when a person
says so, and one's own data is not looked at for the steps of an epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tui.planned import PLATEAU

MOST_POINTS = 4000  # many for each column of any screen
ASSUMED = 100  # steps an epoch, where the data can't say
SECTIONS = ("seed", "data", "model", "optimizer", "scheduler", "train")  # that the plan depends on


@dataclass(frozen=True)
class Question:
    """What is asked; equal ones have equal answers."""

    text: str  # what stands in the file, or will
    about: str  # of that, what the plan depends on
    plateaus: tuple[str, ...]  # what they look at
    metric: str
    own_code: tuple[str, ...]  # that would be run
    steps_per_epoch: int | None = None  # assumed
    why_assumed: str = ""

    def same_as(self, other: Question | None) -> bool:
        """Whether the answer is known from the other."""
        return other is not None and (self.about, self.metric, self.steps_per_epoch) == (
            other.about,
            other.metric,
            other.steps_per_epoch,
        )

    def arguments(self, file: Path) -> list[str]:
        """For `ptrain`; the text goes to its standard input."""
        found = ["lr", str(file), "--stdin", "--json", "--most-points", str(MOST_POINTS)]
        if self.steps_per_epoch is not None:
            found += ["--steps-per-epoch", str(self.steps_per_epoch)]
        return [*found, "--metric", self.metric] if self.plateaus else found


def question(text: str, values: Mapping[str, Any], metric: str) -> Question:
    """`metric`: what a plateau sees, a number an epoch; without one it sees no progress at all."""
    members = [each for each in _list(values.get("scheduler")) if isinstance(each, dict)]
    plateaus = tuple(
        str(each.get("monitor", "val/loss")) for each in members if each.get("name") == PLATEAU
    )
    why = _unasked(_table(values.get("data")))
    return Question(
        text=text,
        about=repr([values.get(key) for key in SECTIONS]),
        plateaus=plateaus,
        metric=metric.strip() or _never_better(values) if plateaus else "",
        own_code=tuple(str(each["target"]) for each in members if "target" in each),
        steps_per_epoch=ASSUMED if why else None,
        why_assumed=why,
    )


def windows(values: Mapping[str, Any], steps_per_epoch: int) -> dict[str, tuple[float, float]]:
    """The steps from `begin` to `end` of each member, by its key; infinite without an end."""
    found: dict[str, tuple[float, float]] = {}
    for place, member in enumerate(_list(values.get("scheduler"))):
        member = _table(member)
        default = "step" if member.get("name") in ("CyclicLR", "OneCycleLR") else "epoch"
        unit = 1 if member.get("interval", default) == "step" else steps_per_epoch
        begin, end = member.get("begin", 0), member.get("end")
        begin = begin * unit if isinstance(begin, int) else 0
        found[f"scheduler.{place}"] = (begin, end * unit if isinstance(end, int) else float("inf"))
    return found


def _unasked(data: Mapping[str, Any]) -> str:
    """Why the data is not even looked at, in words; empty where it is."""
    if "target" in data:
        return f"{data['target']} is not run for this"
    if _table(data.get("args")).get("download"):
        return "nothing is downloaded for this"
    return ""


def _never_better(values: Mapping[str, Any]) -> str:
    epochs = _table(values.get("train")).get("epochs", 1)
    return ",".join("1" * (min(epochs, 100_000) if isinstance(epochs, int) else 1))


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []

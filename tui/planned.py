"""What `ptrain lr --json` printed, as columns: the planned learning rates of a run. Pure.

A million steps would be 70 MB of JSON and a second of this process's time: ask for `MOST` points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from engine.contract.telling import telling
from tui.series import Floats

MOST = 20_000  # points that are kept of a group: many for each column of any screen
PLATEAU = "ReduceLROnPlateau"


class Acting(msgspec.Struct, frozen=True):
    """Where a member of the chain changes a rate. `key`: `scheduler.1`; first, last: steps."""

    key: str
    name: str
    interval: str
    first: int | None
    last: int | None
    changes: int


@dataclass(frozen=True, eq=False)
class Plan:
    """`lr[group][i]` is the rate of that group in step `step[i]`; not finite where it is not."""

    groups: Sequence[str]
    steps_per_epoch: int
    epochs: int
    members: Sequence[Acting]
    step: Floats
    lr: Sequence[Floats]

    @property
    def steps(self) -> int:
        """Of the whole run."""
        return self.steps_per_epoch * self.epochs

    @property
    def plateau(self) -> bool:
        """Whether a metric that is not known before the run may change it."""
        return any(member.name == PLATEAU for member in self.members)


class _Point(msgspec.Struct, gc=False):
    step: int
    lr: list[float | None]


class _Printed(msgspec.Struct):
    groups: list[str]
    steps_per_epoch: int
    epochs: int
    members: list[Acting]
    points: list[_Point]


_decoder = msgspec.json.Decoder(_Printed)


def decode(json: bytes | str, most: int = MOST) -> Plan:
    """The plan, with at most about `most` points a group; ValueError where that is no plan."""
    try:
        printed = _decoder.decode(json)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValueError(f"no plan: {error}") from None
    groups = len(printed.groups)
    if any(len(point.lr) != groups for point in printed.points):
        raise ValueError("no plan: a point has not as many rates as there are groups")
    step = np.array([point.step for point in printed.points], dtype=np.float64)
    # None is NaN as a float.
    rates = np.array([point.lr for point in printed.points], dtype=np.float64).reshape(-1, groups)
    kept = telling(rates, most)
    return Plan(
        groups=printed.groups,
        steps_per_epoch=printed.steps_per_epoch,
        epochs=printed.epochs,
        members=printed.members,
        step=step[kept],
        lr=[np.ascontiguousarray(rates[kept, group]) for group in range(groups)],
    )

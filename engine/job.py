"""A run in this process: what trains, where it is, and who writes and asks."""

from __future__ import annotations

from dataclasses import dataclass

from engine.build import Parts
from engine.checkpoint import Keeper, Progress
from engine.contract.events import Validated, finite, non_finite
from engine.control import Control
from engine.recorder import Recorder


@dataclass
class Job:
    """What the loop works on. Only `progress`, `epochs` and `stop_after_epoch` change."""

    parts: Parts
    progress: Progress
    recorder: Recorder
    control: Control
    keeper: Keeper
    epochs: int
    stop_after_epoch: bool = False

    @property
    def planned_end(self) -> int:
        """Optimizer steps at the end of the last epoch."""
        return self.epochs * self.parts.steps_per_epoch


@dataclass(frozen=True)
class Ending:
    """How the loop ended: `stopped` says by whose wish, or is empty at the planned end."""

    metrics: dict[str, float]
    stopped: str = ""


def record_validation(
    job: Job, metrics: dict[str, float], seconds: float, *, requested: bool = False
) -> None:
    """Write the `validated` event of the steps so far."""
    job.recorder.write(
        Validated(
            time=job.recorder.clock(),
            step=job.progress.step,
            epoch=job.progress.epoch,
            metrics={name: finite(value) for name, value in metrics.items()},
            seconds=round(seconds, 3),
            non_finite=non_finite(metrics),
            requested=requested,
        )
    )

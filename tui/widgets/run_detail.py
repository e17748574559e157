"""One run in words: where it is, its learning rates, and its validations."""

from __future__ import annotations

from tui.run_list import WatchedRun
from tui.widgets.words import Words

EPOCHS = 12  # the newest validations that are listed


class RunDetail(Words):
    """The newest first, so that a small window shows what matters."""

    def show(self, watched: WatchedRun | None) -> None:
        self.text = describe(watched) if watched is not None else ""


def describe(watched: WatchedRun) -> str:
    state = watched.state
    lines = [str(watched.run.path)]
    if state.last_step is not None:
        rates = " ".join(f"{lr:.3g}" for lr in state.last_step.lr)
        lines.append(f"step {state.steps_done}/{state.planned_end}  lr {rates}")
    for event in reversed(state.validated[-EPOCHS:]):
        numbers = (
            f"{name} {'nan' if value is None else f'{value:.4f}'}"
            for name, value in event.metrics.items()
        )
        lines.append(f"epoch {event.epoch + 1}/{state.epochs}  {'  '.join(numbers)}")
    return "\n".join(lines)

"""One run in words: its last numbers, its validations, and where its checkpoints are."""

from __future__ import annotations

from textual.reactive import reactive
from textual.widgets import Static

from tui.run_list import WatchedRun


class RunDetail(Static):
    """Shows the text it is given, and repaints only when that changes."""

    DEFAULT_CSS = "RunDetail { height: auto; max-height: 50%; border-top: solid $primary; }"

    text: reactive[str] = reactive("")

    def show(self, watched: WatchedRun | None) -> None:
        self.text = describe(watched) if watched is not None else "no run is chosen"

    def watch_text(self, text: str) -> None:
        self.update(text)


def describe(watched: WatchedRun) -> str:
    """The newest first, so that a small window shows what matters."""
    state, run = watched.state, watched.run
    reason = f": {watched.status.reason}" if watched.status.reason else ""
    lines = [f"{run.name} {run.id}  {watched.status.state}{reason}", str(run.path)]
    for event in state.validated[-1:]:
        numbers = (f"{name} {value:.4f}" for name, value in event.metrics.items() if value)
        lines.append(f"epoch {event.epoch + 1}/{state.epochs}  {'  '.join(numbers)}")
    if state.last_step is not None:
        rates = " ".join(f"{lr:.3g}" for lr in state.last_step.lr)
        lines.append(f"step {state.steps_done}/{state.planned_end}  lr {rates}")
    for saved in {event.path: event for event in state.checkpoints[-8:]}.values():
        lines.append(f"{saved.kind}  {run.path / saved.path}")
    return "\n".join(line.replace("[", r"\[") for line in lines)

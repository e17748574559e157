"""One run in a few lines of words. Pure: the same run gives the same text."""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise

from engine.contract.events import CheckpointSaved, LastWord, RunFailed
from engine.contract.run_state import RunState
from tui.run_list import WatchedRun
from tui.series import LEAP

# A sign beside the word: not every terminal has colours, nor every person all of them.
SIGNS = {"running": "●", "finished": "✓", "stopped": "■", "failed": "✗", "lost": "?"}
UNREAD = "…"
BAR = 10  # cells


def sign(watched: WatchedRun) -> str:
    return SIGNS[watched.status.state] if watched.looked else UNREAD


def summary(watched: WatchedRun) -> str:
    """State, progress, numbers, speed, and what to do where something went wrong."""
    state, how = watched.state, watched.status
    if not watched.looked:
        return f"{UNREAD} {watched.run.name} {watched.run.id}\nreading …"
    device = state.resumed or state.started
    words = [how.state, *([device.device] if device is not None else [])]
    lines = [f"{sign(watched)} {watched.run.name} {watched.run.id}", " · ".join(words)]
    lines += [progress(state), numbers(state)]
    if not how.over:
        lines.append(waiting(state) or speed(state))
    return "\n".join(line for line in (*lines, *trouble(watched)) if line)


def progress(state: RunState) -> str:
    """`epoch 3/25 ▇▇▇▁▁▁▁▁▁▁ 12%`: the share of all planned steps."""
    if not state.planned_end:
        return ""
    share = min(1.0, state.steps_done / state.planned_end)
    filled = int(share * BAR)
    bar = "▇" * filled + "▁" * (BAR - filled)
    return f"epoch {current_epoch(state)}/{state.epochs} {bar} {share:.0%}"


def current_epoch(state: RunState) -> int:
    """From 1; the one that is under way, or the last."""
    if state.last_step is not None:
        return state.last_step.epoch + 1
    return state.resumed.epoch + 1 if state.resumed is not None else 1


def numbers(state: RunState) -> str:
    """The last loss, and the metrics of the last validation."""
    words = []
    if state.last_step is not None:
        loss = state.last_step.loss
        words.append(f"loss {'nan' if loss is None else f'{loss:.4g}'}")
    for validated in state.validated[-1:]:
        words += [
            f"{name} {'nan' if value is None else f'{value:.4g}'}"
            for name, value in validated.metrics.items()
            if name != "train/loss"
        ]
    return "  ".join(words)


def speed(state: RunState) -> str:
    """`412 samples/s · left 3 min`."""
    step, left = state.last_step, seconds_left(state)
    words = [f"{step.samples_per_second:.3g} samples/s"] if step is not None else []
    return " · ".join([*words, *([f"left {duration(left)}"] if left is not None else [])])


def seconds_left(state: RunState) -> float | None:
    """From the times of this process's steps of up to one epoch, its validation among them; None
    before there are two."""
    curve = state.curve
    window = state.started.steps_per_epoch + 1 if state.started is not None else 100
    first = bisect_left(curve.step, state.resumed.step) if state.resumed is not None else 0
    recent = curve.time[max(first, len(curve.time) - max(2, window)) :]
    # A clock that is set back, or leaps, tells nothing of how long that step took.
    took = [after - before for before, after in pairwise(recent) if 0 <= after - before < LEAP]
    left = state.planned_end - state.steps_done
    return sum(took) / len(took) * left if took and left >= 0 else None


def duration(seconds: float) -> str:
    """Rounded to what a person plans with: `45 s`, `3 min`, `2 h 10 min`, `4 days`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} days"


def facts(watched: WatchedRun) -> list[tuple[str, str]]:
    """What a report says of a run, by name."""
    state = watched.state
    word, device = state.last_word, state.resumed or state.started
    rows = [("run", f"{watched.run.name} {watched.run.id}"), ("state", watched.status.state)]
    if device is not None:
        rows.append(("device", f"{device.device} of {device.host}"))
    if state.started is not None:
        count = state.started.parameters
        rows.append(("parameters", f"{count.total:,}, {count.trainable:,} of them trainable"))
    rows.append(("steps", f"{state.steps_done:,} of {state.planned_end:,}"))
    if state.planned_end:
        rows.append(("epoch", f"{current_epoch(state)} of {state.epochs}"))
    if isinstance(word, LastWord):
        rows.append(("training time of the last process", duration(word.seconds)))
    if state.best is not None and state.best.metric is not None:
        at = f"epoch {state.best.epoch}, step {state.best.step:,}"
        rows.append(("best checkpoint", f"{state.best.path} ({state.best.metric:.6g}, {at})"))
    return rows


def waiting(state: RunState) -> str:
    """What a run that stands still waits for; nothing where it doesn't."""
    if state.compiling is not None:
        return f"compiling {state.compiling.split} ({state.compiling.mode}): a minute or more …"
    if state.last_step is not None:
        return ""
    return "importing torch …" if state.started is None else "waiting for the first step …"


def trouble(watched: WatchedRun) -> list[str]:
    """Why a run is not going on, and the remedy."""
    how, word = watched.status, watched.state.last_word
    lines = [how.reason] if how.state != "lost" else []  # its verdict says why
    if isinstance(word, RunFailed) and how.state == "failed":
        lines = [word.error, word.remedy]
    if how.state == "lost" and watched.said:
        lines += [f"{watched.run.console.name} ends:", *watched.said]
    lines += watched.damage
    if watched.elsewhere and not how.over:
        lines = [f"it runs on {watched.elsewhere}: here it can be looked at; ask and stop it there"]
    if how.state == "stopped" and watched.state.checkpoints:
        lines.append("R resumes it")
    return [line for line in lines if line]


def outcome(watched: WatchedRun) -> str:
    """In a word or two, for a list: `3/25`, `0.934`, or why it failed."""
    state, how = watched.state, watched.status
    if not watched.looked:
        return ""
    if how.state == "failed":
        return how.reason
    if how.state == "running" and state.compiling is not None:
        return "compiling"
    if how.state == "running":
        return f"{current_epoch(state)}/{state.epochs}" if state.last_step else "starting"
    word = state.last_word
    best = word.best if isinstance(word, LastWord) else None
    if best is None and state.best is not None:
        best = state.best.metric
    return f"{best:.4g}" if best is not None else how.state


def checkpoints(state: RunState) -> list[CheckpointSaved]:
    """What lies there, each path once, as it was last written: the best, then the newest first."""
    by_path = {saved.path: saved for saved in state.checkpoints}
    newest = sorted(by_path.values(), key=lambda saved: (saved.step, saved.epoch), reverse=True)
    return sorted(newest, key=lambda saved: saved.kind != "best")

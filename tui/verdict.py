"""What is wrong with a run, in words, and what to do about it. Pure.

A false alarm is worse than silence: each rule asks for more than noise can give, and says nothing
where it knows too little.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from engine.contract.run_state import RunState
from engine.contract.runs import Status
from tui.series import Floats, floats

POINTS = 2000  # of a run's losses that are looked at: enough for medians, and 0.2 ms
BLOCK = 30  # losses of one median, at least; its noise is then a quarter of theirs
SIGMAS = 3.0  # iid noise reaches 1.5 between two such medians, over as many as there can be
SIGMAS_OF_MINIMA = 5.0  # the lowest of many medians is itself 1.3 too low
STILL_STEPS = 20  # without a learning rate, or without a step: a warm-up begins with fewer
NO_RATE = 1e-12  # below it no float32 weight changes in a day
PATIENCE = 5  # validations without a better one before that is told
EPOCHS_FOR_A_PLATEAU = 10  # before, many a run has only just begun
PROGRESS = 0.01  # of the whole way down so far: less than that in a third of the epochs is none
RISE = 0.1  # of the whole way down so far: a rise that one would not take for noise by eye
WAITING = 0.5  # of the time: half of the device's hours are paid for nothing
IDLE = 80  # per cent of utilisation: above, the device has enough to do whatever the loop waits for
EQUAL_VALIDATIONS = 3
CHECKPOINTS_OF_ROOM = 3  # one is written before an old one is deleted, under up to three names
LEAST_ROOM = 100 << 20  # bytes: events and logs of some hours


@dataclass(frozen=True)
class Verdict:
    """`what` is wrong, and what to do: a `remedy`."""

    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what}: {self.remedy}"


def verdicts(state: RunState, status: Status, *, free: int | None = None) -> list[Verdict]:
    """The gravest first; none when nothing is wrong. `free`: bytes where the run is written."""
    if status.state == "lost":
        return [_lost(state, status)]
    if status.state == "failed":
        return []  # its own last word is told, with its remedy
    found: list[Verdict | None] = []
    if not status.over:
        found += [_nearly_full(state, free), _not_a_number(state), _no_steps(state)]
        found += [_no_rate(state), _not_moving(state), _diverging(state)]
    trend = _over_fitting(state, over=status.over)
    if trend is None and not status.over:
        trend = _plateau(state)
    found.append(trend)
    if not status.over:
        found.append(_input_bound(state))
    return [verdict for verdict in found if verdict is not None]


def _lost(state: RunState, status: Status) -> Verdict:
    last = state.checkpoints[-1] if state.checkpoints else None
    remedy = f"R goes on from step {last.step}" if last is not None else "r starts it again"
    return Verdict(f"lost, {status.reason}", f"killed, out of memory or switched off; {remedy}")


def _nearly_full(state: RunState, free: int | None) -> Verdict | None:
    largest = max((saved.bytes for saved in state.checkpoints), default=0)
    if free is None or free >= max(CHECKPOINTS_OF_ROOM * largest, LEAST_ROOM):
        return None
    return Verdict(
        f"the disk is nearly full, {free >> 20} MB are free",
        "make room, or the next checkpoint can't be written",
    )


def _not_a_number(state: RunState) -> Verdict | None:
    step = state.last_step
    if step is None or not step.non_finite:
        return None
    return Verdict(
        f"diverging, the loss is {step.non_finite.get('loss', 'nan')}",
        "lower the lr, or write clip_norm = 1.0 under [train]",
    )


def _no_steps(state: RunState) -> Verdict | None:
    """The optimizer leaves out every step; of the last one it is known why."""
    step, recent = state.last_step, state.curve.loss[-STILL_STEPS:]
    if step is None or step.skipped is None or len(recent) < STILL_STEPS:
        return None
    if np.isfinite(recent).any():
        return None
    remedy = (
        'write precision = "bf16" under [train]' if "fp16" in step.skipped else "look at [loss]"
    )
    return Verdict(f"no weight moves, every step is skipped ({step.skipped})", remedy)


def _no_rate(state: RunState) -> Verdict | None:
    rates = [column[-STILL_STEPS:] for column in state.curve.lr]
    left = state.planned_end - state.steps_done
    if not rates or len(rates[0]) < STILL_STEPS or left < STILL_STEPS:
        return None  # a schedule may well end at 0
    if not all(abs(rate) < NO_RATE for column in rates for rate in column):
        return None
    return Verdict(
        "the learning rate is zero, nothing is learned",
        f"stop it, {left} steps are left; look at [[scheduler]] with `ptrain lr`",
    )


def _not_moving(state: RunState) -> Verdict | None:
    """The same weights give the same bits. A loss of 0 is the end of learning, not its failure."""
    told = [event.metrics.get("val/loss") for event in state.validated if not event.requested]
    recent = told[-EQUAL_VALIDATIONS:]
    if len(recent) < EQUAL_VALIDATIONS or not recent[0] or len(set(recent)) > 1:
        return None
    return Verdict(
        f"the weights don't move, val/loss was {recent[0]:.6g} {EQUAL_VALIDATIONS} times",
        "raise the lr, or see with `ptrain layers` what is frozen",
    )


def _diverging(state: RunState) -> Verdict | None:
    """The training loss has risen by more than its noise, and by more than half of what had been
    gained. Medians of blocks: a single bad batch is none of it."""
    losses = state.curve.loss[:: max(1, len(state.curve.loss) // POINTS)]
    values = floats(losses)
    values = values[np.isfinite(values)]
    block = max(BLOCK, len(values) // 20)
    if len(values) < 3 * block:
        return None
    blocks = values[len(values) % block :].reshape(-1, block)
    medians = np.median(blocks, axis=1)
    best = int(medians[:-1].argmin())
    noise = SIGMAS * max(_spread(blocks[best]), _spread(blocks[-1]))
    gained = max(0.0, float(medians[0] - medians[best]))
    # Its latest half too: a peak that is over already is no trend.
    now = min(float(medians[-1]), float(np.median(blocks[-1][block // 2 :])))
    if now - medians[best] <= max(noise, gained / 2):
        return None
    return Verdict(
        f"diverging, the loss has risen from {medians[best]:.3g} to {now:.3g}",
        "lower the lr, or write clip_norm = 1.0 under [train]",
    )


def _over_fitting(state: RunState, *, over: bool) -> Verdict | None:
    """val/loss rises while train/loss falls."""
    epochs, val, train = _epochs(state)
    if len(val) < 2 * PATIENCE:
        return None
    smooth, learned = _running_median(val), _running_median(train)
    best = int(smooth.argmin())
    behind = len(smooth) - 1 - best
    rise, way = float(smooth[-1] - smooth[best]), max(0.0, float(val[0] - smooth[best]))
    noise = SIGMAS_OF_MINIMA * _jitter(val)
    if behind < PATIENCE or rise <= max(noise, RISE * way):
        return None
    if val[-PATIENCE:].min() <= smooth[best]:  # one of them is as good as ever
        return None
    if learned[best] - learned[-1] <= SIGMAS / 2 * _jitter(train) or learned[-1] >= learned[best]:
        return None
    epoch = epochs[int(val.argmin())]
    what = f"over-fitting since epoch {epoch}, val/loss {val.min():.3g} → {val[-1]:.3g}"
    if over:
        return Verdict(
            what, "take best.pt; next time fewer epochs, or more augment or weight_decay"
        )
    return Verdict(what, "stop it and take best.pt; more augment or weight_decay helps")


def _plateau(state: RunState) -> Verdict | None:
    """No better val/loss in the last third, and no way towards one either."""
    epochs, val, _ = _epochs(state)
    if len(val) < EPOCHS_FOR_A_PLATEAU:
        return None
    behind = max(PATIENCE, len(val) // 3)
    earlier, recent = val[:-behind], val[-behind:]
    best = float(earlier.min())
    way = float(val[0]) - best
    if way <= 0 or recent.min() < best - PROGRESS * way:
        return None
    half = behind // 2
    if np.median(recent[-half:]) < np.median(recent[:half]) - PROGRESS * way:
        return None
    epoch = epochs[int(earlier.argmin())]
    return Verdict(
        f"plateaued, val/loss is not below {best:.3g} (epoch {epoch}) for {behind} epochs",
        "stop it, or try another lr: ReduceLROnPlateau lowers it by itself",
    )


def _input_bound(state: RunState) -> Verdict | None:
    waits, system = state.waits, state.system
    if len(waits) < (waits.maxlen or 1) or sorted(waits)[len(waits) // 3] < WAITING:
        return None
    busy = system.device_utilisation if system is not None else None
    if busy is not None and busy >= IDLE:
        return None
    share = sum(waits) / len(waits)
    workers = state.started.workers if state.started is not None else 0
    return Verdict(
        f"input-bound, {share:.0%} of the time it waits for images",
        f"more data.workers (now {workers}), or smaller images",
    )


def _epochs(state: RunState) -> tuple[list[int], Floats, Floats]:
    """The number of each validated epoch, from 1, its val/loss and its train/loss."""
    epochs, vals, trains = [], [], []
    for event in state.validated:
        val, train = event.metrics.get("val/loss"), event.metrics.get("train/loss")
        if not event.requested and val is not None and train is not None:
            epochs.append(event.epoch + 1)
            vals.append(val)
            trains.append(train)
    return epochs, floats(vals), floats(trains)


def _running_median(values: Floats) -> Floats:
    """Of PATIENCE each, that end at its place: a lucky epoch does not count."""
    return np.array(list(_medians(values)))


def _medians(values: Floats) -> Iterator[float]:
    for end in islice(range(len(values) + 1), 1, None):
        yield float(np.median(values[max(0, end - PATIENCE) : end]))


def _spread(values: Floats) -> float:
    """The standard deviation of a normal distribution with this median deviation: outliers, which
    losses have, don't count (Rousseeuw & Croux 1993)."""
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))


def _jitter(values: Floats) -> float:
    """From one epoch to the next, which a trend doesn't hide."""
    return _spread(np.diff(values)) / 2**0.5

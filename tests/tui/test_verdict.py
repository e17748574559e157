"""What is wrong with a run, and that nothing is said of one that only makes noise."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from engine.contract.events import CheckpointSaved, Event, Step, System, Validated
from engine.contract.run_state import RunState, fold
from engine.contract.runs import Status
from tests.tui.board import append, board, look, running, started, step
from tui.pace import Rest
from tui.verdict import verdicts
from tui.widgets.run_summary import RunSummary

RUNNING = Status("running")
ROOM = 1 << 40


def state(*events: Event) -> RunState:
    seen = RunState()
    for event in events:
        fold(seen, event)  # type: ignore[arg-type]
    return seen


def epochs(val: Sequence[float], train: Sequence[float] | None = None) -> RunState:
    """A run that has told these at the end of its epochs."""
    pairs = zip(val, train if train is not None else val, strict=True)
    return state(
        started(100),
        *(
            Validated(
                time=1.0,
                step=2 * number + 2,
                epoch=number,
                metrics={"val/loss": float(loss), "train/loss": float(learned)},
                seconds=0.1,
            )
            for number, (loss, learned) in enumerate(pairs)
        ),
    )


def losses(values: Sequence[float]) -> RunState:
    seen = state(started(10_000))
    for number, loss in enumerate(values):
        fold(seen, step(number, float(loss)))
    return seen


def told(seen: RunState, how: Status = RUNNING, free: int | None = ROOM) -> str:
    return "\n".join(map(str, verdicts(seen, how, free=free)))


def test_nothing_is_said_of_a_run_that_has_told_nothing_yet() -> None:
    assert told(state()) == told(state(started())) == ""


def test_a_loss_that_rises_again_is_diverging() -> None:
    falling, rising = np.linspace(2.0, 0.5, 200), np.linspace(0.5, 3.0, 100)
    assert told(losses([*falling, *rising])).startswith("diverging, the loss has risen from 0.")
    assert "lower the lr" in told(losses([*falling, *rising]))
    assert told(losses(falling)) == ""


def test_a_loss_that_is_not_a_number_is_diverging() -> None:
    odd = Step(
        time=1.0,
        step=0,
        epoch=0,
        loss=None,
        lr=[0.1],
        samples_per_second=1.0,
        non_finite={"loss": "nan"},
    )
    assert told(state(started(), odd)).startswith("diverging, the loss is nan")


@pytest.mark.parametrize("seed", range(20))
def test_noise_and_single_peaks_are_no_divergence(seed: int) -> None:
    noise = np.random.default_rng(seed)
    flat = noise.normal(1.0, 0.3, 3000)
    heavy = np.exp(noise.normal(0.0, 1.0, 3000))
    falling = 2 * np.exp(-np.arange(3000) / 300) + 0.1 * heavy
    peak = np.concatenate([falling[:1500], [50.0] * 10, falling[1500:]])
    for series in (flat, heavy, falling, peak):
        for length in range(90, len(series), 487):
            assert told(losses(series[:length])) == ""


def test_val_loss_that_rises_while_train_loss_falls_is_over_fitting() -> None:
    val = [1.0, 0.8, 0.6, 0.5, *(0.5 + 0.03 * epoch for epoch in range(1, 10))]
    train = [1.0 * 0.8**epoch for epoch in range(len(val))]
    seen = epochs(val, train)
    assert told(seen).startswith("over-fitting since epoch 4, val/loss 0.5 → 0.77: stop it")
    assert "take best.pt; next time" in told(seen, Status("finished"))
    both_rise = epochs(val, val)
    assert "over-fitting" not in told(both_rise)


@pytest.mark.parametrize("seed", range(20))
def test_a_noisy_val_loss_is_no_over_fitting_and_no_plateau_while_it_falls(seed: int) -> None:
    noise, epoch = np.random.default_rng(seed), np.arange(60)
    train = np.exp(-epoch / 15) + noise.normal(0, 0.01, 60)
    slow = 0.3 + 0.7 * np.exp(-epoch / 30) + noise.normal(0, 0.02, 60)
    flat = 0.3 + 0.7 * np.exp(-epoch / 10) + noise.normal(0, 0.05, 60)
    for length in range(1, 61):
        assert told(epochs(slow[:length], train[:length])) == ""
        assert "over-fitting" not in told(epochs(flat[:length], train[:length]))


def test_val_loss_without_a_better_one_in_the_last_third_is_a_plateau() -> None:
    val = [1.0, 0.6, 0.4, 0.3, 0.25, *([0.26, 0.255] * 5)]
    words = told(epochs(val))
    assert words.startswith("plateaued, val/loss is not below 0.25 (epoch 5) for 5 epochs")
    assert told(epochs(val[:9])) == "", "it has only just begun"
    assert told(epochs(val), Status("finished")) == "", "there is nothing to stop any more"


def test_a_learning_rate_of_zero_is_told_unless_the_schedule_is_about_to_end() -> None:
    def run(epochs: int) -> RunState:
        still = [
            Step(time=1.0, step=n, epoch=0, loss=0.5, lr=[0.0, 0.0], samples_per_second=1.0)
            for n in range(30)
        ]
        return state(started(epochs), *still)

    assert told(run(100)).startswith("the learning rate is zero")
    assert told(run(16)) == "", "2 steps are left"
    assert told(state(started(100), *(step(n) for n in range(30)))) == ""


def test_validations_that_are_equal_to_the_last_bit_mean_that_no_weight_moves() -> None:
    assert told(epochs([0.7, 0.693, 0.693, 0.693])).startswith("the weights don't move")
    assert told(epochs([0.7, 0.693, 0.693])) == ""
    assert told(epochs([0.0, 0.0, 0.0])) == "", "it can't get better"


def test_steps_that_are_all_skipped_are_told_with_their_reason() -> None:
    def skipped(number: int) -> Step:
        reason = "fp16 gradients overflowed"
        return Step(
            time=1.0,
            step=number,
            epoch=0,
            loss=None,
            lr=[0.1],
            samples_per_second=1.0,
            skipped=reason,
        )

    words = told(state(started(100), *map(skipped, range(20))))
    assert words.startswith("no weight moves, every step is skipped (fp16 gradients overflowed)")
    assert "bf16" in words
    assert told(state(started(100), *map(skipped, range(19)))) == ""


def waits(*shares: float, utilisation: int | None = None) -> RunState:
    return state(
        started(),
        *(
            System(time=1.0, memory=1, data_wait=share, device_utilisation=utilisation)
            for share in shares
        ),
    )


def test_a_run_that_waits_for_its_images_most_of_the_time_is_input_bound() -> None:
    words = told(waits(0.8, 0.8, 0.8, 0.8, 0.8, 0.8))
    assert words.startswith("input-bound, 80% of the time it waits for images: more data.workers")
    assert told(waits(0.9, 0.8, 0.9)) == "", "half a minute first"
    assert told(waits(0.9, 0.1, 0.1, 0.1, 0.1, 0.9)) == "", "new epochs"
    assert told(waits(*[0.9] * 6, utilisation=95)) == "", "the device has enough to do"
    assert "input-bound" in told(waits(*[0.9] * 6, utilisation=20))


def test_a_disk_without_room_for_checkpoints_is_told_first() -> None:
    large = CheckpointSaved(
        time=1.0,
        step=2,
        epoch=1,
        path="checkpoints/last.pt",
        kind="last",
        metric=None,
        sha256="",
        bytes=1 << 30,
    )
    seen = state(started(), large)
    assert told(seen, free=2 << 30).startswith("the disk is nearly full, 2048 MB are free: make")
    assert told(seen, free=4 << 30) == told(seen, free=None) == ""
    assert "nearly full" in told(state(), free=50 << 20)


def test_a_lost_run_says_what_may_have_happened_and_how_it_goes_on() -> None:
    lost = Status("lost", "its process is gone without a last word")
    assert told(state(), lost).startswith("lost, its process is gone without a last word: killed")
    assert told(state(), lost).endswith("r starts it again")


def test_a_failed_run_has_its_own_word() -> None:
    assert told(losses([math.nan] * 300), Status("failed", "no memory")) == ""


def test_the_summary_shows_the_verdict_and_takes_it_back(tmp_path: Path) -> None:
    run = running(tmp_path)
    app = board(tmp_path)

    async def test() -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            await look(app, pilot)
            words = app.main.query_one(RunSummary)
            words.rest = Rest(0.0)
            assert "⚠" not in words.text
            words.free = lambda folder: 50 << 20
            await look(app, pilot)
            assert "⚠ the disk is nearly full, 50 MB are free: make room" in words.text
            words.free = lambda folder: ROOM
            append(run, *(System(time=1.0, memory=1, data_wait=0.9) for _ in range(6)))
            await look(app, pilot)
            assert "nearly full" not in words.text
            assert "⚠ input-bound, 90% of the time" in words.text

    asyncio.run(test())

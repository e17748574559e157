"""How long the loop waits for its batches, counted with a clock that goes when it is told to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine.data_wait import DataWait


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def slow(clock: Clock, seconds: list[float]) -> Iterator[int]:
    for number, wait in enumerate(seconds):
        clock.now += wait
        yield number


def test_the_share_is_what_was_waited_of_the_time_since_the_last_question() -> None:
    clock = Clock()
    wait = DataWait(clock)
    batches = wait.timed(slow(clock, [3.0, 1.0, 0.0]))
    assert next(batches) == 0  # 3 s of waiting
    clock.now += 1.0  # and 1 s of work
    assert wait.share() == 0.75
    assert next(batches) == 1
    clock.now += 3.0
    assert wait.share() == 0.25
    assert list(batches) == [2]


def test_a_wait_that_is_not_over_counts_as_far_as_it_has_come_and_only_once() -> None:
    clock = Clock()
    wait = DataWait(clock)
    asked: list[float] = []

    def hanging() -> Iterator[int]:
        clock.now += 5.0
        asked.append(wait.share())
        clock.now += 5.0
        yield 0

    batches = wait.timed(hanging())
    next(batches)
    clock.now += 5.0
    assert asked == [1.0]
    assert wait.share() == 0.5


def test_no_time_is_no_wait() -> None:
    assert DataWait(Clock()).share() == 0.0


def test_the_loop_s_errors_come_through() -> None:
    def broken() -> Iterator[int]:
        raise RuntimeError("a worker died")
        yield 0

    with pytest.raises(RuntimeError, match="a worker died"):
        next(DataWait().timed(broken()))

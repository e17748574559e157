"""The recorder writes every event once, in order, and never makes the loop wait."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
import torch

from engine.contract.events import Step, System
from engine.contract.follower import Follower
from engine.contract.problems import RunError
from engine.contract.run_directory import RunDirectory, create
from engine.recorder import EventFile, Recorder, StepRecord

CPU = torch.device("cpu")


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return create(tmp_path, "small", "", b"")


def record(step: int, loss: float | None, count: float = 2.0, skipped: str | None = None):
    value = None if loss is None else torch.tensor(loss)
    return StepRecord(step, 0, value, (count,), [1, 2], [0.1], time.time(), skipped)


def events(run: RunDirectory) -> list[object]:
    return list(Follower(run.events).events())


def test_each_step_has_its_event_and_they_precede_what_is_written_after_them(
    run: RunDirectory,
) -> None:
    recorder = Recorder(run, CPU)
    for step in range(5):
        recorder.step(record(step, 0.5 + step))
    assert events(run) == [], "nothing is read from the device until it is needed"
    recorder.warn("what", "where", "remedy")
    recorder.close()
    *steps, _ = events(run)
    assert [(e.step, e.loss) for e in steps if isinstance(e, Step)] == [
        (step, 0.5 + step) for step in range(5)
    ]


def test_the_thread_writes_by_itself_and_tells_how_the_machine_is(run: RunDirectory) -> None:
    recorder = Recorder(run, CPU, flush_seconds=0.01)
    recorder.start()
    recorder.step(record(0, 0.5))
    limit = time.monotonic() + 10
    while len({type(event) for event in events(run)} & {Step, System}) < 2:
        assert time.monotonic() < limit
        time.sleep(0.01)
    recorder.close()


def test_the_epochs_loss_is_the_mean_weighted_by_what_counts(run: RunDirectory) -> None:
    recorder = Recorder(run, CPU)
    recorder.step(record(0, 1.0, count=3.0))
    recorder.step(record(1, None, count=0.0, skipped="no target counts"))
    recorder.step(record(2, 5.0, count=1.0))
    recorder.flush()
    assert recorder.epoch_loss.means(1) == [(1.0 * 3 + 5.0 * 1) / 4]
    recorder.close()
    assert [e.skipped for e in events(run) if isinstance(e, Step)] == [
        None,
        "no target counts",
        None,
    ]


def test_sums_are_added_and_divided_by_what_counts(run: RunDirectory) -> None:
    recorder = Recorder(run, CPU, sums=[True])
    recorder.step(record(0, 6.0, count=3.0))
    recorder.step(record(1, 2.0, count=1.0))
    recorder.flush()
    assert recorder.epoch_loss.means(1) == [2.0]
    recorder.close()


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), float("-inf")])
def test_a_loss_that_is_not_finite_is_null_with_its_value_and_is_found(
    run: RunDirectory, loss: float
) -> None:
    recorder = Recorder(run, CPU)
    recorder.step(record(0, 1.0))
    recorder.step(record(1, loss))
    recorder.step(record(2, loss))
    recorder.close()
    assert recorder.non_finite is not None
    assert recorder.non_finite.record.step == 1
    bad = [e for e in events(run) if isinstance(e, Step)][1]
    assert bad.loss is None
    assert bad.non_finite == {"loss": str(loss)}


def test_half_a_line_of_a_killed_engine_is_cut_off(run: RunDirectory) -> None:
    recorder = Recorder(run, CPU)
    recorder.step(record(0, 1.0))
    recorder.close()
    whole = run.events.read_bytes()
    run.events.write_bytes(whole + b'{"type":"step","time":17')
    recorder = Recorder(run, CPU)
    assert run.events.read_bytes() == whole
    recorder.step(record(1, 2.0))
    recorder.close()
    assert [e.step for e in events(run) if isinstance(e, Step)] == [0, 1]


def test_a_file_without_any_newline_is_emptied(run: RunDirectory) -> None:
    run.events.write_bytes(b"x" * 100_000)
    EventFile(run).close()
    assert run.events.read_bytes() == b""


def test_events_that_a_full_disk_refuses_are_kept_and_written_later(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = EventFile(run)
    real, room = os.write, [4]

    def little_room(handle: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(28, "No space left on device")
        written = real(handle, data[: room[0]])
        room[0] -= written
        return written

    monkeypatch.setattr("engine.recorder.os.write", little_room)
    file.write(b"one line\n")
    file.write(b"another\n")
    assert run.events.read_bytes() == b"one "
    assert file.error is not None
    monkeypatch.setattr("engine.recorder.os.write", real)
    file.write(b"and a third\n")
    file.close()
    assert run.events.read_bytes() == b"one line\nanother\nand a third\n"


def test_events_that_never_found_room_are_an_error_at_the_end(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = EventFile(run)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("engine.recorder.os.write", full)
    file.write(b"one line\n")
    with pytest.raises(RunError, match="No space left"):
        file.close()

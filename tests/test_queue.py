"""`ptrain queue` with real processes: what waits starts when its device is free."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.contract.follower import read_state
from engine.contract.problems import InputError, Problem, RunError
from engine.contract.queue import Queue
from engine.contract.run_directory import Holder, RunDirectory, create
from engine.contract.runs import list_runs, status
from engine.queue import move_on
from tests.test_processes import ptrain, wait_for

EXPERIMENT = """
[data]
dataset = "digits"
image_size = 32
batch_size = 256
[model]
backbone = "mnasnet0_5"
weights = "none"
[optimizer]
lr = 0.01
[train]
epochs = 1
device = "cpu"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "ants.toml"
    path.write_text(EXPERIMENT)
    return path


def test_the_queue_moves_on_by_itself_and_trains_the_text_that_was_queued(
    file: Path, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    busy = create(runs, "other", EXPERIMENT, b"")
    busy.lock.write_text(json.dumps(vars(Holder.this_process())))
    bad = tmp_path / "bad.toml"
    bad.write_text(EXPERIMENT.replace('weights = "none"', 'weights = "gone.pt"'))
    queue = Queue(runs)
    for path in (bad, file):
        added = ptrain("queue", "add", str(path), runs=runs)
        assert added.returncode == 0, added.stderr
    assert "waits for cpu; 1 before it" in added.stdout
    file.write_text("edited since")
    assert [entry.state for entry in queue.entries()] == ["waiting", "waiting"]
    wait_for(queue.moves)
    listed = json.loads(ptrain("queue", "--json", runs=runs).stdout)
    assert [row["place"] for row in listed["entries"]] == [1, 2]

    busy.lock.unlink()  # its device is free
    wait_for(lambda: [entry.state for entry in queue.entries()] == ["failed"])
    assert "gone.pt" in queue.entries()[0].error
    (run,) = [run for run in list_runs(runs) if run.name == "ants"]
    wait_for(lambda: status(run).over)
    assert status(run).state == "finished"
    assert run.source.read_text() == EXPERIMENT
    assert read_state(run.events).started.file == str(file)
    wait_for(lambda: not queue.moves())
    assert ptrain("queue", "remove", "1", runs=runs).returncode == 0
    assert ptrain("queue", "remove", "1", runs=runs).returncode == 2
    assert queue.entries() == []


def test_what_can_not_be_read_is_not_queued(file: Path, tmp_path: Path) -> None:
    file.write_text("[data")
    refused = ptrain("queue", "add", str(file), runs=tmp_path / "runs")
    assert refused.returncode == 2
    assert "ants.toml:1" in refused.stderr
    assert Queue(tmp_path / "runs").entries() == []


@pytest.mark.parametrize("error", [RunError("no memory", ""), InputError(Problem("odd"))])
def test_one_that_fails_to_start_keeps_its_reason_and_the_next_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    queue, started = Queue(tmp_path), []

    def start(file: object, *_: object) -> RunDirectory:
        started.append(file)
        if len(started) == 1:
            raise error
        return RunDirectory(tmp_path)

    monkeypatch.setattr("engine.queue.start_detached", start)
    for _ in range(2):
        queue.add(tmp_path / "ants.toml", EXPERIMENT.encode(), [], "cpu")
    assert move_on(queue)
    assert len(started) == 2
    assert [(entry.state, entry.error) for entry in queue.entries()] == [("failed", str(error))]
    with queue.moving_on():
        assert not move_on(queue), "another process does so"

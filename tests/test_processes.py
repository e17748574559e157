"""Real `ptrain` processes: started, detached, followed, hung up on, stopped, killed, resumed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.contract.follower import read_state
from engine.contract.run_directory import RunDirectory
from engine.contract.runs import status
from tests.test_resume import assert_same
from tests.training import TOP, Numbers, Zygote, only_run

LONGER = ["train.epochs=8"]  # long enough to be met in the middle
ENDLESS = 2000  # epochs: for a run that several commands are to find running
STEPS_PER_EPOCH = 4
PTRAIN = [sys.executable, "-m", "engine.cli"]


def arguments(experiment: Path, runs: Path, *more: str) -> list[str]:
    sets = [word for override in LONGER for word in ("--set", override)]
    return [*PTRAIN, "run", str(experiment), *sets, "--runs", str(runs), *more]


def environment() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(TOP)}


def ptrain(*words: str, runs: Path, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PTRAIN, *words, "--runs", str(runs)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def wait_for(condition: Callable[[], object], seconds: float = 90) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it did not come to pass"
        time.sleep(0.02)


def steps_done(runs: Path) -> int:
    paths = list(runs.glob("*/*/events.jsonl"))
    return read_state(paths[0]).steps_done if paths else 0


@pytest.fixture(scope="module")
def longer(
    zygote: Zygote, experiment: Path, tmp_path_factory: pytest.TempPathFactory
) -> RunDirectory:
    """The run that nobody disturbed."""
    runs = tmp_path_factory.mktemp("longer")
    assert zygote.train(path=experiment, runs=runs, overrides=LONGER) == 0
    return only_run(runs)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGKILL"])
def test_a_foreground_run_is_stopped_by_a_signal_and_resumed_exactly(
    experiment: Path, longer: RunDirectory, tmp_path: Path, name: str
) -> None:
    process = subprocess.Popen(
        arguments(experiment, tmp_path),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    wait_for(lambda: steps_done(tmp_path) > 5)
    # As a terminal does at ctrl+c, the whole group is told: the workers too.
    os.killpg(process.pid, signal.Signals[name])
    output, _ = process.communicate(timeout=60)
    run = only_run(tmp_path)
    if name == "SIGKILL":
        assert (process.returncode, status(run).state) == (-9, "lost")
    else:
        assert (process.returncode, status(run).state) == (3, "stopped")
        assert f"`ptrain resume {run.id}` goes on exactly here" in output
    resumed = ptrain("resume", "last", runs=tmp_path)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert "resumed from checkpoints/last.pt" in resumed.stdout
    assert "Traceback" not in output + resumed.stdout + resumed.stderr
    assert_same(run, longer)


def test_a_hang_up_does_not_disturb_a_run(
    experiment: Path, longer: RunDirectory, tmp_path: Path
) -> None:
    """Its terminal is gone too: what it prints goes nowhere."""
    reading, writing = os.openpty()
    process = subprocess.Popen(
        arguments(experiment, tmp_path),
        env=environment(),
        stdin=writing,
        stdout=writing,
        stderr=writing,
        start_new_session=True,
    )
    os.close(writing)
    wait_for(lambda: os.read(reading, 4096) and steps_done(tmp_path) > 3)
    os.close(reading)
    os.killpg(process.pid, signal.SIGHUP)
    assert process.wait(timeout=90) == 0
    assert_same(only_run(tmp_path), longer)


def test_a_detached_run_is_followed_stopped_and_resumed_from_elsewhere(
    experiment: Path, longer: RunDirectory, tmp_path: Path
) -> None:
    started = subprocess.run(
        arguments(experiment, tmp_path, "--detach", "--set", f"train.epochs={ENDLESS}"),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )
    run = only_run(tmp_path)
    assert started.stdout.strip() == run.id
    holder = run.holder()
    assert holder is not None
    assert os.getsid(holder.pid) == holder.pid, "a session of its own"

    again = ptrain("resume", run.id, runs=tmp_path)
    assert (again.returncode, "already running" in again.stderr) == (2, True)

    follower = subprocess.Popen(
        [*PTRAIN, "follow", run.id, "--json", "--runs", str(tmp_path)],
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert follower.stdout is not None
    first = json.loads(follower.stdout.readline())
    assert (first["type"], first["file"]) == ("run_started", str(experiment))
    follower.kill()  # leaving it harms nothing
    follower.communicate()

    stopped = ptrain("stop", "last", runs=tmp_path)
    assert stopped.returncode == 0, stopped.stderr
    assert "stopped:" in stopped.stdout
    assert status(run).state == "stopped"

    done = read_state(run.events).steps_done // STEPS_PER_EPOCH + 1
    resumed = ptrain("resume", run.id[:10], "--epochs", str(done), "--json", runs=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    events = [json.loads(line) for line in resumed.stdout.splitlines()]
    assert events[0]["type"] == "run_resumed"
    assert events[-1]["type"] == "run_finished"
    ours, others = Numbers.of(run).steps, Numbers.of(longer).steps
    both = min(len(ours), len(others))
    assert both >= STEPS_PER_EPOCH
    assert ours[:both] == others[:both]


def test_a_detached_run_that_cannot_begin_says_why_and_leaves_no_directory(
    experiment: Path, tmp_path: Path
) -> None:
    refused = subprocess.run(
        arguments(experiment, tmp_path, "--detach", "--set", "loss.weight=[1.0, 2.0, 3.0]"),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert refused.returncode == 2
    assert "3 weights for 2 classes" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert list(tmp_path.iterdir()) == []

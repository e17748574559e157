"""Which runs there are, and how each is."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.contract.events import (
    Event,
    RunFailed,
    RunFinished,
    RunResumed,
    RunStopped,
    System,
    encode,
)
from engine.contract.problems import InputError
from engine.contract.run_directory import Holder, RunDirectory
from engine.contract.runs import SILENCE, TAIL, Status, find_run, last_word, list_runs, status

FINISHED = RunFinished(time=9.0, step=6, epochs=2.0, seconds=1.0)
STOPPED = RunStopped(time=9.0, step=6, epochs=2.0, seconds=1.0, reason="asked for")
FAILED = RunFailed(time=9.0, step=6, epochs=2.0, seconds=1.0, error="NaN", remedy="")
RESUMED = RunResumed(
    time=9.5, step=6, epoch=2, checkpoint="c", version="1", pid=1, host="h", device="cpu", epochs=3,
    planned_end=9,
)  # fmt: skip
PULSE = System(time=1.0, memory=1)


def made(root: Path, name: str, id: str) -> RunDirectory:
    run = RunDirectory(root / name / id)
    run.path.mkdir(parents=True)
    run.experiment.touch()
    run.events.touch()
    return run


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return made(tmp_path, "bees", "20260101-120000-ab12")


def write(run: RunDirectory, *events: Event) -> None:
    run.events.write_bytes(b"".join(map(encode, events)))


def held(run: RunDirectory, by: str) -> None:
    holder = vars(Holder.this_process())
    if by == "dead":
        dead = subprocess.Popen([sys.executable, "-c", ""])
        dead.wait()
        holder |= {"pid": dead.pid}
    elif by == "elsewhere":
        holder |= {"host": "elsewhere"}
    if by != "none":
        run.lock.write_text(json.dumps(holder))


@pytest.mark.parametrize("by", ["none", "dead"])
@pytest.mark.parametrize(
    ("events", "state", "reason"),
    [
        ([FINISHED], "finished", ""),
        ([STOPPED], "stopped", "asked for"),
        ([FAILED], "failed", "NaN"),
        ([PULSE], "lost", "its process is gone without a last word"),
        ([], "lost", "its process is gone without a last word"),
        ([FAILED, RESUMED, PULSE], "lost", "its process is gone without a last word"),
        ([STOPPED, RESUMED, PULSE, FINISHED], "finished", ""),
        ([FINISHED, PULSE], "finished", ""),
    ],
)
def test_without_a_living_process_the_last_word_tells(
    run: RunDirectory, by: str, events: list[Event], state: str, reason: str
) -> None:
    held(run, by)
    write(run, *events)
    assert status(run) == Status(state, reason)  # type: ignore[arg-type]
    assert status(run).over


@pytest.mark.parametrize("events", [[], [PULSE], [FAILED, RESUMED], [FINISHED]])
def test_a_run_with_a_living_process_runs_whatever_it_said(
    run: RunDirectory, events: list[Event]
) -> None:
    held(run, "living")
    write(run, *events)
    assert status(run) == Status("running")
    assert not status(run).over


@pytest.mark.parametrize(
    ("silence", "event", "state"),
    [
        (0, PULSE, "running"),
        (SILENCE + 60, PULSE, "lost"),
        (SILENCE + 60, STOPPED, "stopped"),
    ],
)
def test_a_run_on_another_host_runs_as_long_as_it_has_a_pulse(
    run: RunDirectory, silence: float, event: Event, state: str
) -> None:
    held(run, "elsewhere")
    write(run, event)
    then = run.events.stat().st_mtime - silence
    os.utime(run.events, (then, then))
    assert status(run).state == state


def test_a_run_on_another_host_without_events_is_lost(run: RunDirectory) -> None:
    held(run, "elsewhere")
    run.events.unlink()
    assert status(run).state == "lost"


def test_the_last_word_is_found_at_the_end_of_a_long_story(run: RunDirectory) -> None:
    many = [PULSE] * (TAIL // len(encode(PULSE)) + 10)
    write(run, *many, STOPPED, PULSE)
    assert last_word(run) == STOPPED
    write(run, STOPPED, RESUMED, *many)
    assert last_word(run) is None


def test_half_a_last_word_is_none(run: RunDirectory) -> None:
    run.events.write_bytes(encode(PULSE) + encode(FINISHED)[:30])
    assert last_word(run) is None


def test_runs_are_listed_with_the_oldest_first(tmp_path: Path) -> None:
    ids = ["20260301-000000-0000", "20260101-000000-0000", "20260201-000000-0000"]
    for name, id in zip("abc", ids, strict=True):
        made(tmp_path, name, id)
    (tmp_path / "a" / "no-run").mkdir()
    (tmp_path / "file").touch()
    assert [run.id for run in list_runs(tmp_path)] == sorted(ids)
    assert list_runs(tmp_path / "nowhere") == []


@pytest.fixture
def three(tmp_path: Path) -> list[RunDirectory]:
    return [
        made(tmp_path, "ants", "20260101-120000-ab12"),
        made(tmp_path, "bees", "20260102-120000-cd34"),
        made(tmp_path, "bees", "20260102-130000-ef56"),
    ]


@pytest.mark.parametrize(
    ("reference", "which"),
    [
        ("20260101-120000-ab12", 0),
        ("20260101", 0),
        ("20260102-12", 1),
        ("last", 2),
    ],
)
def test_a_run_is_found_by_its_id_a_beginning_of_it_or_as_the_last(
    tmp_path: Path, three: list[RunDirectory], reference: str, which: int
) -> None:
    assert find_run(reference, tmp_path) == three[which]


def test_a_run_is_found_by_its_folder_wherever_that_is(
    tmp_path: Path, three: list[RunDirectory], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path / "ants")
    assert find_run(str(three[2].path), tmp_path / "other") == three[2]
    assert find_run(three[0].id, tmp_path / "other").path == Path.cwd() / three[0].id


def test_an_id_that_is_the_beginning_of_another_is_itself(
    tmp_path: Path, three: list[RunDirectory]
) -> None:
    longer = made(tmp_path, "bees", three[1].id + "x")
    assert find_run(three[1].id, tmp_path) == three[1]
    assert find_run(longer.id, tmp_path) == longer


@pytest.mark.parametrize(
    ("reference", "message", "hint"),
    [
        ("20260102", "several runs: bees/20260102-120000-cd34, bees/20260102-130000-ef56", ""),
        ("20260101-120000-ab13", 'no run "20260101-120000-ab13"', 'did you mean "20260101-120000'),
        ("bees", 'no run "bees"', "the newest is 20260102-130000-ef56"),
    ],
)
def test_a_reference_that_names_no_one_run_is_told_what_there_is(
    tmp_path: Path, three: list[RunDirectory], reference: str, message: str, hint: str
) -> None:
    with pytest.raises(InputError) as caught:
        find_run(reference, tmp_path)
    (problem,) = caught.value.problems
    assert problem.key == "RUN"
    assert message in problem.message
    assert hint in problem.hint


@pytest.mark.parametrize("reference", ["last", "x"])
def test_without_any_runs_the_folder_is_named(tmp_path: Path, reference: str) -> None:
    with pytest.raises(InputError) as caught:
        find_run(reference, tmp_path)
    assert f"there are no runs in {tmp_path}" in caught.value.problems[0].hint

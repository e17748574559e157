import json
import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from engine.contract import run_directory
from engine.contract.problems import InputError
from engine.contract.run_directory import Holder, RunDirectory, create, runs_root, write_atomically


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return create(tmp_path / "runs", "bees", "name = 'bees'\n", b"# source\xff\n")


def lock(run: RunDirectory, **changes: object) -> None:
    run.lock.write_text(json.dumps(vars(Holder.this_process()) | changes))


def test_a_new_run_has_its_two_files_and_an_id_of_its_time(run: RunDirectory) -> None:
    assert re.fullmatch(r"\d{8}-\d{6}-[0-9a-f]{4}", run.id)
    assert (run.name, run.path.parent.name) == ("bees", "bees")
    assert run.experiment.read_text() == "name = 'bees'\n"
    assert run.source.read_bytes() == b"# source\xff\n"
    assert run.events.read_bytes() == b""
    assert sorted(path.name for path in run.path.iterdir()) == [
        "checkpoints", "events.jsonl", "experiment.toml", "source.toml"
    ]  # fmt: skip


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError) as caught:
        create(tmp_path / "file", "x", "", b"")
    (problem,) = caught.value.problems
    assert problem.key == "--runs"
    assert str(tmp_path / "file") in problem.message


def test_runs_are_where_they_are_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PTRAIN_RUNS", raising=False)
    assert runs_root(None) == Path.cwd() / "runs"
    monkeypatch.setenv("PTRAIN_RUNS", "elsewhere")
    assert runs_root(None) == Path.cwd() / "elsewhere"
    assert runs_root(Path("given")) == Path.cwd() / "given"


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    write_atomically(tmp_path / "file", b"one")
    write_atomically(tmp_path / "file", b"two")
    assert (tmp_path / "file").read_bytes() == b"two"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_write_that_fails_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    write_atomically(tmp_path / "file", b"one")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(tmp_path / "file", b"two")
    assert (tmp_path / "file").read_bytes() == b"one"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_lock_names_its_process_while_it_is_held(run: RunDirectory) -> None:
    with run.locked():
        holder = run.holder()
        assert holder == Holder.this_process()
        assert holder.here
        assert holder.alive
        assert (holder.host, holder.pid) == (socket.gethostname(), os.getpid())
    assert run.holder() is None
    assert not run.lock.exists()


def test_a_lock_is_given_back_when_the_training_fails(run: RunDirectory) -> None:
    with pytest.raises(ZeroDivisionError), run.locked():
        raise ZeroDivisionError
    assert run.holder() is None


def test_a_run_that_a_living_process_holds_is_refused(run: RunDirectory) -> None:
    parent = psutil.Process(os.getppid())
    lock(run, pid=parent.pid, start=parent.create_time())
    with pytest.raises(InputError, match=f"already running .process {parent.pid}"), run.locked():
        pytest.fail("the lock was taken")
    assert run.lock.exists()


def test_a_run_that_another_host_holds_is_refused(run: RunDirectory) -> None:
    lock(run, host="elsewhere", pid=1)
    with pytest.raises(InputError, match="on the host elsewhere") as caught, run.locked():
        pytest.fail("the lock was taken")
    assert str(run.lock) in caught.value.problems[0].hint


def test_the_lock_of_a_dead_process_is_taken_over(run: RunDirectory) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    lock(run, pid=dead.pid)
    assert not run.holder().alive  # type: ignore[union-attr]
    with run.locked():
        assert run.holder() == Holder.this_process()


def test_the_lock_of_a_dead_process_whose_pid_is_used_again_is_taken_over(
    run: RunDirectory,
) -> None:
    parent = psutil.Process(os.getppid())
    lock(run, pid=parent.pid, start=parent.create_time() - 100)
    with run.locked():
        assert run.holder() == Holder.this_process()


def test_a_process_that_ended_and_was_not_waited_for_holds_nothing() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    holder = Holder(socket.gethostname(), child.pid, psutil.Process(child.pid).create_time())
    assert holder.alive
    assert child.stdin is not None
    child.stdin.close()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # a zombie until it is waited for
    assert not holder.alive
    child.wait()
    assert not holder.alive


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"host": "h", "pid": 1, "more": 2}', "3"])
def test_a_damaged_lock_is_no_lock(run: RunDirectory, text: str) -> None:
    run.lock.write_text(text)
    assert run.holder() is None
    with run.locked():
        assert run.holder() is not None


def test_a_lock_that_someone_else_took_over_is_left_to_them(run: RunDirectory) -> None:
    with run.locked():
        lock(run, host="elsewhere")
    assert run.lock.exists()


FORK = """
import os, sys
from contextlib import ExitStack
from pathlib import Path
from engine.contract.run_directory import RunDirectory
run = RunDirectory(Path(sys.argv[1]))
stack = ExitStack()
stack.enter_context(run.locked())
if os.fork() == 0:
    stack.close()
    os._exit(0)
os.wait()
print(run.lock.exists())
stack.close()
print(run.lock.exists())
"""


def test_a_forked_child_does_not_take_the_lock_away(run: RunDirectory) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORK, run.path], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True", "False"]


TAKER = """
import sys
from pathlib import Path
from engine.contract.problems import InputError
from engine.contract.run_directory import RunDirectory
print("ready", flush=True)
input()
try:
    with RunDirectory(Path(sys.argv[1])).locked():
        print("taken", flush=True)
        input()
except InputError:
    print("refused", flush=True)
    input()
"""


def test_of_several_that_take_a_lock_at_once_exactly_one_has_it(run: RunDirectory) -> None:
    takers = [
        subprocess.Popen(
            [sys.executable, "-c", TAKER, run.path],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        )
        for _ in range(3)
    ]  # fmt: skip
    answers = []
    try:
        assert [taker.stdout.readline() for taker in takers] == ["ready\n"] * 3  # type: ignore[union-attr]
        for taker in takers:
            taker.stdin.write("\n")  # type: ignore[union-attr]
        answers = [taker.stdout.readline().strip() for taker in takers]  # type: ignore[union-attr]
        holder = run.holder()
    finally:
        for taker in takers:
            taker.communicate("\n")
    assert sorted(answers) == ["refused", "refused", "taken"]
    assert holder is not None
    assert holder.pid == takers[answers.index("taken")].pid
    assert run.holder() is None


def test_the_moment_of_taking_belongs_to_one(run: RunDirectory) -> None:
    waiting, inside = threading.Event(), threading.Event()

    def second() -> None:
        waiting.set()
        with run_directory._one_at_a_time(run.path):
            inside.set()

    with run_directory._one_at_a_time(run.path):
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(10)
        assert not inside.wait(0.1)
    assert inside.wait(10)
    thread.join()

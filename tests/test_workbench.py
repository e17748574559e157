"""A real workbench: what its forked children answer and train, and what is left when it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from engine.contract.feature_folder import cache_folder
from engine.contract.run_directory import RunDirectory, create
from engine.contract.runs import status
from tests.test_processes import environment, wait_for
from tests.test_resume import assert_same
from tests.training import only_run

WORKBENCH = [sys.executable, "-P", "-m", "engine.workbench"]
BROKEN = '[model]\nbackbone = "resnet19"\n[train]\nepochs = 1\n'


class Workbench:
    """One to ask."""

    def __init__(self, *command: str) -> None:
        self.process = subprocess.Popen(
            command or WORKBENCH,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
            start_new_session=True,
        )
        self.last = 0

    def hear(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        heard: dict[str, Any] = json.loads(self.process.stdout.readline())
        return heard

    def say(self, said: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(said) + "\n")
        self.process.stdin.flush()

    def begin(self, *arguments: object, text: str | None = None, keep: bool = False) -> int:
        self.last += 1
        words = list(map(str, arguments))
        self.say({"id": self.last, "arguments": words, "text": text, "keep": keep})
        return self.last

    def ask(self, *arguments: object, text: str | None = None) -> dict[str, Any]:
        number = self.begin(*arguments, text=text)
        answer = self.hear()
        assert answer["id"] == number, answer
        return answer

    def close(self) -> int:
        """As the end of whoever asked; gives its exit code."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        code = self.process.wait(timeout=60)
        self.process.stdout.close()
        return code


@pytest.fixture(scope="module")
def workbench() -> Iterator[Workbench]:
    workbench = Workbench()
    assert workbench.hear() == {"ready": True, "forks": sys.platform == "linux"}
    yield workbench
    assert workbench.close() == 0


def endless(folder: Path) -> RunDirectory:
    """What `ptrain follow` follows until it is killed: this very process seems to train."""
    run = create(folder, "endless", "", b"")
    run.hand_to(os.getpid())
    return run


def test_it_answers_what_the_command_prints(workbench: Workbench, tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text(BROKEN)
    answer = workbench.ask("check", file)
    assert (answer["code"], answer["out"]) == (2, "")
    assert f'{file}:2: model.backbone: "resnet19" is not a torchvision' in answer["err"]
    unsaved = workbench.ask(
        "check", file, "--json", "--stdin", text=BROKEN.replace("epochs = 1", "epochs = 0")
    )
    keys = [problem["key"] for problem in json.loads(unsaved["out"])["problems"]]
    assert keys == ["model.backbone", "train.epochs"]
    wrong = workbench.ask("chekc")
    assert (wrong["code"], wrong["out"]) == (2, "")
    assert "chekc" in wrong["err"]


def test_commands_run_at_once_and_a_cancelled_one_is_killed(
    workbench: Workbench, tmp_path: Path
) -> None:
    run = endless(tmp_path)
    me = psutil.Process(workbench.process.pid)
    following = workbench.begin("follow", run.path)
    assert workbench.ask("version")["code"] == 0
    (child,) = me.children()
    workbench.say({"cancel": following})
    wait_for(lambda: not child.is_running())
    assert workbench.ask("version")["id"] == workbench.last, "the cancelled one has no answer"
    assert me.num_threads() == 1


def test_ones_own_code_is_read_anew_by_each_command(workbench: Workbench, experiment: Path) -> None:
    lines = experiment.read_text().replace("[loss]", '[loss]\ntarget = "losses.py:loss"')
    text = lines.replace('weight = "balanced"\nlabel_smoothing = 0.1\n', "")
    code = experiment.with_name("losses.py")
    code.write_text("from torch.nn.functional import cross_entropy as loss\n")
    first = workbench.ask("check", experiment, "--json", "--stdin", text=text)
    assert first["code"] == 0, first
    code.write_text("def loss(output, target):\n    return output.no_such_thing\n")
    second = workbench.ask("check", experiment, "--json", "--stdin", text=text)
    assert second["code"] == 2
    assert "no_such_thing" in second["out"]


def test_a_run_that_it_starts_is_the_same_run_in_a_session_of_its_own(
    workbench: Workbench, experiment: Path, undisturbed: RunDirectory, tmp_path: Path
) -> None:
    answer = workbench.ask("run", experiment, "--detach", "--json", "--runs", tmp_path)
    begun = json.loads(answer["out"])
    run = RunDirectory(Path(begun["path"]))
    warned = [(problem["key"], problem["severity"]) for problem in begun["problems"]]
    assert ("model.freeze", "warning") in warned
    try:
        assert os.getsid(begun["pid"]) == begun["pid"]
        theirs = psutil.Process(begun["pid"]).open_files()
        kept = cache_folder()  # what frozen layers gave
        folders = {Path(file.path).parent for file in theirs}
        assert {one for one in folders if one.parent != kept} <= {run.path, run.checkpoints}
        os.kill(begun["pid"], signal.SIGHUP)
    except (ProcessLookupError, psutil.NoSuchProcess):
        pytest.fail("the run was too short for this test")
    wait_for(lambda: status(run).over)
    assert status(run).state == "finished"
    assert_same(run, undisturbed)
    assert not list(run.path.glob(".*"))


def test_a_start_that_fails_tells_each_problem_and_leaves_no_directory(
    workbench: Workbench, experiment: Path, tmp_path: Path
) -> None:
    changed = ["--set", "loss.weight=[1.0, 2.0, 3.0]"]
    answer = workbench.ask("run", experiment, "--detach", "--json", "--runs", tmp_path, *changed)
    problem, *warnings = json.loads(answer["out"])["problems"]
    assert {warning["severity"] for warning in warnings} <= {"warning"}
    assert (answer["code"], problem["key"]) == (2, "loss.weight")
    assert "3 weights for 2 classes" in problem["message"]
    assert list(tmp_path.iterdir()) == []


def test_when_who_asked_is_gone_a_start_comes_to_its_end_and_nothing_else_is_left(
    experiment: Path, tmp_path: Path
) -> None:
    """It was asked while torch was still being imported."""
    workbench, runs = Workbench(), tmp_path / "runs"
    workbench.begin("follow", endless(tmp_path / "other").path)
    workbench.begin("run", experiment, "--detach", "--runs", runs, keep=True)
    assert workbench.close() == 0
    wait_for(lambda: list(runs.glob("*/*/events.jsonl")))
    wait_for(lambda: status(only_run(runs)).state == "finished")


def test_without_forks_a_command_is_a_process_that_imports_for_itself() -> None:
    """As on macOS; torch is not even imported."""
    code = "import sys, engine.workbench as w; w.FORKS = False; w.main()"
    workbench = Workbench(sys.executable, "-P", "-c", code)
    assert workbench.hear() == {"ready": True, "forks": False}
    answer = workbench.ask("version")
    assert (answer["code"], answer["err"]) == (0, "")
    assert workbench.close() == 0


def test_a_torch_that_can_not_be_imported_is_told_by_its_end() -> None:
    code = "import sys; sys.modules['torch'] = None; import engine.workbench as w; w.main()"
    with subprocess.Popen(
        [sys.executable, "-P", "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    ) as process:
        assert process.stderr is not None
        assert process.stderr.read().strip().endswith("import of torch halted; None in sys.modules")
    assert process.returncode == 1


SAFE = """
import threading, torch
from engine.forking import safe
print(safe())
end = threading.Event()
thread = threading.Thread(target=end.wait)
thread.start()
print(safe())
end.set()
thread.join()
print(safe())
getattr(torch._C, "_cuda_getDeviceCount", lambda: None)()
print(safe())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="forks are for Linux alone")
def test_forks_are_left_where_a_thread_is_running_or_the_gpus_driver_was_asked() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", SAFE], capture_output=True, text=True, env=environment()
    )
    without = str(torch.version.cuda is None)  # a build of torch that has no driver to ask
    assert done.stdout.split() == ["True", "False", "True", without], done.stderr

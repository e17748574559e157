"""The dashboard's end of the workbench, against one made of a few lines: asked, cancelled, lost."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from engine.contract.run_directory import RunDirectory
from tests.tui.board import EXPERIMENT, FakeLauncher, board, look, told
from tui.launching import Answer, Engine
from tui.widgets.top_line import TopLine
from tui.workbench import LIVES, NoWorkbenchError, Workbench

# It says what it hears, becomes ready when it is told to, and dies of "die".
FAKE = """
import json, os, sys
log = open(sys.argv[1], "a")
def say(**said): print(json.dumps(said), flush=True)
if "at once" in sys.argv: say(ready=True, forks=True)
for line in sys.stdin:
    log.write(line); log.flush()
    said = json.loads(line)
    word = said.get("arguments", [""])[0]
    if word == "die": print("out of memory", file=sys.stderr); sys.exit(1)
    if word == "ready": say(ready=True, forks=True)
    size = len(said.get("text") or "")
    if word and word != "hang": say(id=said["id"], code=3, out=word, err=str(size))
log.write("the end\\n")
"""


class Bench(Workbench):
    """With what the fake one has heard."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.log = folder / "heard"
        super().__init__([sys.executable, "-c", FAKE, str(self.log), *words])
        self.doings: list[str] = []
        self.losses: list[str] = []
        self._doing, self._gone = self.doings.append, self.losses.append

    def heard(self) -> list[Any]:
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line if line == "the end" else json.loads(line) for line in lines]

    async def until(self, condition: Callable[[], object]) -> None:
        for _ in range(1000):
            if condition():
                return
            await asyncio.sleep(0.01)
        raise AssertionError("it did not come to pass")


def use(bench: Bench, test: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        try:
            await test()
        finally:
            line = bench._line
            bench.close()
            if line is not None:
                line.process.wait(timeout=20)

    asyncio.run(run())


def test_what_was_asked_is_answered_however_long_it_is(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    async def test() -> None:
        answers = await asyncio.gather(
            bench.ask(["a"]), bench.ask(["b"], "x" * 1_000_000), bench.ask(["c" * 1_000_000])
        )
        assert answers[:2] == [Answer(3, "a", "0"), Answer(3, "b", "1000000")]
        assert answers[2].out == "c" * 1_000_000
        assert not bench.ready
        await bench.ask(["ready"])
        assert (bench.ready, bench.doings) == (True, ["torch is warming up …", ""])

    use(bench, test)
    assert bench.heard()[-1] == "the end", "it ends when it is left"


@pytest.mark.parametrize("keep", [False, True])
def test_a_question_that_nobody_waits_for_is_cancelled_and_a_start_is_not(
    tmp_path: Path, keep: bool
) -> None:
    bench = Bench(tmp_path)

    async def test() -> None:
        hanging = asyncio.create_task(bench.ask(["hang"], keep=keep))
        await bench.until(bench.heard)
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging
        await bench.ask(["after"])
        assert ({"cancel": 1} in bench.heard()) is not keep

    use(bench, test)


def test_one_that_dies_is_started_again_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "at once")

    async def test() -> None:
        for life in range(LIVES):
            bench.warm_up(bench.doings.append, bench.losses.append)
            await bench.until(lambda: bench.ready)
            waiting = asyncio.create_task(bench.ask(["hang"]))
            with pytest.raises(NoWorkbenchError) as died:
                await bench.ask(["die"])
            assert died.value.begun
            with pytest.raises(NoWorkbenchError):
                await waiting
            assert bench.losses == ["out of memory"] * (life + 1 == LIVES)
        with pytest.raises(NoWorkbenchError) as none:
            await bench.ask(["more"])
        assert not none.value.begun

    use(bench, test)


def test_one_that_can_not_be_started_is_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench._command = [str(tmp_path / "no such program")]

    async def test() -> None:
        bench.warm_up(bench.doings.append, bench.losses.append)
        assert "No such file" in bench.losses[0]

    use(bench, test)


def test_without_a_workbench_questions_go_cold_and_a_start_is_not_made_twice(
    tmp_path: Path,
) -> None:
    file = tmp_path / "a.toml"
    file.write_text("[model]\n[train]\nepochs = 1\n")
    bench = Bench(tmp_path)
    engine = Engine(bench)

    async def test() -> None:
        version = await engine.ask("version")
        assert (version.code, bench.heard()) == (0, []), "this needs no torch and does not wait"
        bench.warm_up(bench.doings.append, bench.losses.append)
        checking = asyncio.create_task(engine.ask("check", str(file)))
        starting = asyncio.create_task(engine.resume(RunDirectory(tmp_path), None))
        await bench.until(lambda: len(bench.heard()) == 2)
        bench.ready = True  # so that it has begun what it was asked
        assert bench._line is not None
        bench._lives = 0
        bench._line.process.kill()
        outcome = await starting
        assert "the list of runs shows whether it began" in outcome.words
        answer = await checking
        assert answer.code == 2
        assert "model.backbone" in answer.err

    # The fake one answers every word: these two it must leave open.
    bench._command = [*bench._command[:2], FAKE.replace('!= "hang"', "== 0"), str(bench.log)]
    use(bench, test)


@pytest.mark.parametrize("read_only", [False, True])
def test_the_dashboard_tells_what_becomes_of_its_workbench(tmp_path: Path, read_only: bool) -> None:
    (tmp_path / "ants.toml").write_text(EXPERIMENT)
    launcher = FakeLauncher()
    app = board(tmp_path, launcher=launcher, read_only=read_only)

    async def test() -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            await look(app, pilot)
            assert (launcher.doing is None) is read_only, "who only looks warms nothing up"
            if launcher.doing is None or launcher.gone is None:
                return
            launcher.doing("torch is warming up …")
            assert app.main.query_one(TopLine).doing == "torch is warming up …"
            launcher.doing("")
            assert app.main.query_one(TopLine).doing == ""
            launcher.gone("out of memory")
            await pilot.pause()
            assert "questions and starts take seconds" in told(app)
            assert "out of memory" in told(app)
        assert launcher.closed

    asyncio.run(test())

"""The planned learning rates are asked for once, and shown behind the measured ones."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
from textual.pilot import Pilot

from engine.contract.events import Validated
from engine.contract.run_directory import RunDirectory, create
from tests.tui.board import FakeLauncher, append, board, look, running, started, step
from tests.tui.test_planned import printed
from tui.app import Dashboard
from tui.launching import Answer
from tui.planning import Planning, question
from tui.widgets import run_charts
from tui.widgets.run_charts import RunCharts

PLATEAU = '[[scheduler]]\nname = "ReduceLROnPlateau"\nmonitor = "val/loss"\n'


def validated(epoch: int, loss: float | None, *, requested: bool = False) -> Validated:
    return Validated(
        time=1.0, step=2 * epoch + 2, epoch=epoch, metrics={"val/loss": loss}, seconds=1.0,
        requested=requested,
    )  # fmt: skip


def of(tmp_path: Path, text: str) -> Planning:
    return Planning(create(tmp_path, "ants", text, b"").path, 2, 3, 0)


def test_the_engine_is_asked_with_the_epochs_that_are_planned_now(tmp_path: Path) -> None:
    planning = of(tmp_path, '[[scheduler]]\nname = "StepLR"\nstep_size = 1\n')
    assert question(planning, [validated(0, 0.5)]) == [
        "lr", str(planning.run / "experiment.toml"), "--json", "--steps-per-epoch", "2",
        "--set", "train.epochs=3", "--most-points", "20000",
    ]  # fmt: skip


def test_a_plateau_sees_what_was_measured_at_the_end_of_each_epoch(tmp_path: Path) -> None:
    told = [
        validated(0, 0.5), validated(1, 9.0, requested=True), validated(1, None),
        validated(2, 0.25),
    ]  # fmt: skip
    assert question(of(tmp_path, PLATEAU), told)[-2:] == ["--metric", "0.5,,0.25"]
    assert question(of(tmp_path, PLATEAU), [])[-2:] == ["--metric", ""]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('[[scheduler]]\ntarget = "mine.py:f"\n', "not drawn: it would run mine.py:f"),
        (PLATEAU + PLATEAU.replace("val/loss", "val/f1"), "look at different metrics"),
        ("[[scheduler", "experiment.toml is damaged"),
    ],
)
def test_it_is_said_why_there_is_no_plan(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        question(of(tmp_path, text), [])


def test_a_run_whose_file_is_gone_has_no_plan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="No such file"):
        question(Planning(tmp_path, 2, 3, 0), [])


Look = Callable[[Dashboard, "Pilot[None]", RunCharts], Awaitable[None]]


def asked(launcher: FakeLauncher) -> list[tuple[object, ...]]:
    return [each for each in launcher.asked if each[0] == "lr"]


def look_at(
    folder: Path, launcher: FakeLauncher, monkeypatch: pytest.MonkeyPatch, then: Look
) -> None:
    monkeypatch.setattr(run_charts, "LOOKED_SECONDS", 0.01)

    async def run() -> None:
        app = board(folder, launcher=launcher)
        async with app.run_test(size=(120, 40)) as pilot:
            await look(app, pilot)
            await pilot.pause(0.2)
            await then(app, pilot, app.main.query_one(RunCharts))

    asyncio.run(run())


def plan(name: str = "StepLR") -> Answer:
    return Answer(0, printed([[0.1], [0.1], [0.05], [0.05], [0.025], [0.025]], name).decode(), "")


def test_the_planned_line_is_seen_and_asked_for_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = running(tmp_path)
    launcher = FakeLauncher(answers={"lr": plan()})

    async def then(app: Dashboard, pilot: Pilot[None], charts: RunCharts) -> None:
        line = charts.lr.content.lines[-1]
        assert (line.name, line.planned) == ("planned", True)
        assert line.x.tolist() == [0, 1, 2, 3, 4, 5]
        assert charts.lr.content.whole == (0, 5)  # the steps to come as well
        assert charts.loss.content.whole == (0, 1)
        assert "planned" in charts.lr.render_line(0).text + charts.lr.render_line(1).text
        append(run, step(2), validated(0, 0.5))
        await look(app, pilot)
        await pilot.pause(0.1)
        assert len(asked(launcher)) == 1

    look_at(tmp_path, launcher, monkeypatch, then)


def test_a_plateaus_plan_is_asked_again_after_a_validation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = running(tmp_path)
    (run.path / "experiment.toml").write_text(PLATEAU)
    launcher = FakeLauncher(answers={"lr": plan("ReduceLROnPlateau")})

    async def then(app: Dashboard, pilot: Pilot[None], charts: RunCharts) -> None:
        assert charts.lr.content.lines[-1].name == "planned, if no plateau cuts it"
        append(run, step(2), validated(0, 0.5))
        await look(app, pilot)
        await pilot.pause(0.1)
        assert [each[-2] for each in asked(launcher)] == ["", "0.5"]

    look_at(tmp_path, launcher, monkeypatch, then)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer(2, "", "it is wrong\nsomewhere"), "plan not known: it is wrong"),
        (Answer(0, "no json", ""), "plan no plan"),
        (Answer(1, "", ""), "ended with code 1"),
    ],
)
def test_why_there_is_no_planned_line_stands_above_the_chart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Answer, why: str
) -> None:
    running(tmp_path)

    async def then(app: Dashboard, pilot: Pilot[None], charts: RunCharts) -> None:
        assert why in "".join(charts.lr.content.notes)
        assert not any(line.planned for line in charts.lr.content.lines)

    look_at(tmp_path, FakeLauncher(answers={"lr": answer}), monkeypatch, then)


def test_nothing_is_planned_where_nobody_looks_at_the_learning_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher = FakeLauncher(answers={"lr": plan()})

    async def then(app: Dashboard, pilot: Pilot[None], charts: RunCharts) -> None:
        charts.choose(["loss"])
        running(tmp_path)
        await look(app, pilot)
        await pilot.pause(0.1)
        assert asked(launcher) == []
        charts.choose(["loss", "lr"])
        await pilot.pause(0.1)
        assert len(asked(launcher)) == 1

    look_at(tmp_path, launcher, monkeypatch, then)


def test_of_several_groups_each_has_its_planned_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run: RunDirectory = create(tmp_path / "runs", "ants", "", b"")
    both = msgspec.structs.replace(step(0), lr=[0.1, 0.01])
    append(run, msgspec.structs.replace(started(), groups=["head", "rest"]), both)
    answer = Answer(0, printed([[0.1, 0.01], [0.05, 0.005]]).decode(), "")

    async def then(app: Dashboard, pilot: Pilot[None], charts: RunCharts) -> None:
        lines = charts.lr.content.lines
        assert [line.planned for line in lines] == [False, False, True, True]
        assert [line.name for line in charts.lr.content.named()] == ["head", "rest", "planned"]

    look_at(tmp_path, FakeLauncher(answers={"lr": answer}), monkeypatch, then)

"""The dashboard shows the runs of a folder, follows them, and disturbs none."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from textual.pilot import Pilot

from engine.contract.events import (
    CheckpointSaved,
    PrefixKept,
    RunFailed,
    RunFinished,
    Validated,
    Warned,
)
from engine.contract.run_directory import RunDirectory
from tests.tui.board import (
    EXPERIMENT,
    append,
    board,
    look,
    new_run,
    running,
    started,
    step,
    told,
    watch,
)
from tui.app import Dashboard, farewell, main
from tui.journal import found_for
from tui.pace import Rest
from tui.screens.choice import ChoiceDialog
from tui.screens.choose import ChooseScreen
from tui.screens.edit import EditScreen
from tui.widgets.checkpoint_list import CheckpointList
from tui.widgets.experiment_list import ExperimentList
from tui.widgets.run_charts import RunCharts
from tui.widgets.run_log import RunLog
from tui.widgets.run_table import RunTable
from tui.widgets.toml_text import TomlText
from tui.widgets.top_line import TopLine
from tui.widgets.words import Words

SIZES = [(80, 24), (140, 40), (40, 10), (20, 5), (300, 100)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two experiments; one run that has finished, one that is running."""
    (tmp_path / "bees.toml").write_text(EXPERIMENT)
    (tmp_path / "ants.toml").write_text(EXPERIMENT)
    finished = new_run(tmp_path, "bees")
    saved = CheckpointSaved(
        time=1.0,
        step=2,
        epoch=1,
        path="checkpoints/best.pt",
        kind="best",
        metric=0.25,
        sha256="ab",
        bytes=1,
    )
    metrics = {"val/loss": 0.25, "val/accuracy": 0.9}
    append(finished, started(1), step(0), step(1))
    append(finished, Validated(time=1.0, step=2, epoch=0, metrics=metrics, seconds=0.1), saved)
    append(finished, RunFinished(time=1.0, step=2, epochs=1.0, seconds=1.0, best=0.25))
    (finished.checkpoints / "best.pt").touch()
    finished.console.write_text("first line\nlast line\n")
    running(tmp_path)
    return tmp_path


def rows(app: Dashboard) -> list[list[str]]:
    table = app.main.query_one(RunTable)
    return [[cell.plain for cell in table.get_row_at(i)] for i in range(table.row_count)]


def words(app: Dashboard) -> str:
    return app.main.query_one("#summary-words", Words).text


async def choose(app: Dashboard, pilot: Pilot[None], name: str) -> RunDirectory:
    run = next(w.run for w in app.main.watched.values() if w.run.name == name)
    app.main.query_one(RunTable).choose(run.path)
    await pilot.pause()
    return run


@pytest.mark.parametrize("size", SIZES)
def test_it_shows_every_run_with_a_sign_and_how_far_or_good(
    folder: Path, size: tuple[int, int]
) -> None:
    app = board(folder)

    async def test(pilot: Pilot[None]) -> None:
        shown = sorted(row[:2] for row in rows(app))
        assert shown == [["● ants", "1/3"], ["✓ bees", "0.25"]]

    watch(app, test, size)


def test_the_chosen_run_is_told_in_numbers(folder: Path) -> None:
    app = board(folder)

    async def test(pilot: Pilot[None]) -> None:
        await choose(app, pilot, "ants")
        assert "running · cpu" in words(app)
        assert "epoch 1/3 ▇▇▇▁▁▁▁▁▁▁ 33%" in words(app)
        assert "412 samples/s" in words(app)
        await choose(app, pilot, "bees")
        assert "val/loss 0.25  val/accuracy 0.9" in words(app)
        charts = app.main.query_one(RunCharts)
        assert [chart.content.title for chart in (charts.loss, charts.lr)] == [
            "Loss",
            "Learning rate",
        ]
        assert [line.name for line in charts.lr.content.lines] == ["default"]
        assert [*app.main.query_one(RunLog).lines][:3] == [
            "all layers train",
            "first line",
            "last line",
        ]

    watch(app, test)


def test_it_follows_a_run_its_log_and_warnings_and_finds_new_ones(folder: Path) -> None:
    app = board(folder)

    async def test(pilot: Pilot[None]) -> None:
        run = await choose(app, pilot, "ants")
        kept = PrefixKept(time=1.0, step=2, epoch=0, train="frozen up to fc: computed once", val="")
        warned = Warned(time=1.0, what="odd", where="x", remedy="mend it")
        append(run, step(2, 0.125), kept, warned)
        run.console.write_text("\x1b[1mhello\x1b[0m\nnot yet whole")
        new_run(folder, "wasps")
        await look(app, pilot)
        assert "loss 0.125" in words(app)
        assert [*app.main.query_one(RunLog).lines][1:4] == [
            "hello",
            "train: frozen up to fc: computed once",
            "warning: odd; mend it",
        ]
        assert ["? wasps", "lost"] in [row[:2] for row in rows(app)]
        assert app.main.chosen == run.path, "a new row does not move the cursor to another run"

    watch(app, test)


def test_nothing_is_repainted_when_nothing_has_changed(folder: Path) -> None:
    app = board(folder)

    async def test(pilot: Pilot[None]) -> None:
        painted: list[object] = []
        append_to = painted.append
        for widget in app.main.query("*"):
            original = widget.refresh
            widget.refresh = lambda *a, _o=original, _w=widget, **k: (append_to(_w), _o(*a, **k))[1]  # type: ignore[method-assign]
        app.main.look(search=True)
        assert painted == []

    watch(app, test)


def test_y_copies_a_checkpoints_path_and_shows_it(folder: Path) -> None:
    app = board(folder)

    async def test(pilot: Pilot[None]) -> None:
        run = await choose(app, pilot, "bees")
        assert app.main.query_one(CheckpointList).option_count == 1
        await pilot.press("3", "y")
        await pilot.pause()
        assert app.clipboard == str(run.path / "checkpoints/best.pt")
        assert app.clipboard in told(app)

    watch(app, test)


def test_a_checkpoint_that_was_deleted_is_listed_no_more(folder: Path) -> None:
    app = board(folder)

    async def test(pilot: Pilot[None]) -> None:
        run, listed = await choose(app, pilot, "bees"), app.main.query_one(CheckpointList)
        assert listed.option_count == 1
        (run.path / "checkpoints/best.pt").unlink()
        listed.rest = Rest(0.0)  # else in two seconds
        await look(app, pilot)
        assert listed.option_count == 0

    watch(app, test)


def test_the_top_line_has_the_experiment_and_the_devices(folder: Path) -> None:
    app = board(folder)

    async def test(pilot: Pilot[None]) -> None:
        await look(app, pilot)
        top = app.main.query_one(TopLine)
        assert top.query_one("#title", Words).text == "ptrain · ants.toml"
        assert top.query_one("#devices", Words).text == "cpu 12% · cuda:0 H200 12/139G 87%"

    watch(app, test)


def test_below_100_columns_the_panes_are_tabs_that_keys_go_to(folder: Path) -> None:
    app = board(folder)

    async def test(pilot: Pilot[None]) -> None:
        def seen() -> list[str]:
            return [pane.id or "" for pane in app.main.query(".pane") if pane.display]

        assert seen() == ["left"]
        await pilot.press("2")
        assert seen() == ["charts"]
        await pilot.press("3")
        assert seen() == ["right"]
        await pilot.press("l")
        assert app.focused is app.main.query_one(RunLog)
        await pilot.resize_terminal(100, 24)
        await pilot.pause()
        assert seen() == ["left", "charts", "right"]

    watch(app, test, (80, 24))


def test_an_empty_folder_says_how_to_begin(tmp_path: Path) -> None:
    app = board(tmp_path)

    async def test(pilot: Pilot[None]) -> None:
        assert "n makes an experiment from a template; r then starts it" in words(app)
        (only,) = app.main.query_one(ExperimentList).options
        assert "n makes one" in str(only.prompt)
        await pilot.press("e")
        assert "there is no experiment to edit" in told(app)
        await pilot.press("r", "s", "R", "c", "v", "plus", "y")
        await pilot.pause()
        assert "there is no experiment to run" in told(app)
        assert "no run is chosen" in told(app)

    watch(app, test, (40, 10))


def test_damaged_run_directories_are_told_and_harm_nothing(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        append(new_run(tmp_path, name), started(), step(0))
    a, b, c = (RunDirectory(path) for path in sorted((tmp_path / "runs").glob("*/*")))
    a.events.unlink()
    a.events.mkdir()
    b.events.write_bytes(b'\x00\xff{"type": "step"}\n[]\n{"type":')
    c.lock.mkdir()
    c.console.mkdir()
    shutil.rmtree(c.checkpoints)
    app = board(tmp_path)

    async def test(pilot: Pilot[None]) -> None:
        assert [row[0] for row in sorted(rows(app))] == ["? a", "? b", "? c"]
        await choose(app, pilot, "a")
        assert "events.jsonl can't be read" in words(app)
        await choose(app, pilot, "c")
        assert "lock can't be read" in words(app)

    watch(app, test)


def test_a_failed_run_says_why_and_the_remedy(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    failed = RunFailed(
        time=1.0, step=1, epochs=0.5, seconds=1.0, error="no memory [x]", remedy="smaller batches"
    )
    append(run, started(), step(0), failed)
    app = board(tmp_path)

    async def test(pilot: Pilot[None]) -> None:
        assert rows(app)[0][:2] == ["✗ ants", "no memory [x]"]
        assert "no memory [x]\nsmaller batches" in words(app)

    watch(app, test)


def test_500_runs_are_shown_and_one_can_go_through_them(tmp_path: Path) -> None:
    first = new_run(tmp_path)
    append(first, started(1), step(0), step(1))
    append(first, RunFinished(time=1.0, step=2, epochs=1.0, seconds=1.0, best=0.5))
    for number in range(499):
        shutil.copytree(first.path, first.path.with_name(f"20200101-000000-{number:04x}"))
    app = board(tmp_path)

    async def test(pilot: Pilot[None]) -> None:
        for _ in range(200):
            if not app.main.runs.behind:
                break
            await look(app, pilot)
        assert [row[1] for row in rows(app)] == ["0.5"] * 500
        await pilot.press("end")
        await pilot.pause()
        assert app.main.chosen is not None
        assert app.main.chosen.name == "20200101-000000-0000"

    watch(app, test, (80, 24))


def test_no_size_of_the_terminal_harms_it(folder: Path) -> None:
    app = board(folder)
    draw = random.Random(4)

    async def test(pilot: Pilot[None]) -> None:
        run = await choose(app, pilot, "ants")
        for number in range(10):
            await pilot.resize_terminal(draw.randint(20, 300), draw.randint(5, 100))
            append(run, step(number + 2))
            await pilot.press(draw.choice(["1", "2", "3", "l", "tab", "down", "up"]))
            app.main.look()
        await pilot.resize_terminal(20, 5)
        await pilot.pause()
        assert app.is_running

    watch(app, test)


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
def test_quitting_is_one_key(folder: Path, key: str) -> None:
    app = board(folder)

    async def test(pilot: Pilot[None]) -> None:
        await pilot.press(key)
        await pilot.pause()
        assert not app.is_running

    watch(app, test)
    assert app.return_code == 0
    assert [name.split()[0] for name in app.main.running()] == ["ants"]


def test_the_farewell_names_the_runs_that_go_on() -> None:
    assert farewell([]) == ""
    assert farewell(["ants 1"]) == "1 run goes on: ants 1"
    assert farewell(["a 1", "b 2", "c 3", "d 4"]) == "4 runs go on: a 1, b 2, c 3 …"


def test_help_lists_the_keys_of_where_one_is(folder: Path) -> None:
    app = board(folder)

    async def test(pilot: Pilot[None]) -> None:
        await pilot.press("question_mark")
        await pilot.pause()
        text = "\n".join(words.text for words in app.screen.query(Words))
        assert "Stop the chosen run, gently first" in text
        assert "Copy the checkpoint's path" not in text
        await pilot.press("escape", "3", "question_mark")
        await pilot.pause()
        assert "Copy the checkpoint's path" in "\n".join(w.text for w in app.screen.query(Words))

    watch(app, test)


def test_the_command_palette_has_the_same_actions(folder: Path) -> None:
    app = board(folder)

    async def test(pilot: Pilot[None]) -> None:
        commands = {command.title for command in app.get_system_commands(app.main)}
        assert {"Run", "Stop", "Resume", "Checkpoint", "Evaluate", "Epochs", "Quit"} <= commands
        stop = next(c for c in app.get_system_commands(app.main) if c.title == "Checkpoint")
        run = await choose(app, pilot, "ants")
        await stop.callback()
        assert '"request":"checkpoint"' in run.control.read_text()

    watch(app, test)


def test_experiments_that_come_and_go_are_seen(folder: Path) -> None:
    app = board(folder)

    async def test(pilot: Pilot[None]) -> None:
        (folder / "ants.toml").unlink()
        await look(app, pilot)
        assert app.main.query_one(ExperimentList).option_count == 1
        assert app.main.experiment == folder / "bees.toml"

    watch(app, test)


def test_a_key_acts_on_what_is_under_the_cursor_even_before_the_lists_have_told(
    folder: Path,
) -> None:
    """A fast typist on a busy machine would start, or stop, what was under it before."""
    for name in ("one", "two"):
        running(folder, name)
    app = board(folder)

    async def test(pilot: Pilot[None]) -> None:
        await look(app, pilot)
        app.main.query_one(ExperimentList).highlighted = 1
        app.main.action_run()
        await pilot.pause()
        assert isinstance(app.screen, ChoiceDialog)
        assert app.screen._title == "Run bees.toml on"
        await pilot.press("escape")
        table = app.main.query_one(RunTable)
        before = app.main.chosen
        table.move_cursor(row=1 - table.cursor_row)
        app.main.action_checkpoint()
        assert app.main.chosen == table.chosen != before

    watch(app, test)


def test_what_is_no_folder_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["ptrain-tui", "nowhere"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    assert "nowhere is not a folder" in capsys.readouterr().err


def test_e_edits_the_chosen_experiment_and_leaving_reads_the_folder_again(
    tmp_path: Path,
) -> None:
    (tmp_path / "ants.toml").write_text(EXPERIMENT)
    app = board(tmp_path)

    async def test(pilot: Pilot[None]) -> None:
        await pilot.press("e")
        await pilot.pause()
        assert isinstance(app.screen, EditScreen)
        (tmp_path / "bees.toml").write_text(EXPERIMENT)
        await pilot.press("escape")
        await pilot.pause()
        assert app.screen is app.main
        assert app.main.query_one(ExperimentList).option_count == 2

    watch(app, test, (140, 40))


def test_quitting_does_not_lose_what_was_typed_and_not_saved(tmp_path: Path) -> None:
    (tmp_path / "ants.toml").write_text(EXPERIMENT)
    app = board(tmp_path)

    async def test(pilot: Pilot[None]) -> None:
        await pilot.press("e")
        await pilot.pause()
        editor = app.screen
        assert isinstance(editor, EditScreen)
        text = editor.query_one(TomlText)
        text.focus()
        await pilot.press("#")
        await pilot.pause()
        assert editor.dirty
        await pilot.press("ctrl+q")
        await pilot.pause()
        assert app.screen is editor
        assert "there is something unsaved" in "".join(n.title for n in app._notifications)
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert not editor.dirty
        await pilot.press("ctrl+q")
        await pilot.pause()
        assert not app.is_running or app._exit

    watch(app, test, (140, 40))


def test_what_is_not_saved_when_a_signal_ends_it_is_kept_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "ants.toml").write_text(EXPERIMENT)
    app = board(tmp_path)

    async def typed_and_ended(pilot: Pilot[None]) -> None:
        await pilot.press("e")
        await pilot.pause()
        app.screen.query_one(TomlText).focus()
        await pilot.press("#", "x")
        await pilot.pause()
        app.leave(143)

    watch(app, typed_and_ended, (140, 40))
    assert app.return_code == 143
    assert (tmp_path / "ants.toml").read_text() == EXPERIMENT
    (kept,) = found_for(tmp_path / "ants.toml")
    assert kept.content.decode() == f"#x{EXPERIMENT}"

    again = board(tmp_path)

    async def takes_it_up(pilot: Pilot[None]) -> None:
        await pilot.press("e")
        await pilot.pause(0.1)
        assert isinstance(again.screen, ChooseScreen)
        await pilot.press("enter")
        await pilot.pause(0.1)
        assert isinstance(again.screen, EditScreen)
        assert again.screen.document.text == f"#x{EXPERIMENT}"
        assert again.screen.dirty
        await pilot.press("ctrl+z")
        assert not again.screen.dirty

    watch(again, takes_it_up, (140, 40))

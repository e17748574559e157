"""What is typed and not saved outlives the dashboard, and never another's."""

from __future__ import annotations

import errno
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engine.contract.run_directory import Holder
from tests.contract.good_files import FULL
from tests.test_processes import environment
from tests.tui.test_edit_screen import Editing, Hands, edit
from tui.journal import HEAD, Journal, found_for
from tui.screens.choose import ChooseScreen
from tui.screens.document import DELETE, LEAVE, TAKE_UP

KEEPS = """
import sys, time
from pathlib import Path
from tui.journal import Journal
Journal(Path(sys.argv[1])).keep(b"typed by another")
print("kept", flush=True)
time.sleep(60)
"""


@pytest.fixture
def full(tmp_path: Path) -> Path:
    path = tmp_path / "full.toml"
    path.write_text(FULL)
    return path


def left_behind(file: Path, content: bytes, pid: int = 2**22 + 1) -> Path:
    """The journal of a dashboard that is no more."""
    path = file.with_name(f"{file.name}.unsaved")
    holder = vars(Holder.this_process()) | {"pid": pid}
    path.write_bytes(HEAD + json.dumps(holder).encode() + b"\n" + content)
    return path


def another(file: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", KEEPS, str(file)],
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "kept\n"
    return process


def test_the_text_is_kept_byte_for_byte_and_goes_when_it_is_dropped(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    journal = Journal(file)
    journal.keep(b"\xef\xbb\xbfa = 1\r\n")
    (kept,) = found_for(file)
    assert kept.content == b"\xef\xbb\xbfa = 1\r\n"
    journal.drop()
    assert found_for(file) == []
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_dashboard_kept_is_there_and_a_living_ones_is_its_own(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    other = another(file)
    try:
        assert [kept.in_use for kept in found_for(file)] == [True]
        mine = Journal(file)
        mine.keep(b"mine")
        assert [kept.content for kept in found_for(file)] == [b"typed by another", b"mine"]
        mine.drop()
    finally:
        other.send_signal(signal.SIGKILL)
        other.communicate()
    assert [(kept.content, kept.in_use) for kept in found_for(file)] == [
        (b"typed by another", False)
    ]


def test_without_a_line_that_says_who_keeps_it_all_of_it_is_the_text(tmp_path: Path) -> None:
    (tmp_path / "a.toml.unsaved").write_bytes(b"a = 1\n")
    (kept,) = found_for(tmp_path / "a.toml")
    assert (kept.content, kept.in_use) == (b"a = 1\n", False)


def test_it_is_kept_soon_after_it_was_typed_and_gone_once_it_is_saved(full: Path) -> None:
    async def does(hands: Hands) -> None:
        await hands.retype("7", "train", "epochs")
        await hands.pilot.pause(1.2)
        (kept,) = found_for(full)
        assert kept.content.decode() == FULL.replace("epochs = 25", "epochs = 7")
        await hands.press("ctrl+s")
        assert found_for(full) == []

    edit(full, does)


@pytest.mark.parametrize("way", ["revert", "discard", "undo"])
def test_what_is_not_wanted_is_not_kept(full: Path, way: str) -> None:
    async def does(hands: Hands) -> None:
        await hands.retype("7", "train", "epochs")
        hands.screen.keep_unsaved()
        if way == "undo":
            await hands.press("ctrl+z")
            hands.screen.keep_unsaved()
        else:
            await hands.press("ctrl+r" if way == "revert" else "escape")
            await hands.answer(way.capitalize())
        assert found_for(full) == []

    edit(full, does)


@pytest.mark.parametrize("answer", [TAKE_UP, DELETE, LEAVE])
def test_what_was_left_behind_is_offered(full: Path, answer: str) -> None:
    left_behind(full, b"epochs = 1\n")

    async def does(hands: Hands) -> None:
        await hands.pilot.pause(0.1)
        await hands.answer(answer)
        assert hands.screen.dirty is (answer == TAKE_UP)
        assert hands.text == ("epochs = 1\n" if answer == TAKE_UP else FULL)
        assert len(found_for(full)) == (0 if answer == DELETE else 1)

    edit(full, does)


def test_what_is_in_the_file_already_is_not_offered(full: Path) -> None:
    left_behind(full, FULL.encode())

    async def does(hands: Hands) -> None:
        await hands.pilot.pause(0.1)
        assert not isinstance(hands.app.screen, ChooseScreen)
        assert found_for(full) == []

    edit(full, does)


def test_a_living_dashboards_text_is_told_of_and_left_alone(full: Path) -> None:
    other = another(full)

    async def does(hands: Hands) -> None:
        await hands.pilot.pause(0.1)
        assert not isinstance(hands.app.screen, ChooseScreen)
        (note,) = hands.app._notifications
        assert f"process {other.pid}" in note.message
        await hands.retype("7", "train", "epochs")
        hands.screen.keep_unsaved()
        await hands.press("ctrl+s")
        (kept,) = found_for(full)
        assert kept.content == b"typed by another"

    try:
        edit(full, does)
    finally:
        other.kill()
        other.communicate()


def test_a_full_disk_is_told_once_and_editing_goes_on(
    full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tui.journal.write_atomically", no_space)

    async def does(hands: Hands) -> None:
        await hands.retype("7", "train", "epochs")
        hands.screen.keep_unsaved()
        hands.screen.keep_unsaved()
        await hands.pilot.pause()
        (note,) = hands.app._notifications
        assert "No space left" in note.message
        await hands.press("8")
        await hands.rest()
        assert "epochs = 78" in hands.text
        assert isinstance(hands.app, Editing)

    edit(full, does)

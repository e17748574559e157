from pathlib import Path

import pytest

from engine.contract import follower
from engine.contract.events import Event, Warned, encode
from engine.contract.follower import Follower, catch_up, read_state
from engine.contract.run_state import RunState


def said(what: str) -> Warned:
    return Warned(time=1.0, what=what, where="", remedy="")


def append(path: Path, *pieces: bytes | Event) -> None:
    with path.open("ab") as file:
        for piece in pieces:
            file.write(encode(piece) if isinstance(piece, Event) else piece)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def test_a_file_that_is_not_there_yet_has_no_lines(path: Path) -> None:
    followed = Follower(path)
    assert list(followed.lines()) == []
    append(path, b"a\n")
    assert list(followed.lines()) == [b"a"]


def test_each_line_is_given_once(path: Path) -> None:
    followed = Follower(path)
    append(path, b"a\nb\n")
    assert list(followed.lines()) == [b"a", b"b"]
    assert list(followed.lines()) == []
    append(path, b"c\n")
    assert list(followed.lines()) == [b"c"]


def test_half_a_line_is_not_there_until_its_newline_is(path: Path) -> None:
    followed = Follower(path)
    whole = encode(said("whole"))
    append(path, b"a\n", whole[:9])
    assert list(followed.lines()) == [b"a"]
    append(path, whole[9:-1])
    assert list(followed.events()) == []
    append(path, b"\n")
    assert list(followed.events()) == [said("whole")]


@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 7, 1 << 20])
def test_where_a_chunk_ends_does_not_matter(
    path: Path, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "CHUNK", chunk)
    append(path, b"abc\n\ndefgh\nij\nhalf")
    followed = Follower(path)
    assert list(followed.lines()) == [b"abc", b"", b"defgh", b"ij"]
    append(path, b"\nk\n")
    assert list(followed.lines()) == [b"half", b"k"]


def test_a_reader_that_stops_in_the_middle_goes_on_there(path: Path) -> None:
    append(path, b"a\nb\nc\n")
    followed = Follower(path)
    assert next(followed.lines()) == b"a"
    assert list(followed.lines()) == [b"b", b"c"]


def test_an_incomplete_line_that_a_resume_cuts_off_was_never_given(path: Path) -> None:
    append(path, b"a\nhal")
    followed = Follower(path)
    assert list(followed.lines()) == [b"a"]
    path.write_bytes(b"a\n")
    append(path, b"b\n")
    assert list(followed.lines()) == [b"b"]


def test_a_shorter_file_is_another_one_and_is_read_from_its_beginning(path: Path) -> None:
    append(path, b"a\nb\nc\n")
    followed = Follower(path)
    assert len(list(followed.lines())) == 3
    path.write_bytes(b"new\n")
    assert list(followed.lines()) == [b"new"]


def test_lines_that_are_no_events_are_skipped(path: Path) -> None:
    append(path, said("a"), b"\x00\x00\n", b'{"type":"dream","time":1}\n', said("b"), b'{"type":')
    assert list(Follower(path).events()) == [said("a"), said("b")]


def test_whether_anything_was_new_is_told(path: Path) -> None:
    followed, state = Follower(path), RunState()
    assert not catch_up(followed, state)
    append(path, said("a"))
    assert catch_up(followed, state)
    assert not catch_up(followed, state)
    assert [warning.what for warning in state.warnings] == ["a"]


def test_the_state_of_a_run_comes_from_its_whole_file(path: Path) -> None:
    append(path, said("a"), said("b"))
    assert [warning.what for warning in read_state(path).warnings] == ["a", "b"]
    assert read_state(path.with_name("none")).warnings == []

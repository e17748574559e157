"""The last lines of console.log, read as it grows."""

from __future__ import annotations

from pathlib import Path

from tui.console import TAIL, Console


def test_lines_come_once_and_whole(tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    console = Console(log)
    assert console.look() == [], "there is no file yet"
    log.write_text("one\ntw")
    assert console.look() == ["one"]
    log.write_text("one\ntwo\n")
    assert console.look() == ["two"]
    assert console.look() == []


def test_colours_and_what_was_written_over_are_left_out(tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    log.write_bytes(b"\x1b[31mred\x1b[0m\n 10%\r100%\r\n\xff\n\x1b]0;title\x07x\n")
    assert Console(log).look() == ["red", "100%", "�", "x"]


def test_of_a_long_log_the_end_is_read(tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    log.write_text("x" * TAIL + "\nlast\n")
    assert Console(log).look()[-1] == "last"
    assert sum(map(len, Console(log).look())) <= TAIL


def test_a_log_that_was_replaced_is_read_anew(tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    log.write_text("a long first line\n")
    console = Console(log)
    console.look()
    log.write_text("new\n")
    assert console.look() == ["new"]

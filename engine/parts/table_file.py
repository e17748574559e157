"""A CSV with a header: its columns and rows, or what is wrong with it and in which line."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.contract.problems import InputError, Problem, did_you_mean

DELIMITERS = ",;\t"
TOLD = 3  # lines that are named, of all that are wrong in the same way


@dataclass(frozen=True)
class Table:
    """Cells are text, without the blanks around them. `lines`: where each row ends in the file,
    from 1. `key`: the key of the experiment that chose the file."""

    file: Path
    key: str
    columns: list[str]
    rows: list[list[str]]
    lines: list[int]

    def column(self, name: str) -> list[str]:
        position = self.columns.index(name)
        return [row[position] for row in self.rows]

    def check_column(self, name: str, key: str) -> None:
        """Raises InputError at `key` where there is no such column."""
        if name not in self.columns:
            there = ", ".join(self.columns)
            hint = did_you_mean(name, self.columns) or f"there are: {there}"
            raise InputError(Problem(f'{self.file} has no column "{name}"', key, hint))

    def refuse(self, wrong: list[tuple[int, str, str]], hint: str = "") -> None:
        """Raises InputError where there are any; each is a row, a column and what is wrong."""
        if not wrong:
            return
        problems = [
            Problem(f"{self.file}, line {self.lines[row]}, column {column}: {what}", self.key, hint)
            for row, column, what in wrong[:TOLD]
        ]
        if len(wrong) > TOLD:
            more = f"{self.file}: and {len(wrong) - TOLD} more such cells"
            problems.append(Problem(more, self.key))
        raise InputError(*problems)


def read_table(file: Path, key: str) -> Table:
    """Comma, semicolon or tab between the cells, UTF-8 with or without a byte order mark. Empty
    lines are skipped. Raises InputError at `key` for a file that is no such table."""
    text = _text(file, key)
    header = re.sub(r'"[^"]*"', "", text.lstrip("\r\n").split("\n", 1)[0])
    delimiter = max(DELIMITERS, key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    ragged: list[tuple[int, int]] = []
    columns: list[str] = []
    for row, line in _rows(reader, file, key):
        if not columns:
            columns = row
            _check_header(columns, file, key)
        elif len(row) != len(columns):
            ragged.append((line, len(row)))
        else:
            rows.append(row)
            lines.append(line)
    _refuse_ragged(ragged, columns, file, key)
    if not rows:
        what = "no rows below its header" if columns else "nothing in it"
        hint = "write a header, such as image,label, and a line for each image"
        raise InputError(Problem(f"{file} has {what}", key, hint))
    return Table(file, key, columns, rows, lines)


def _text(file: Path, key: str) -> str:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InputError(Problem(f"{file} can't be read: {error.strerror}", key)) from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"{file}, line {line}: not UTF-8 text"
        raise InputError(Problem(message, key, "save it as CSV in UTF-8")) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        message = f"{file}, line {line}: a zero byte, which no text has; is it a CSV?"
        raise InputError(Problem(message, key, "save it as CSV in UTF-8"))
    return text


def _rows(reader: Any, file: Path, key: str) -> Iterator[tuple[list[str], int]]:
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                yield cells, reader.line_num
    except csv.Error as error:
        message = f"{file}, line {reader.line_num}: {error}"
        hint = "look for a quotation mark that is not closed, or text after one"
        raise InputError(Problem(message, key, hint)) from error


def _check_header(columns: list[str], file: Path, key: str) -> None:
    nameless = [position for position, name in enumerate(columns, start=1) if not name]
    if nameless:
        message = f"{file}: column {nameless[0]} has no name"
        hint = "name it in the first line; pandas leaves it out with to_csv(index=False)"
        raise InputError(Problem(message, key, hint))
    twice = next((name for name in columns if columns.count(name) > 1), None)
    if twice is not None:
        message = f'{file} has two columns called "{twice}"'
        raise InputError(Problem(message, key, "rename one in the first line"))


def _refuse_ragged(ragged: list[tuple[int, int]], columns: list[str], file: Path, key: str) -> None:
    if not ragged:
        return
    shown = ", ".join(f"line {line} has {count}" for line, count in ragged[:TOLD])
    rest = f", and {len(ragged) - TOLD} more lines" if len(ragged) > TOLD else ""
    message = f"{file}: the header has {len(columns)} columns, but {shown}{rest}"
    hint = "put quotation marks around a cell that holds the separator"
    raise InputError(Problem(message, key, hint))

"""Any TOML that a person can write survives: open, edit one field, save; all else is the same."""

from __future__ import annotations

import math
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tui.toml_document import TomlDocument

KeyPath = tuple[str | int, ...]

COMMENTS = ["# why", "#", "# a = 1", "# [x]", "# \"quo'te", "# ünï → ✓", "#\t# x"]
BARE = ["lr", "name", "a-b", "_", "7", "1e3", "true", "T_max"]
QUOTED = ["a.b", "k v", "", "é", "#x", "[y]", "="]
VALUES = [
    "1", "-0", "1_000", "0x2A", "1e-3", "6.5", "inf", "-nan", "true", "false", '"text"', "'C:\\x'",
    '"with # hash"', '"\\u00e9 \\" ]"', '"""\nseveral\nlines # no comment\n"""', "'''x\n[y]\n'''",
    "2020-01-01", "2020-01-01T00:00:00Z", "07:32:00", "[]", "{}", '["a", "b"]', '"é✓"',
]  # fmt: skip
NEW = ["2", '"new"', "[1, 2]", "{ x = 1 }", "'''it's'''", "2.5e-4", "false", "[\n  1,\n]"]


@dataclass
class Written:
    """A text, and where in it (in characters) the value of each path stands."""

    text: str
    places: dict[KeyPath, tuple[int, int]]
    sections: list[KeyPath]


class Writer:
    """Writes as people do, with every freedom that TOML gives, drawn by hypothesis."""

    def __init__(self, draw: Any) -> None:
        self.draw, self.text = draw, ""
        self.places: dict[KeyPath, tuple[int, int]] = {}

    def one_of(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def space(self) -> None:
        self.text += self.one_of("", " ", "  ", "\t")

    def comment(self) -> None:
        self.text += self.one_of("", "", f"  {self.one_of(*COMMENTS)}")

    def gap(self) -> None:
        for _ in range(self.draw(st.integers(0, 2))):
            self.text += self.one_of("\n", f"{self.one_of(*COMMENTS)}\n", "  \n")

    def value(self, path: KeyPath, depth: int, *, inline: bool) -> None:
        start = len(self.text)
        kind = self.draw(st.integers(0, 5)) if depth < 2 else 0
        if kind == 1:
            self.array(path, depth, inline=inline)
        elif kind == 2:
            self.table(path, depth)
        else:
            self.text += self.one_of(*VALUES)
        self.places[path] = (start, len(self.text))

    def array(self, path: KeyPath, depth: int, *, inline: bool) -> None:
        count = self.draw(st.integers(1, 3))
        several = self.draw(st.booleans()) and not inline
        self.text += "["
        for position in range(count):
            if several:
                self.text += f"\n{self.one_of('', '  ')}"
            self.value((*path, position), depth + 1, inline=inline)
            if position + 1 < count or self.draw(st.booleans()):
                self.text += self.one_of(",", " ,", ", ")
            if several:
                self.comment()
        self.text += "\n]" if several else "]"

    def table(self, path: KeyPath, depth: int) -> None:
        self.text += self.one_of("{", "{ ")
        names = self.names(2)
        for position, name in enumerate(names):
            self.text += ", " if position else ""
            self.pair(path, name, depth + 1, inline=True)
        self.text += self.one_of("}", " }")

    def names(self, most: int) -> list[str]:
        names = st.sampled_from(BARE + QUOTED)
        return list(self.draw(st.lists(names, min_size=1, max_size=most, unique=True)))

    def key(self, name: str) -> str:
        if name in BARE and self.draw(st.booleans()):
            return name
        return str(self.one_of(f'"{name}"', f"'{name}'"))

    def pair(self, base: KeyPath, name: str, depth: int, *, inline: bool) -> None:
        path = (*base, name)
        self.text += self.key(name)
        if self.draw(st.integers(0, 4)) == 0:
            inner = self.one_of(*BARE, *QUOTED)
            self.text += f"{self.one_of('.', ' . ')}{self.key(inner)}"
            path = (*path, inner)
        self.space()
        self.text += "="
        self.space()
        self.value(path, depth, inline=inline)

    def section(self, path: KeyPath, header: str) -> None:
        if header:
            self.text += f"{header}"
            self.comment()
            self.text += "\n"
        for name in self.names(4) if self.draw(st.integers(0, 5)) else []:
            self.gap()
            self.text += self.one_of("", "", "  ")
            self.pair(path, name, 0, inline=False)
            self.comment()
            self.text += "\n"
        self.gap()


@st.composite
def files(draw: Any) -> Written:
    writer = Writer(draw)
    writer.gap()
    writer.section((), "")
    sections: list[KeyPath] = []
    heads = st.lists(
        st.sampled_from(["data", "model", "loss", "train", "scheduler", "a.group"]), max_size=6
    )
    counts: dict[str, int] = {}
    for name in draw(heads):
        path: KeyPath = tuple(name.split("."))
        if name in ("scheduler", "a.group"):
            counts[name] = counts.get(name, -1) + 1
            sections.append((*path, counts[name]))
            writer.section(sections[-1], f"[[{name}]]")
        elif path not in sections:
            sections.append(path)
            writer.section(path, writer.one_of(f"[{name}]", f"[ {name} ]", f'["{name}"]'))
    text = writer.text
    if draw(st.booleans()):
        text = text.rstrip("\n")
    return Written(text, writer.places, sections)


def saved(written: bytes, edit: Any) -> tuple[bytes, bytes]:
    """What the file holds after the edit, and after undoing it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "it.toml"
        path.write_bytes(written)
        document = TomlDocument(path)
        edit(document)
        document.save()
        edited = path.read_bytes()
        assert document.undo()
        document.save()
        return edited, path.read_bytes()


def at(values: Any, path: KeyPath) -> Any:
    for part in path:
        values = values[part]
    return values


def same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return bool(one == other)


ENDS = st.tuples(st.sampled_from(["\n", "\r\n"]), st.sampled_from([b"", b"\xef\xbb\xbf"]))


@given(files(), ENDS, st.sampled_from(NEW), st.randoms(use_true_random=False))
@settings(max_examples=200)
def test_only_the_bytes_of_the_value_change(
    written: Written, ends: tuple[str, bytes], new: str, random: Any
) -> None:
    if not written.places:
        return
    newline, bom = ends
    path = random.choice(sorted(written.places, key=str))
    start, end = written.places[path]
    inline_new = new if "\n" not in new else "7"  # an inline table ends with its line
    before, value, after = written.text[:start], inline_new, written.text[end:]
    raw = bom + written.text.replace("\n", newline).encode()
    expected = bom + (before.replace("\n", newline) + value + after.replace("\n", newline)).encode()
    if expected == raw:
        return
    edited, undone = saved(raw, lambda document: document.set_text(path, value))
    assert edited == expected
    assert undone == raw
    read = tomllib.loads(edited.decode("utf-8-sig"))
    assert same(at(read, path), tomllib.loads(f"v = {value}")["v"])


@given(files(), ENDS, st.sampled_from([*NEW[:6], "true"]), st.randoms(use_true_random=False))
@settings(max_examples=200)
def test_a_new_key_is_one_line_more_and_its_undoing_one_less(
    written: Written, ends: tuple[str, bytes], new: str, random: Any
) -> None:
    if not written.sections:
        return
    newline, bom = ends
    path = (*random.choice(written.sections), "brand new")
    raw = bom + written.text.replace("\n", newline).encode()
    edited, undone = saved(raw, lambda document: document.set_text(path, new))
    assert undone == raw
    added = f'"brand new" = {new}'.encode()
    assert edited.count(added) == 1
    place = edited.index(added)
    line_start = edited.rfind(b"\n", 0, place) + 1
    line_end = edited.find(b"\n", place)
    without = edited[:line_start] + (edited[line_end + 1 :] if line_end >= 0 else b"")
    assert without in (raw, raw + newline.encode())
    assert at(tomllib.loads(edited.decode("utf-8-sig")), path) == tomllib.loads(f"v = {new}")["v"]

"""Where each key of a TOML text stands: (`scheduler`, 1, `gamma`) → line.

tomllib gives values without positions; tree-sitter's TOML grammar gives the positions.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterable

import tree_sitter_toml
from tree_sitter import Language, Node, Parser

Path = tuple[str | int, ...]

LANGUAGE = Language(tree_sitter_toml.language())
DEEPEST = 100  # tables and arrays within one another; what is deeper is refused at reading
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def dotted(path: Iterable[str | int]) -> str:
    """`scheduler.1.gamma`; a name that TOML must have in quotes is in quotes here too."""
    return ".".join(
        part if _BARE.fullmatch(part) else json.dumps(part, ensure_ascii=False)
        for part in map(str, path)
    )


class Positions:
    """The line, from 1, of every key of a text."""

    def __init__(self, text: str) -> None:
        self._lines: dict[str, int] = {}
        self._tables: Counter[Path] = Counter()  # elements so far of each [[array of tables]]
        self._document(Parser(LANGUAGE).parse(text.encode()).root_node)

    def __contains__(self, key: str) -> bool:
        return key in self._lines

    def line(self, key: str) -> int:
        """The line of a dotted key, else of the nearest thing around it, else the first."""
        while key and key not in self._lines:
            key = key.rpartition(".")[0]
        return self._lines.get(key, 1)

    def _document(self, root: Node) -> None:
        for node in root.children:
            if node.type == "pair":
                self._pair(node, ())
            elif node.type in ("table", "table_array_element"):
                self._table(node)

    def _table(self, node: Node) -> None:
        names = next((key_names(child) for child in node.children if "key" in child.type), ())
        if not names:
            return
        path = self._inside_arrays(names[:-1])
        path = (*path, names[-1])
        if node.type == "table_array_element":
            self._note(path, node)
            self._tables[path] += 1
            path = (*path, self._tables[path] - 1)
        self._note(path, node)
        for child in node.children:
            if child.type == "pair":
                self._pair(child, path)

    def _inside_arrays(self, names: tuple[str, ...]) -> Path:
        """[optimizer.group.options] belongs to the newest element of [[optimizer.group]]."""
        path: Path = ()
        for name in names:
            path = (*path, name)
            if self._tables[path]:
                path = (*path, self._tables[path] - 1)
        return path

    def _pair(self, node: Node, base: Path) -> None:
        names = key_names(node.children[0])
        for end in range(1, min(len(names), DEEPEST) + 1):
            self._note((*base, *names[:end]), node)
        if len(node.children) > 2:
            self._value(node.children[-1], (*base, *names))

    def _value(self, node: Node, path: Path) -> None:
        if len(path) > DEEPEST:
            return
        if node.type == "inline_table":
            for child in node.children:
                if child.type == "pair":
                    self._pair(child, path)
        elif node.type == "array":
            values = [child for child in node.named_children if child.type != "comment"]
            for position, child in enumerate(values):
                self._note((*path, position), child)
                self._value(child, (*path, position))

    def _note(self, path: Path, node: Node) -> None:
        # The first mention is kept: a second one is an error that tomllib reports by itself.
        self._lines.setdefault(dotted(path), int(node.start_point[0]) + 1)


def key_names(node: Node) -> tuple[str, ...]:
    """The names of a bare, quoted or dotted key. A dotted one is a node within a node for each
    dot, of which a damaged file may have thousands: so without recursion."""
    names: list[str] = []
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if node.type == "dotted_key":
            waiting += reversed(node.children)
        elif node.text is not None and node.type in ("bare_key", "quoted_key"):
            text = node.text.decode()
            names.append(_unquoted(text) if node.type == "quoted_key" else text)
    return tuple(names)


def _unquoted(text: str) -> str:
    try:
        return str(tomllib.loads(f"key = {text}")["key"])
    except tomllib.TOMLDecodeError:
        return text[1:-1]

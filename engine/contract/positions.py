"""Where each key of a TOML text stands: (`scheduler`, 1, `gamma`) → line.

tomllib gives values without positions; tree-sitter's TOML grammar gives positions, also of a text
that does not parse, so that a syntax error can name the key it is near.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterator

import tree_sitter_toml
from tree_sitter import Language, Node, Parser

Path = tuple[str | int, ...]

_LANGUAGE = Language(tree_sitter_toml.language())


class Positions:
    """The line, from 1, of every key of a text."""

    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {}
        self._tables: Counter[Path] = Counter()  # elements so far of each [[array of tables]]
        self._document(Parser(_LANGUAGE).parse(text.encode()).root_node)

    def line(self, path: Path) -> int:
        """The line of `path`, else of the nearest thing around it, else the first."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def near(self, line: int) -> Path:
        """The last key at or above a line: what a syntax error there belongs to."""
        above = [(at, path) for path, at in self.lines.items() if at <= line]
        return max(above, key=lambda row: row[0])[1] if above else ()

    def _document(self, root: Node) -> None:
        for node in root.children:
            if node.type == "pair":
                self._pair(node, ())
            elif node.type in ("table", "table_array_element"):
                self._table(node)

    def _table(self, node: Node) -> None:
        names = next((_key(child) for child in node.children if "key" in child.type), ())
        if not names:
            return
        path = self._inside_arrays(names[:-1])
        path = (*path, names[-1])
        if node.type == "table_array_element":
            self.lines.setdefault(path, _line(node))
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
        names = _key(node.children[0])
        for end in range(1, len(names) + 1):
            self._note((*base, *names[:end]), node)
        if len(node.children) > 2:
            self._value(node.children[-1], (*base, *names))

    def _value(self, node: Node, path: Path) -> None:
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
        self.lines.setdefault(path, _line(node))


def _line(node: Node) -> int:
    return int(node.start_point[0]) + 1


def _key(node: Node) -> tuple[str, ...]:
    return tuple(_parts(node))


def _parts(node: Node) -> Iterator[str]:
    """The names of a bare, quoted or dotted key."""
    if node.type == "dotted_key":
        for child in node.children:
            yield from _parts(child)
    elif node.type in ("bare_key", "quoted_key") and node.text is not None:
        text = node.text.decode()
        yield _unquoted(text) if node.type == "quoted_key" else text


def _unquoted(text: str) -> str:
    try:
        return str(tomllib.loads(f"key = {text}")["key"])
    except tomllib.TOMLDecodeError:
        return text[1:-1]

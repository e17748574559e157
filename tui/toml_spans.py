"""Where each value, key and table of a TOML text stands, in bytes: what an edit cuts and pastes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tree_sitter import Node, Parser

from engine.contract.positions import DEEPEST, LANGUAGE, key_names

Path = tuple[str | int, ...]
Span = tuple[int, int]


@dataclass
class Section:
    """What stands under one header, or above the first: `path` ends in a number in [[…]]."""

    path: Path
    start: int  # of the header
    header_end: int
    is_element: bool = False
    end: int = 0  # of the last pair, else of the header


@dataclass
class Pair:
    """`key = value`: in a section, or in an inline table, which `container` then spans."""

    path: Path
    span: Span
    value: Span
    base: Path  # of the section or inline table that it stands in
    container: Span | None


@dataclass
class Spans:
    """Every piece of a text that parses; `text` is the bytes that the numbers count."""

    text: bytes
    sections: list[Section] = field(default_factory=list)
    pairs: dict[Path, Pair] = field(default_factory=dict)
    elements: dict[Path, Span] = field(default_factory=dict)  # of arrays
    tables: dict[Path, Span] = field(default_factory=dict)  # inline
    arrays: dict[Path, Span] = field(default_factory=dict)

    def value(self, path: Path) -> Span | None:
        """Where the text of a value stands; None for one that is spread over sections or dots."""
        pair = self.pairs.get(path)
        return pair.value if pair is not None else self.elements.get(path)

    def below(self, path: Path) -> list[Section]:
        """The sections of a table, or of one element of an array of tables."""
        return [section for section in self.sections if section.path[: len(path)] == path]


def spans_of(text: bytes) -> Spans:
    """Of a text that tomllib has accepted."""
    return _Walk(text).spans


class _Walk:
    def __init__(self, text: bytes) -> None:
        self.spans = Spans(text)
        self._counts: Counter[Path] = Counter()
        top = Section((), 0, 0)
        self.spans.sections.append(top)
        for node in Parser(LANGUAGE).parse(text).root_node.children:
            if node.type == "pair":
                top.end = self._pair(node, (), None)
            elif node.type in ("table", "table_array_element"):
                self._section(node)

    def _section(self, node: Node) -> None:
        key = next(child for child in node.children if "key" in child.type)
        closing = next(child for child in node.children if child.type in ("]", "]]"))
        path: Path = ()
        names = key_names(key)
        is_element = node.type == "table_array_element"
        for name in names[:-1] if is_element else names:
            path = (*path, name)
            if self._counts[path]:
                path = (*path, self._counts[path] - 1)
        if is_element:
            path = (*path, names[-1])
            self._counts[path] += 1
            path = (*path, self._counts[path] - 1)
        section = Section(path, node.start_byte, closing.end_byte, is_element, closing.end_byte)
        self.spans.sections.append(section)
        for child in node.children:
            if child.type == "pair":
                section.end = self._pair(child, path, None)

    def _pair(self, node: Node, base: Path, container: Span | None) -> int:
        """Where it ends."""
        path = (*base, *key_names(node.children[0]))
        value = next(child for child in node.children[2:] if child.type != "comment")
        span = (node.start_byte, value.end_byte)  # the node may hold the comment behind it too
        self.spans.pairs[path] = Pair(path, span, _span(value), base, container)
        self._value(value, path)
        return span[1]

    def _value(self, node: Node, path: Path) -> None:
        if len(path) > DEEPEST:
            return
        if node.type == "inline_table":
            self.spans.tables[path] = _span(node)
            for child in node.children:
                if child.type == "pair":
                    self._pair(child, path, _span(node))
        elif node.type == "array":
            self.spans.arrays[path] = _span(node)
            values = [child for child in node.named_children if child.type != "comment"]
            for position, child in enumerate(values):
                self.spans.elements[(*path, position)] = _span(child)
                self._value(child, (*path, position))


def _span(node: Node) -> Span:
    return node.start_byte, node.end_byte

"""Lines, sections with the comments that belong to them, and what goes when a key is deleted."""

from __future__ import annotations

import re

from tui.toml_spans import Path, Span, Spans

# What may stand behind an element that has its line to itself.
ALONE = re.compile(rb"[ \t]*,?[ \t]*(#[^\n]*)?\r?(\n|$)")


class EditError(ValueError):
    """The text can't be edited so: it is no TOML now, or the form of the key does not allow it."""


def newline_of(text: bytes) -> bytes:
    return b"\r\n" if b"\r\n" in text else b"\n"


def line_start(text: bytes, place: int) -> int:
    return text.rfind(b"\n", 0, place) + 1


def line_end(text: bytes, place: int) -> int:
    """Behind the line break."""
    found = text.find(b"\n", place)
    return len(text) if found < 0 else found + 1


def indent_of(text: bytes, place: int) -> str:
    before = text[line_start(text, place) : place].decode()
    return before if not before.strip() else ""


def block_start(spans: Spans, place: int) -> int:
    """Of a section with the comment lines that stand directly above its header."""
    text = spans.text
    start = line_start(text, spans.sections[place].start)
    before = spans.sections[place - 1]
    least = line_end(text, before.end) if before.end else 0
    while start > least:
        above = line_start(text, start - 1)
        if not text[above:start].lstrip().startswith(b"#"):
            break
        start = above
    return start


def block_end(spans: Spans, place: int) -> int:
    """Of a section with the comment lines directly below, before the line break."""
    text = spans.text
    most = block_start(spans, place + 1) if place + 1 < len(spans.sections) else len(text)
    end = line_end(text, spans.sections[place].end)
    while end < most and text[end : line_end(text, end)].lstrip().startswith(b"#"):
        end = line_end(text, end)
    return len(text[:end].rstrip(b"\r\n"))


def _section_cut(spans: Spans, place: int) -> Span:
    """With the blank lines behind it, or at the end of the text with those in front."""
    text, start = spans.text, block_start(spans, place)
    end = line_end(text, block_end(spans, place))
    while end < len(text) and not text[end : line_end(text, end)].strip():
        end = line_end(text, end)
    if end == len(text):
        while start and not text[line_start(text, start - 1) : start].strip():
            start = line_start(text, start - 1)
    return start, end


def extent(spans: Spans, path: Path) -> Span:
    if path in spans.elements:
        return spans.elements[path]
    places = [place for place, each in enumerate(spans.sections) if each in spans.below(path)]
    if not places or places[-1] - places[0] + 1 != len(places):
        raise EditError("its tables are spread over the file; change the text")
    return block_start(spans, places[0]), block_end(spans, places[-1])


def _cut_listed(text: bytes, span: Span, listed: list[Span]) -> bytes:
    """One of several between commas: with its line where it has one, else with one comma."""
    start, end = span
    line, rest = line_start(text, start), ALONE.match(text, end)
    if rest is not None and line and not text[line:start].strip():
        return text[:line] + text[rest.end() :]
    place = listed.index(span)
    if place + 1 < len(listed):
        return text[:start] + text[listed[place + 1][0] :]
    if place:
        return text[: listed[place - 1][1]] + text[end:]
    rest = re.compile(rb"[ \t]*,").match(text, end)
    return text[:start] + text[rest.end() if rest else end :]


def without(spans: Spans, path: Path) -> bytes:
    text = spans.text
    if path in spans.elements:
        array = [span for key, span in spans.elements.items() if key[:-1] == path[:-1]]
        return _cut_listed(text, spans.elements[path], sorted(array))
    pair = spans.pairs.get(path)
    if pair is not None and pair.container is not None:
        listed = [each.span for each in spans.pairs.values() if each.container == pair.container]
        return _cut_listed(text, pair.span, sorted(listed))
    cuts = [_section_cut(spans, place) for place, each in enumerate(spans.sections) if place]
    cuts = [
        cut
        for cut, section in zip(cuts, spans.sections[1:], strict=True)
        if section.path[: len(path)] == path
    ]
    dotted_pairs = [
        each
        for each in spans.pairs.values()
        if each.path[: len(path)] == path and len(each.base) < len(path)
    ]
    cuts += [
        (line_start(text, each.span[0]), line_end(text, each.span[1]))
        for each in dotted_pairs
        if each.container is None
    ]
    for start, end in sorted(cuts, reverse=True):
        text = text[:start] + text[end:]
    return text

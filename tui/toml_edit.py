"""One edit of a TOML text: only the bytes that have to change do.

tomlkit keeps comments too, but it writes a file anew, and some files come out otherwise (mixed line
endings, tables that are taken up again); here a value is cut out at its place and the new one put
in. Every edit is read back with tomllib, and given up when anything but the meant key differs.
"""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Mapping
from typing import Any

import tomlkit

from engine.contract.positions import dotted
from tui.toml_blocks import (
    ALONE,
    EditError,
    block_end,
    block_start,
    extent,
    indent_of,
    line_end,
    line_start,
    newline_of,
    without,
)
from tui.toml_spans import Pair, Path, Section, Span, Spans, spans_of


def toml_value(value: Any) -> str:
    """A value as TOML writes it in one line."""
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{dotted([key])} = {toml_value(item)}" for key, item in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    return str(tomlkit.item(value).as_string())


def parse(text: bytes | str) -> dict[str, Any]:
    """The values, floats as they are written: so that nan is nan, and 1e-3 is not 0.001."""
    decoded = text.decode() if isinstance(text, bytes) else text
    try:
        return tomllib.loads(decoded, parse_float=lambda digits: ("float", digits))
    except (ValueError, RecursionError) as error:
        raise EditError(f"is not TOML: {error}") from None


def meant(text: str) -> str:
    """What was typed where a value belongs: a bare word is meant as text, and gets its quotes."""
    try:
        parse(f"value = {text}")
    except EditError:
        bare = text and not set(text) & set("\"'[]{},=#\n")
        return toml_value(text.strip()) if bare else text
    return text


def at(values: Any, path: Path) -> Any:
    """What stands at a path. Raises KeyError where nothing does."""
    for part in path:
        try:
            values = values[part]
        except (IndexError, TypeError):
            raise KeyError(dotted(path)) from None
    return values


def set_value(text: bytes, path: Path, value: str) -> bytes:
    """`value` is TOML; a key that is not there yet is added to its table, which may be new."""
    value = value.strip()
    parsed, wanted = parse(f"value = {value}"), parse(text)
    if list(parsed) != ["value"]:
        raise EditError("is more than one value")
    spans = spans_of(text)
    span = spans.value(path)
    if span is None and _is_there(wanted, path):
        raise EditError(f"{dotted(path)} is a table; change its keys")
    _put(wanted, path, parsed["value"])
    new = value.encode()
    return checked(_pasted(text, span, new) if span else _added(spans, path, value), wanted)


def delete(text: bytes, path: Path) -> bytes:
    """A key with its line, a table with its header, an element of an array with its comma."""
    wanted = parse(text)
    holder = at(wanted, path[:-1])
    at(holder, path[-1:])
    del holder[path[-1]]
    edited = without(spans_of(text), path)
    return checked(edited, wanted, leaves_empty=path[:-1])


def add_element(text: bytes, path: Path, items: Mapping[str, str]) -> bytes:
    """One more `[[path]]` after the others, or `{ … }` in an array; `items` are TOML texts."""
    wanted = parse(text)
    element = {key: parse(f"value = {value}")["value"] for key, value in items.items()}
    spans = spans_of(text)
    inline = ", ".join(f"{dotted([key])} = {value}" for key, value in items.items())
    inline = f"{{ {inline} }}"
    there = at(wanted, path) if _is_there(wanted, path) else None
    lines = [f"[[{dotted(path)}]]"]
    lines += [f"{dotted([key])} = {value}" for key, value in items.items()]
    if isinstance(there, dict):  # a single [loss] becomes the first of [[loss]]
        _put(wanted, path, [there, element])
        if path in spans.tables:
            start, end = spans.tables[path]
            edited = _pasted(text, (start, end), b"[" + text[start:end] + f", {inline}]".encode())
        else:
            edited = _with_section(spans_of(_doubled(spans, path)), path[:1], lines)
    elif there is not None and path in spans.arrays:
        there.append(element)
        edited = _appended(spans, path, inline)
    elif there is None and path[:-1] in spans.tables:
        return set_value(text, path, f"[{inline}]")
    else:
        _put(wanted, path, [*(there or []), element])
        edited = _with_section(spans, path if there else path[:1], lines)
    return checked(edited, wanted)


def move_element(text: bytes, path: Path, position: int, to: int) -> bytes:
    """Swap an element of an array with the one before or after it, with the comments at both."""
    wanted = parse(text)
    elements = at(wanted, path)
    if not (0 <= position < len(elements) and 0 <= to < len(elements)):
        raise EditError("there is nothing to change places with")
    elements[position], elements[to] = elements[to], elements[position]
    spans = spans_of(text)
    first, second = sorted((position, to))
    (a, b), (c, d) = (extent(spans, (*path, index)) for index in (first, second))
    if b > c:
        raise EditError("they stand within one another; change the text")
    return checked(text[:a] + text[c:d] + text[b:c] + text[a:b] + text[d:], wanted)


def checked(edited: bytes, wanted: dict[str, Any], leaves_empty: Path = ()) -> bytes:
    """The edited text, if it says what is wanted and nothing else. Raises EditError."""
    found = parse(edited)
    if found == wanted:
        return edited
    # What stood in dotted keys, or under headers of its own, is gone with the last of them.
    pruned = copy.deepcopy(wanted)
    while leaves_empty and at(pruned, leaves_empty) in ({}, []):
        del at(pruned, leaves_empty[:-1])[leaves_empty[-1]]
        leaves_empty = leaves_empty[:-1]
        if found == pruned:
            return edited
    raise EditError("can't be done without changing something else; change the text")


def _is_there(values: Any, path: Path) -> bool:
    try:
        at(values, path)
    except KeyError:
        return False
    return True


def _put(values: Any, path: Path, value: Any) -> None:
    for part in path[:-1]:
        if isinstance(part, str) and isinstance(values, dict):
            values.setdefault(part, {})
        values = at(values, (part,))
    if not isinstance(values, dict) and not _is_there(values, path[-1:]):
        raise EditError("stands in something that is no table")
    values[path[-1]] = value


def _pasted(text: bytes, span: Span, new: bytes) -> bytes:
    return text[: span[0]] + new + text[span[1] :]


def _with_line(text: bytes, after: int, line: str) -> bytes:
    """A line of its own behind the one that `after` is in."""
    place, newline = line_end(text, after), newline_of(text)
    if text[:place].endswith(b"\n") or not place:
        return _pasted(text, (place, place), line.encode() + newline)
    return text + newline + line.encode()


def _added(spans: Spans, path: Path, value: str) -> bytes:
    text, parent = spans.text, path[:-1]
    if parent in spans.tables:
        return _in_inline(spans, spans.tables[parent], f"{dotted(path[-1:])} = {value}")
    own = [section for section in spans.sections if section.path == parent and parent]
    if own:
        return _in_section(spans, own[0], f"{dotted(path[-1:])} = {value}")
    alike = [pair for pair in spans.pairs.values() if _is_dotted_below(pair, parent)]
    if alike and parent:  # model.backbone = …, model.weights = …
        pair = alike[-1]
        line = f"{dotted(path[len(pair.base) :])} = {value}"
        if pair.container is not None:
            return _in_inline(spans, pair.container, line)
        return _with_line(text, pair.span[1], indent_of(text, pair.span[0]) + line)
    if not parent:
        return _at_top(spans, f"{dotted(path)} = {value}")
    if len(parent) == 1:
        return _with_section(
            spans, parent, [f"[{dotted(parent)}]", f"{dotted(path[1:])} = {value}"]
        )
    return _added(spans, parent, f"{{ {dotted(path[-1:])} = {value} }}")


def _is_dotted_below(pair: Pair, parent: Path) -> bool:
    return pair.path[: len(parent)] == parent and len(pair.base) < len(parent) < len(pair.path)


def _in_section(spans: Spans, section: Section, line: str) -> bytes:
    inside = [pair for pair in spans.pairs.values() if pair.span[1] == section.end]
    indent = indent_of(spans.text, inside[0].span[0]) if inside else ""
    return _with_line(spans.text, section.end, indent + line)


def _in_inline(spans: Spans, table: Span, pair: str) -> bytes:
    inside = [other.span[1] for other in spans.pairs.values() if other.container == table]
    if not inside:
        return _pasted(spans.text, table, f"{{ {pair} }}".encode())
    end = max(inside)
    return _pasted(spans.text, (end, end), f", {pair}".encode())


def _at_top(spans: Spans, line: str) -> bytes:
    text, top = spans.text, spans.sections[0]
    if top.end:
        return _with_line(text, top.end, line)
    if len(spans.sections) == 1:
        return _with_line(text, len(text), line)
    place = block_start(spans, 1)
    if place == 0:  # the comment at the head is about the whole file
        place = line_start(text, spans.sections[1].start)
    newline = newline_of(text)
    return _pasted(text, (place, place), line.encode() + newline + newline)


def _with_section(spans: Spans, near: Path, lines: list[str]) -> bytes:
    """Behind the last section of `near`, else at the end."""
    text, newline = spans.text, newline_of(spans.text)
    block = newline.join(line.encode() for line in lines)
    alike = [place for place, each in enumerate(spans.sections) if each in spans.below(near)]
    if not near or not alike:
        gap = b"" if not text.strip() else newline if text.endswith(b"\n") else newline * 2
        return text + gap + block + newline
    end = block_end(spans, alike[-1])
    return _pasted(text, (end, end), newline * 2 + block)


def _doubled(spans: Spans, path: Path) -> bytes:
    """[loss] as [[loss]]."""
    header = [section for section in spans.sections if section.path == path]
    if not header:
        raise EditError(f"write [{dotted(path)}] with a header of its own first")
    start, end = header[0].start, header[0].header_end
    return _pasted(spans.text, (start, end), b"[" + spans.text[start:end] + b"]")


def _appended(spans: Spans, path: Path, element: str) -> bytes:
    """One more element of an array, on a line of its own if the last one has one."""
    text, (start, end) = spans.text, spans.arrays[path]
    inside = [
        span for key, span in spans.elements.items() if key[:-1] == path and start <= span[0] < end
    ]
    if not inside:
        return _pasted(text, (start, end), f"[{element}]".encode())
    last = max(inside)
    begin = line_start(text, last[0])
    rest = ALONE.match(text, last[1])
    if text[begin : last[0]].strip() or rest is None:
        return _pasted(text, (last[1], last[1]), f", {element}".encode())
    comma = b"" if b"," in rest[0].partition(b"#")[0] else b","
    line = f"{indent_of(text, last[0])}{element}{'' if comma else ','}"
    rest_end = rest.end()
    tail = text[last[1] : rest_end]
    return text[: last[1]] + comma + tail + line.encode() + newline_of(text) + text[rest_end:]

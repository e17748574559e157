"""A list of words in the file, changed word by word: what stays keeps its line and its comment."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

from tui import toml_edit
from tui.toml_blocks import EditError
from tui.toml_edit import toml_value
from tui.toml_spans import Path, spans_of


def set_words(text: bytes, path: Path, words: Sequence[str]) -> bytes:
    """A text in which the list at `path` is `words`. Raises EditError where the text does not allow
    it."""
    try:
        before = toml_edit.at(toml_edit.parse(text), path)
    except KeyError:
        before = None
    if not isinstance(before, list) or path not in spans_of(text).arrays:
        return toml_edit.set_value(text, path, toml_value(list(words)))
    wanted = toml_edit.parse(toml_edit.set_value(text, path, toml_value(list(words))))
    edited = text
    changes = SequenceMatcher(None, list(map(repr, before)), list(map(repr, words)), False)
    # From the end, so that the places in front stay what they were.
    for _, start, end, new_start, new_end in reversed(changes.get_opcodes()):
        old, new = list(range(start, end)), list(words[new_start:new_end])
        if before[start:end] == new:
            continue
        for place, word in zip(old, new, strict=False):
            edited = toml_edit.set_value(edited, (*path, place), toml_value(word))
        for place in reversed(old[len(new) :]):
            edited = toml_edit.delete(edited, (*path, place))
        if len(new) > len(old):
            edited = _put_in(edited, path, start + len(old), new[len(old) :])
    return toml_edit.checked(edited, wanted)


def _put_in(text: bytes, path: Path, place: int, words: Sequence[str]) -> bytes:
    """More elements, in front of the one at `place` or behind the last, on its line."""
    spans = spans_of(text)
    elements = sorted(span for key, span in spans.elements.items() if key[:-1] == path)
    listed = ", ".join(map(toml_value, words)).encode()
    if path not in spans.arrays:
        raise EditError("the list is not written as a list")
    if not elements:
        at = spans.arrays[path][0] + 1
        return text[:at] + listed + text[at:]
    if place:
        at = elements[place - 1][1]
        return text[:at] + b", " + listed + text[at:]
    at = elements[0][0]
    return text[:at] + listed + b", " + text[at:]

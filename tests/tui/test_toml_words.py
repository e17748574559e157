"""A list of words changed in the file: as one would do it by hand."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.toml_words import set_words

COMMENTED = b"""[model]
freeze = [  # what stays
    "conv1",  # the stem
    "layer1",
    # the middle
    "layer2",  # as in the paper
]  # end
"""


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["conv1", "layer1"], COMMENTED.replace(b'    "layer2",  # as in the paper\n', b"")),
        (["conv1", "layer2"], COMMENTED.replace(b'    "layer1",\n', b"")),
        (["conv1", "layer3", "layer2"], COMMENTED.replace(b'"layer1"', b'"layer3"')),
        (["conv1", "layer1", "layer2", "fc"], COMMENTED.replace(b'"layer2"', b'"layer2", "fc"')),
        (["*", "conv1", "layer1", "layer2"], COMMENTED.replace(b'"conv1"', b'"*", "conv1"')),
    ],
)
def test_what_stays_keeps_its_line_and_its_comment(words: list[str], expected: bytes) -> None:
    assert set_words(COMMENTED, ("model", "freeze"), words) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"[model]\nfreeze = []\n", b'[model]\nfreeze = ["*", "!a"]\n'),
        (b"[model]\n", b'[model]\nfreeze = ["*", "!a"]\n'),
        (b"[model]\nfreeze = 7 # odd\n", b'[model]\nfreeze = ["*", "!a"] # odd\n'),
        (b"model = { freeze = ['*'] }\n", b"model = { freeze = ['*', \"!a\"] }\n"),
    ],
)
def test_a_list_is_put_where_there_was_none(text: bytes, expected: bytes) -> None:
    assert set_words(text, ("model", "freeze"), ["*", "!a"]) == expected


WORDS = st.lists(st.sampled_from(["*", "!a", "b", "c.0"]), max_size=5)


@given(WORDS, WORDS)
def test_any_list_becomes_any_other(before: list[str], after: list[str]) -> None:
    lines = "".join(f'\n  "{word}",  # {word}' for word in before)
    text = set_words(f"m.f = [{lines}\n]\nx = 1 # y\n".encode(), ("m", "f"), after)
    assert tomllib.loads(text.decode()) == {"m": {"f": after}, "x": 1}

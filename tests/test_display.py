"""What a person reads first of a run: how many samples, and what is learned from them."""

from __future__ import annotations

import pytest

from engine.display import what_is_learned


@pytest.mark.parametrize(
    ("task", "names", "words"),
    [
        ("classification", ["ant", "bee"], " in 2 classes"),
        ("segmentation", ["road", "sky", "car"], " with pixels in 3 classes"),
        ("multilabel", ["red", "big"], " with 2 labels: red, big"),
        ("regression", ["angle", "radius"], " with 2 numbers: angle, radius"),
        ("regression", ["age"], " with 1 number: age"),
        ("multilabel", list("abcdefghi"), " with 9 labels: a, b, c, d, e, f, g, h, …"),
    ],
)
def test_what_is_learned_is_said_in_the_words_of_the_task(task, names, words):
    assert what_is_learned(task, names) == words

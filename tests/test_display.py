"""What a person reads first of a run: how many samples, and what is learned from them."""

from __future__ import annotations

import pytest

from engine.contract.events import RunFinished
from engine.contract.run_directory import RunDirectory
from engine.display import ending, what_is_learned


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


def test_the_best_checkpoint_is_told_with_the_metric_that_it_is_best_of(tmp_path):
    run = RunDirectory(tmp_path)
    event = RunFinished(
        time=0.0,
        step=40,
        epochs=2,
        seconds=3.0,
        best=0.8125,
        monitor="val/miou",
        best_checkpoint="checkpoints/best.pt",
    )
    assert f"best checkpoint  {tmp_path}/checkpoints/best.pt  (val/miou 0.8125)" in ending(
        event, run
    )

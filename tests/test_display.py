"""What a person reads first of a run: how many samples, and what is learned from them."""

from __future__ import annotations

from io import StringIO

import pytest

from engine.contract.events import RunFinished, Validated, encode
from engine.contract.run_directory import RunDirectory, create
from engine.display import Screen, ending, what_is_learned


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


def test_names_are_printed_as_they_are_neither_as_styles_nor_as_emoji(tmp_path):
    run, out = create(tmp_path, "names", "", b""), StringIO()
    validated = Validated(
        time=0.0, step=8, epoch=0, metrics={"val/:on:": 0.5, "val/[red]": 0.25}, seconds=1.0
    )
    run.events.write_bytes(encode(validated))
    Screen(run, out).look()
    assert "val/:on: 0.5" in out.getvalue()
    assert "val/[red] 0.25" in out.getvalue()

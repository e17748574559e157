"""samples.jsonl: written line by line, read back whatever became of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.contract.events import Warned, decode, encode
from engine.contract.run_directory import RunDirectory
from engine.contract.samples import (
    ClassLoss,
    EpochSamples,
    HardSample,
    append_samples,
    read_samples,
)


def epoch(number: int, loss: float = 0.5) -> EpochSamples:
    classes = [ClassLoss("ant", loss, 3.0), ClassLoss("bee", None, 0.0)]
    return EpochSamples(number, 4 * (number + 1), classes, [HardSample("a.png", 2.5)])


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory(tmp_path)


def test_what_is_written_is_read_in_the_order_of_the_epochs(run: RunDirectory) -> None:
    for number in (1, 0, 2):
        append_samples(run, epoch(number))
    assert read_samples(run) == [epoch(0), epoch(1), epoch(2)]


def test_a_line_is_an_object_that_any_program_can_read(run: RunDirectory) -> None:
    append_samples(run, epoch(0))
    assert json.loads(run.samples.read_text()) == {
        "epoch": 0,
        "step": 4,
        "classes": [
            {"name": "ant", "loss": 0.5, "count": 3.0},
            {"name": "bee", "loss": None, "count": 0.0},
        ],
        "hardest": [{"sample": "a.png", "loss": 2.5}],
    }


def test_of_an_epoch_that_was_done_again_the_last_line_counts(run: RunDirectory) -> None:
    for each in (epoch(0), epoch(1, 9.0), epoch(1, 0.25), epoch(2)):
        append_samples(run, each)
    assert read_samples(run) == [epoch(0), epoch(1, 0.25), epoch(2)]


def test_a_run_that_kept_nothing_has_no_epochs(run: RunDirectory) -> None:
    assert read_samples(run) == []


@pytest.mark.parametrize(
    "damage",
    [b"{}\n", b"[]\n", b"\n", b"\xff\xfe\n", b"null\n", b'{"epoch": "0"}\n', b"[" * 5000 + b"\n"],
)
def test_a_damaged_line_is_left_out(run: RunDirectory, damage: bytes) -> None:
    append_samples(run, epoch(0))
    with run.samples.open("ab") as file:
        file.write(damage)
    append_samples(run, epoch(1))
    assert read_samples(run) == [epoch(0), epoch(1)]


@pytest.mark.parametrize("cut", [1, 10, 60])
def test_half_a_line_of_a_killed_engine_spoils_no_other(run: RunDirectory, cut: int) -> None:
    append_samples(run, epoch(0))
    append_samples(run, epoch(1))
    run.samples.write_bytes(run.samples.read_bytes()[:-cut])
    # Without its newline alone, a line is whole.
    assert read_samples(run) == ([epoch(0), epoch(1)] if cut == 1 else [epoch(0)])
    append_samples(run, epoch(1, 0.25))
    append_samples(run, epoch(2))
    assert read_samples(run) == [epoch(0), epoch(1, 0.25), epoch(2)]


def test_a_name_of_any_bytes_is_written(run: RunDirectory) -> None:
    """As os.fsdecode gives the name b"k\\xf6ln.png": no Unicode, which JSON must be."""
    named = EpochSamples(0, 1, [], [HardSample("k\udcf6ln.png", 1.0), HardSample("köln.png", 0.5)])
    append_samples(run, named)
    assert [hard.sample for hard in read_samples(run)[0].hardest] == ["k\\udcf6ln.png", "köln.png"]
    warned = decode(encode(Warned(time=0.0, what="k\udcf6ln.png", where="", remedy="")))
    assert isinstance(warned, Warned)
    assert warned.what == "k\\udcf6ln.png"

"""`ptrain hardest`: what it lists, and what it says where there is nothing to list."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from engine.cli import main
from engine.contract.run_directory import RunDirectory
from engine.contract.samples import ClassLoss, EpochSamples, HardSample, append_samples

LONG = "/data/" + "a long folder/" * 12 + "bee [7].png"


class Ptrain:
    """The command in this process: its exit code, standard output and standard error."""

    def __init__(
        self, runs: Path, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]
    ) -> None:
        self.patch, self.capture = patch, capture
        self.run = RunDirectory(runs / "bees" / "20260101-120000-ab12")
        self.run.path.mkdir(parents=True)
        self.run.experiment.touch()
        patch.setenv("PTRAIN_RUNS", str(runs))

    def hardest(self, *words: str) -> tuple[int, str, str]:
        self.patch.setattr(sys, "argv", ["ptrain", "hardest", "last", *words])
        with pytest.raises(SystemExit) as left:
            main()
        return (int(left.value.code or 0), *self.capture.readouterr())


@pytest.fixture
def ptrain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Ptrain:
    return Ptrain(tmp_path, monkeypatch, capsys)


@pytest.fixture
def kept(ptrain: Ptrain) -> Ptrain:
    """Of three epochs; bees become easier, wasps never occur."""
    for number, (ants, bees) in enumerate([(1.0, 2.0), (1.25, 1.0), (1.5, 0.5)]):
        classes = [ClassLoss("ant", ants, 30.0), ClassLoss("bee", bees, 10.0)]
        classes += [ClassLoss("[b]wasp", None, 0.0)]
        hard = [HardSample(LONG, 4.5), *(HardSample(f"{n}.png", 4.0 - n) for n in range(30))]
        append_samples(ptrain.run, EpochSamples(number, 10 * (number + 1), classes, hard))
    return ptrain


def test_the_last_epoch_is_shown_beside_the_first(kept: Ptrain) -> None:
    code, out, _ = kept.hardest()
    lines = [line.split() for line in out.split("\n")]
    assert code == 0
    assert lines[:5] == [
        ["epoch", "3,", "step", "30:", "the", "loss", "in", "training"],
        ["class", "targets", "mean", "loss", "since", "epoch", "1"],
        ["ant", "30", "1.5000", "+0.5000", "(+50%)"],
        ["bee", "10", "0.5000", "-1.5000", "(-75%)"],
        ["[b]wasp", "0"],
    ]
    assert lines[6] == ["the", "hardest", "samples"]
    assert out.split("\n")[7] == f"   4.5000  {LONG}"
    assert len([line for line in lines[7:] if line]) == 20


def test_the_first_epoch_has_changed_since_none(kept: Ptrain) -> None:
    _, out, _ = kept.hardest("--epoch", "1", "--most", "2")
    assert "since" not in out
    assert [line.split() for line in out.strip().split("\n")[8:]] == [["4.0000", "0.png"]]


def test_nobody_need_see_samples(kept: Ptrain) -> None:
    _, out, _ = kept.hardest("--most", "0")
    assert "hardest" not in out
    assert "bee" in out


def test_programs_get_an_object_for_each_epoch_with_all_that_was_kept(kept: Ptrain) -> None:
    code, out, _ = kept.hardest("--json")
    epochs = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [each["epoch"] for each in epochs] == [0, 1, 2]
    assert [len(each["hardest"]) for each in epochs] == [31, 31, 31]
    assert epochs[1]["classes"][1] == {"name": "bee", "loss": 1.0, "count": 10.0}
    assert epochs[1]["hardest"][0] == {"sample": LONG, "loss": 4.5}


def test_programs_get_the_epoch_they_ask_for(kept: Ptrain) -> None:
    _, out, _ = kept.hardest("--json", "--epoch", "2", "--most", "1")
    one = json.loads(out)
    assert (one["epoch"], one["step"], len(one["hardest"])) == (1, 20, 1)


def test_an_epoch_that_is_not_there_is_told_with_those_that_are(kept: Ptrain) -> None:
    code, out, err = kept.hardest("--epoch", "7")
    assert (code, out) == (2, "")
    assert "--epoch: epoch 7 is not there" in err
    assert "there are: 1, 2, 3" in err


def test_a_run_that_kept_nothing_is_told_how_it_would(ptrain: Ptrain) -> None:
    code, _, err = ptrain.hardest()
    assert code == 2
    assert 'write reduction = "none" under [loss]' in err
    assert "samples.jsonl" in err
    code, out, _ = ptrain.hardest("--json")
    assert code == 2
    assert "reduction" in json.loads(out)["problems"][0]["hint"]

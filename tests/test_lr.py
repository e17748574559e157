"""`ptrain lr`: what it prints, for people and for programs, and what it needs for it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.cli import main
from engine.contract.toml_file import read
from engine.parts.device import build_device
from engine.run import build_located
from tests.training import EXPERIMENT, TOP, write_experiment

BODY_AND_HEAD = """
[model]
backbone = "resnet18"
freeze = ["*"]

[optimizer]
name = "SGD"
lr = 0.1
group = [{ name = "weight", match = ["fc.weight"], lr = 0.5 }]

[train]
epochs = 6
"""
WARM_UP = """
[[scheduler]]
name = "LinearLR"
interval = "step"
start_factor = 0.5
total_iters = 5
end = 5

[[scheduler]]
name = "MultiStepLR"
milestones = [2, 4]
"""
PLATEAU = '\n[[scheduler]]\nname = "ReduceLROnPlateau"\npatience = 0\nfactor = 0.5\n'


class Ptrain:
    """The command in this process: its exit code, standard output and standard error."""

    def __init__(
        self, folder: Path, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]
    ) -> None:
        self.folder, self.patch, self.capture = folder, patch, capture

    def lr(self, text: str, *arguments: str) -> tuple[Any, str, str]:
        (self.folder / "it.toml").write_text(text)
        self.patch.chdir(self.folder)
        self.patch.setattr(sys, "argv", ["ptrain", "lr", "it.toml", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, *self.capture.readouterr()

    def plan(self, text: str, *arguments: str) -> dict[str, Any]:
        code, out, _ = self.lr(text, *arguments, "--json")
        assert code == 0
        plan: dict[str, Any] = json.loads(out)
        return plan


@pytest.fixture
def ptrain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Ptrain:
    return Ptrain(tmp_path, monkeypatch, capsys)


def test_a_point_is_an_optimizer_step_with_the_lr_of_each_group(ptrain: Ptrain) -> None:
    plan = ptrain.plan(BODY_AND_HEAD + WARM_UP, "--steps-per-epoch", "4")
    # What is frozen is in no group: "default" is the head's bias.
    assert plan["groups"] == ["default", "weight"]
    assert (plan["steps_per_epoch"], plan["epochs"], len(plan["points"])) == (4, 6, 24)
    assert plan["points"][0] == {"step": 0, "epoch": 0, "lr": [0.05, 0.25]}
    assert plan["points"][23]["epoch"] == 5
    assert plan["points"][23]["lr"] == pytest.approx([0.001, 0.005])


def test_it_marks_where_each_member_acts(ptrain: Ptrain) -> None:
    plan = ptrain.plan(BODY_AND_HEAD + WARM_UP, "--steps-per-epoch", "4")
    linear, multi = plan["members"]
    # From the start to a factor of 1 at step 5: six changes; then at the 3rd and 5th epoch's start.
    assert linear == {
        "key": "scheduler.0", "name": "LinearLR", "interval": "step",
        "first": 0, "last": 5, "changes": 6,
    }  # fmt: skip
    assert multi == {
        "key": "scheduler.1", "name": "MultiStepLR", "interval": "epoch",
        "first": 8, "last": 16, "changes": 2,
    }  # fmt: skip


def test_without_a_scheduler_the_lr_stays(ptrain: Ptrain) -> None:
    plan = ptrain.plan(BODY_AND_HEAD, "--steps-per-epoch", "2")
    assert plan["members"] == []
    assert {tuple(point["lr"]) for point in plan["points"]} == {(0.1, 0.5)}


def test_steps_are_counted_from_the_data_as_the_training_counts_them(
    ptrain: Ptrain, tmp_path: Path
) -> None:
    """26 images: 7 batches of at most 4, so 4 steps of 2; without the short one 6, so 3."""
    write_experiment(tmp_path)
    plan = ptrain.plan(EXPERIMENT)
    parts = build_located(read(tmp_path / "it.toml"))
    parts.data.close()
    assert (plan["steps_per_epoch"], plan["epochs"]) == (parts.steps_per_epoch, 2) == (4, 2)
    assert plan["groups"] == [group["name"] for group in parts.optimizer.param_groups]
    assert plan["points"][0]["lr"] == parts.schedule.lrs
    assert ptrain.plan(EXPERIMENT, "--set", "data.drop_last=true")["steps_per_epoch"] == 3


def test_no_image_is_read_and_no_device_is_asked_for(ptrain: Ptrain, tmp_path: Path) -> None:
    write_experiment(tmp_path)
    for image in (tmp_path / "images").rglob("*.png"):
        image.write_bytes(b"not an image")
    text = EXPERIMENT.replace('device = "cpu"', 'device = "cuda:99"')
    with pytest.raises(Exception, match="cuda:99"):
        build_device(read(tmp_path / "small.toml", ["train.device=cuda:99"]).experiment.train)
    assert ptrain.plan(text)["steps_per_epoch"] == 4


def test_data_that_is_not_there_is_told_with_its_line(ptrain: Ptrain) -> None:
    text = '[data]\ndataset = "ImageFolder"\nroot = "nowhere"\n' + BODY_AND_HEAD
    code, out, err = ptrain.lr(text)
    assert (code, out) == (2, "")
    assert "it.toml:3: data.root: " in err
    assert ptrain.lr(text, "--steps-per-epoch", "3")[0] == 0


def test_a_batch_larger_than_the_data_is_told(ptrain: Ptrain) -> None:
    text = "[data]\nbatch_size = 5000\ndrop_last = true\n" + BODY_AND_HEAD
    code, _, err = ptrain.lr(text)
    assert code == 2
    assert "it.toml:2: data.batch_size: a batch of 5000 is more than the 1438 samples" in err


def test_a_group_that_matches_nothing_is_told_with_its_line(ptrain: Ptrain) -> None:
    code, _, err = ptrain.lr(BODY_AND_HEAD.replace("fc.weight", "fd"), "--steps-per-epoch", "3")
    assert code == 2
    assert 'it.toml:9: optimizer.group.0.match.0: "fd" matches nothing in the model' in err


def test_a_factor_that_fails_at_a_later_epoch_is_told_with_its_line(ptrain: Ptrain) -> None:
    text = BODY_AND_HEAD + '[[scheduler]]\nname = "LambdaLR"\nlr_lambda = "1 / (4 - epoch)"\n'
    code, out, err = ptrain.lr(text, "--steps-per-epoch", "3")
    assert (code, out) == (2, "")
    assert "it.toml:15: scheduler.0.lr_lambda: " in err
    assert "fails at 4: division by zero" in err


# -- the metric of a plateau


def firsts(plan: dict[str, Any]) -> list[float]:
    """The first group's lr in each epoch."""
    per_epoch = plan["steps_per_epoch"]
    return [point["lr"][0] for point in plan["points"][::per_epoch]]


def test_a_plateau_sees_the_metric_that_is_given(ptrain: Ptrain) -> None:
    series = "1.0, 0.9, 0.95, 0.95, 0.8, 0.7"
    arguments = ["--steps-per-epoch", "2", "--metric", series]
    code, out, err = ptrain.lr(BODY_AND_HEAD + PLATEAU, *arguments, "--json")
    assert (code, err) == (0, "")
    plan = json.loads(out)
    assert firsts(plan) == [0.1, 0.1, 0.1, 0.05, 0.025, 0.025]
    assert (plan["members"][0]["first"], plan["members"][0]["last"]) == (6, 8)


def test_without_a_metric_a_plateau_is_not_acting_and_that_is_said(ptrain: Ptrain) -> None:
    code, out, err = ptrain.lr(BODY_AND_HEAD + PLATEAU, "--steps-per-epoch", "2", "--json")
    assert code == 0
    assert set(firsts(json.loads(out))) == {0.1}
    assert "warning: it.toml:14: scheduler.0: val/loss is not known before the run" in err
    assert "--metric" in err


@pytest.mark.parametrize(
    ("series", "lrs", "said"),
    [
        ("1,1", [0.1, 0.1, 0.05, 0.05, 0.05, 0.05], "2 values for 6 epochs: the other epochs"),
        ("1,,nan,1,1,1", [0.1, 0.1, 0.1, 0.1, 0.05, 0.025], ""),
        ("1,1,1,1,1,1,1", [0.1, 0.1, 0.05, 0.025, 0.0125, 0.00625], "7 values for 6 epochs"),
    ],
)
def test_an_epoch_without_a_value_does_not_count(
    ptrain: Ptrain, series: str, lrs: list[float], said: str
) -> None:
    arguments = ["--steps-per-epoch", "2", "--metric", series, "--json"]
    code, out, err = ptrain.lr(BODY_AND_HEAD + PLATEAU, *arguments)
    assert code == 0
    assert firsts(json.loads(out)) == lrs
    assert f"warning: --metric: {said}" in err if said else err == ""


def test_a_metric_that_is_no_number_is_told_before_anything_is_read(ptrain: Ptrain) -> None:
    code, out, err = ptrain.lr("this is no TOML", "--metric", "1.0,b")
    assert (code, out) == (2, "")
    assert '--metric: value 2, "b", is no number' in err


def test_a_metric_that_nobody_looks_at_is_said(ptrain: Ptrain) -> None:
    _, _, err = ptrain.lr(BODY_AND_HEAD, "--steps-per-epoch", "2", "--metric", "1", "--json")
    assert "no scheduler looks at a metric" in err


def test_a_chain_that_surprises_is_told_beside_its_picture(ptrain: Ptrain) -> None:
    text = BODY_AND_HEAD + '[[scheduler]]\nname = "StepLR"\nstep_size = 30\n'
    code, out, err = ptrain.lr(text, "--steps-per-epoch", "10")
    assert code == 0
    assert "warning: it.toml:15: scheduler.0.step_size: never acts" in err
    assert "scheduler.0 (nothing)" in out


# -- the picture


def test_the_picture_fits_80_columns_and_has_no_escape_codes_in_a_pipe(ptrain: Ptrain) -> None:
    ptrain.patch.setenv("COLUMNS", "80")
    code, out, _ = ptrain.lr(BODY_AND_HEAD + WARM_UP, "--steps-per-epoch", "4")
    assert code == 0
    assert "\x1b" not in out
    assert max(len(line) for line in out.splitlines()) < 80
    assert "6 epochs of 4 steps, 24 in all" in out
    assert re.search(r"scheduler.0 ▀+\n", out)
    assert re.search(r"scheduler.1 +▀ +▀\n", out)
    assert re.search(r"default +0.05 +0.001 +0.001 +0.1", out)


def test_in_a_terminal_without_braille_the_picture_is_ascii(tmp_path: Path) -> None:
    (tmp_path / "it.toml").write_text(BODY_AND_HEAD + WARM_UP)
    command = [sys.executable, "-m", "engine.cli", "lr", str(tmp_path / "it.toml")]
    done = subprocess.run(
        [*command, "--steps-per-epoch", "4"],
        env={"PYTHONIOENCODING": "ascii", "PYTHONPATH": str(TOP)},
        capture_output=True,
        check=True,
    )
    out = done.stdout.decode("ascii")
    assert "********" in out
    assert "oooooooo" in out
    assert "scheduler.0 =" in out


def test_metrics_libraries_are_not_imported_for_a_plan() -> None:
    look = (
        "import sys; import engine.lr, engine.chain_surprises, engine.parts.backbones, "
        "engine.parts.datasets, engine.parts.optimizers; print('torchmetrics' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", look], capture_output=True, text=True, check=True, cwd=TOP
    )
    assert done.stdout.strip() == "False"


def test_a_few_points_draw_the_curve_of_many(ptrain: Ptrain) -> None:
    per_epoch = ("--steps-per-epoch", "500")
    whole = ptrain.plan(BODY_AND_HEAD + WARM_UP, *per_epoch)
    few = ptrain.plan(BODY_AND_HEAD + WARM_UP, *per_epoch, "--most-points", "100")
    assert len(whole["points"]) == 3000
    # Five steps of warming up, and the ends of what is constant: step 1000 and 2000 are milestones.
    steps = [point["step"] for point in few["points"]]
    assert steps == [0, 1, 2, 3, 4, 5, 999, 1000, 1999, 2000, 2999]
    assert all(point == whole["points"][point["step"]] for point in few["points"])
    assert {key: few[key] for key in few if key != "points"} == {
        key: whole[key] for key in whole if key != "points"
    }

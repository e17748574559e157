"""What README, the guide and the examples say is true."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path

import pytest
import torch

from engine.cli import app, main
from engine.contract.control import Request, decode
from engine.contract.problems import InputError
from engine.contract.tasks import DEFAULT_LOSS
from engine.contract.toml_file import read
from engine.parts.loss_build import Targets, build_criterion
from tests.training import TOP

README = (TOP / "README.md").read_text()
GUIDE = (TOP / "docs" / "guide.md").read_text()
SHORT = '[data]\n[model]\nbackbone = "resnet18"\n[train]\nepochs = 1\n'


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


@pytest.mark.parametrize("path", sorted((TOP / "experiments").glob("*.toml")), ids=str)
def test_every_example_is_a_valid_experiment(path: Path) -> None:
    assert read(path).experiment.train.epochs > 0


def test_readmes_experiment_is_valid(tmp_path: Path) -> None:
    (text,) = blocks("toml")
    (tmp_path / "ants.toml").write_text(text)
    experiment = read(tmp_path / "ants.toml").experiment
    assert experiment.model.freeze == ["*", "!layer4"]
    assert [section.name for section in experiment.scheduler] == ["LinearLR", "MultiStepLR"]


def test_readmes_mistakes_are_told_in_those_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (text,) = blocks("toml")
    text = text.replace("momentum", "momentm").replace("total_iters", "total_iter")
    (tmp_path / "ants.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["ptrain", "check", "ants.toml"])
    with pytest.raises(SystemExit):
        main()
    (shown,) = blocks("console")
    assert capsys.readouterr().err == shown.partition("\n")[2]


def test_the_shortest_file_that_readme_promises_is_enough(tmp_path: Path) -> None:
    (tmp_path / "short.toml").write_text(SHORT)
    assert read(tmp_path / "short.toml").experiment.name == "short"
    for section in ("[model]\nbackbone", "[train]\nepochs"):
        (tmp_path / "shorter.toml").write_text(SHORT.replace(section, "# "))
        with pytest.raises((InputError, tomllib.TOMLDecodeError)):
            read(tmp_path / "shorter.toml")


def test_readme_names_every_command_and_no_other() -> None:
    named = set(re.findall(r"`ptrain ([a-z]+)", README))
    there = {command.name or command.callback.__name__ for command in app.registered_commands}
    there |= {group.name for group in app.registered_groups}
    assert named <= there
    assert there - named <= {"version"}


def test_the_request_in_the_guide_is_one() -> None:
    (line,) = blocks("json", GUIDE)
    request = decode(line.strip().encode())
    assert isinstance(request, Request)
    assert (request.request, request.epochs) == ("epochs", 50)
    assert json.loads(line)["epochs"] == 50


def test_the_guides_losses_and_metrics_are_read_and_measured(tmp_path: Path) -> None:
    """Its [[loss]] blocks with its own code beside them, on four samples of three classes."""
    (text,) = (block for block in blocks("toml", GUIDE) if "[[loss]]" in block)
    (metrics,) = (block for block in blocks("toml", GUIDE) if "val/f2" in block)
    (code,) = (block for block in blocks("python", GUIDE) if "class TopMargin" in block)
    (tmp_path / "losses.py").write_text(code)
    (tmp_path / "it.toml").write_text(f"{SHORT}\n{text}\n{metrics}")
    file = read(tmp_path / "it.toml")
    assert file.experiment.checkpoint.monitor == "val/f2"
    output = torch.tensor([[3.0, 1.0, 0.0], [0.0, 1.0, 5.0], [2.0, 2.0, 2.0], [9.0, 0.0, 0.0]])
    target = torch.tensor([0, 1, 2, 0])
    targets = Targets("classification", ["a", "b", "c"], target, lambda: (target, target))
    criterion = build_criterion(
        file.experiment.loss, file.experiment.term_titles, targets, 3, file.folder
    )
    counts = criterion.counts(target)
    terms = criterion(output, [], target, counts).terms.tolist()
    smooth = torch.nn.functional.cross_entropy(output, target, label_smoothing=0.1)
    # The right class is 2, -4, 0 and 9 above the best other one; 2 are wanted.
    assert terms == pytest.approx([float(smooth), (0 + 6 + 2 + 0) / 4])

    own = tmp_path / "focal.toml"
    own.write_text(f'{SHORT}[loss]\ntarget = "losses.py:focal"\nargs = {{ gamma = 0.0 }}\n')
    section = read(own).experiment.loss
    focal = build_criterion(section, ["focal"], targets, 3, tmp_path)
    plain = torch.nn.functional.cross_entropy(output, target)
    assert float(focal(output, [], target, (4.0,)).value) == pytest.approx(float(plain))


def test_the_tasks_in_the_guide_have_the_loss_and_the_example_that_it_says() -> None:
    rows = re.findall(r"^\| `(\w+)` \| .*? \| (\w+) \| .*? \| `(\w+\.toml)` \|$", GUIDE, re.M)
    assert {task: loss for task, loss, _ in rows} == DEFAULT_LOSS
    for task, _, example in rows:
        assert read(TOP / "experiments" / example).experiment.task == task


def test_the_guides_experiment_of_a_task_is_valid(tmp_path: Path) -> None:
    (text,) = (block for block in blocks("toml", GUIDE) if "pictures.csv" in block)
    rest = '[model]\nbackbone = "resnet18"\n[train]\nepochs = 1\n'
    (tmp_path / "labels.toml").write_text(text + rest)
    experiment = read(tmp_path / "labels.toml").experiment
    assert (experiment.task, experiment.checkpoint.better) == ("multilabel", "max")


def test_every_benchmark_that_readme_names_is_there() -> None:
    for name in re.findall(r"benchmarks/\w+\.py", README):
        assert (TOP / name).is_file()

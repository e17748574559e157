"""Resuming with a changed experiment: what changed is named, what would be wrong is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.changes import accepted
from engine.contract.problems import InputError
from engine.contract.toml_file import read

TEXT = """\
[data]
dataset = "digits"
batch_size = 32

[model]
backbone = "resnet18"

[[scheduler]]
name = "StepLR"
step_size = 2

[train]
epochs = 5
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "small.toml").write_text(TEXT)
    return tmp_path / "small.toml"


def saved(path: Path) -> dict[str, object]:
    return read(path).experiment.model_dump(exclude_none=True)


def test_an_unchanged_experiment_has_no_changes(path: Path) -> None:
    assert accepted(saved(path), read(path)) == []


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("train.epochs=9", "train.epochs: 5 → 9"),
        ("train.device=cpu", "train.device: 'auto' → 'cpu'"),
        ("data.workers=3", "data.workers: 'auto' → 3"),
        ("checkpoint.keep=1", "checkpoint.keep: 3 → 1"),
        ("checkpoint.every_steps=10", "checkpoint.every_steps: None → 10"),
    ],
)
def test_what_leaves_the_numbers_right_is_accepted_and_named(
    path: Path, override: str, told: str
) -> None:
    assert accepted(saved(path), read(path, [override])) == [told]


@pytest.mark.parametrize(
    ("override", "key", "line"),
    [
        ("model.backbone=resnet34", "model.backbone", 6),
        ("data.batch_size=16", "data.batch_size", 3),
        ("scheduler.0.step_size=3", "scheduler.0.step_size", 10),
        ("seed=1", "seed", 1),
        ("optimizer.lr=0.5", "optimizer", 1),
        ("train.accumulate=2", "train.accumulate", 12),
    ],
)
def test_what_would_make_them_wrong_is_refused_with_its_key_and_line(
    path: Path, override: str, key: str, line: int
) -> None:
    before = saved(path)
    with pytest.raises(InputError) as caught:
        accepted(before, read(path, [override]))
    assert any(problem.key.startswith(key) for problem in caught.value.problems)
    assert all("was " in problem.message for problem in caught.value.problems)


def test_a_longer_chain_is_refused(path: Path) -> None:
    before = saved(path)
    path.write_text(TEXT + '[[scheduler]]\nname = "ExponentialLR"\ngamma = 0.9\n')
    with pytest.raises(InputError, match="scheduler"):
        accepted(before, read(path))

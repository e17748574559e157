"""A chain that does what nobody meant is told before the training, and an ordinary one is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.chain_surprises import LONGEST, chain_problems
from engine.contract.experiment import Experiment
from engine.contract.problems import Problem
from engine.parts.planned_lr import plan_lr
from engine.parts.rates import GroupRates

ONE = (GroupRates("default", 0.1, momentum=0.9),)
TWO = (GroupRates("default", 0.001, momentum=0.9), GroupRates("head", 0.01, momentum=0.9))


def told(
    *sections: dict[str, Any],
    epochs: int = 25,
    steps: int = 40,
    groups: tuple[GroupRates, ...] = ONE,
    **train: Any,
) -> list[Problem]:
    """Of an experiment of `epochs` of `steps` optimizer steps each."""
    experiment = experiment_of(*sections, epochs=epochs, **train)
    return chain_problems(experiment, groups, steps, Path())


def experiment_of(*sections: dict[str, Any], epochs: int = 25, **train: Any) -> Experiment:
    return Experiment.model_validate(
        {
            "name": "x",
            "model": {"backbone": "resnet18"},
            "scheduler": list(sections),
            "train": {"epochs": epochs} | train,
        }
    )


def the_one(*sections: dict[str, Any], **more: Any) -> Problem:
    (problem,) = told(*sections, **more)
    assert problem.severity == "warning"
    assert problem.hint
    return problem


ORDINARY: dict[str, list[dict[str, Any]]] = {
    "none": [],
    "the tutorial's": [{"name": "StepLR", "step_size": 7}],
    "milestones, the last at the end": [{"name": "MultiStepLR", "milestones": [15, 20, 25]}],
    "a warm-up by epochs, then milestones": [
        {"name": "LinearLR", "start_factor": 0.1, "total_iters": 5, "end": 5},
        {"name": "MultiStepLR", "milestones": [15, 20]},
    ],
    "a warm-up by steps, then a cosine by epochs": [
        {"name": "LinearLR", "interval": "step", "total_iters": 60, "end": 60},
        {"name": "CosineAnnealingLR", "T_max": 25},
    ],
    "a warm-up by steps, then a cosine by steps": [
        {"name": "LinearLR", "interval": "step", "total_iters": 60, "end": 60},
        {"name": "CosineAnnealingLR", "interval": "step", "begin": 60, "T_max": 940},
    ],
    "a cosine that ends with the last step": [
        {"name": "CosineAnnealingLR", "interval": "step", "T_max": 999},
    ],
    "a cosine that stays down": [{"name": "CosineAnnealingLR", "T_max": 20, "end": 20,
                                  "eta_min": 1e-5}],
    "restarts": [{"name": "CosineAnnealingWarmRestarts", "T_0": 5, "T_mult": 2}],
    "a polynomial over the run": [{"name": "PolynomialLR", "total_iters": 25, "power": 0.9}],
    "one cycle": [{"name": "OneCycleLR"}],
    "one cycle with its own top": [{"name": "OneCycleLR", "max_lr": 0.3}],
    "a cycle": [{"name": "CyclicLR", "base_lr": 0.01, "max_lr": 0.1, "step_size_up": 100}],
    "an exponential": [{"name": "ExponentialLR", "gamma": 0.9}],
    "a factor": [{"name": "LambdaLR", "lr_lambda": "0.95 ** epoch"}],
    "a plateau": [{"name": "ReduceLROnPlateau"}],
    "a plateau after a warm-up": [
        {"name": "LinearLR", "total_iters": 3, "end": 3},
        {"name": "ReduceLROnPlateau", "patience": 4, "begin": 3},
    ],
}  # fmt: skip


@pytest.mark.parametrize("which", ORDINARY)
def test_an_ordinary_chain_is_no_surprise(which: str) -> None:
    assert told(*ORDINARY[which]) == []


def test_lists_with_a_value_a_group_are_no_surprise() -> None:
    assert told({"name": "OneCycleLR", "max_lr": [0.01, 0.1]}, groups=TWO) == []
    assert told({"name": "OneCycleLR"}, groups=TWO) == []
    cycle = {"name": "CyclicLR", "base_lr": [0.001, 0.01], "max_lr": [0.01, 0.1]}
    assert told(cycle | {"step_size_up": 100}, groups=TWO) == []


# -- a member that never acts


@pytest.mark.parametrize(
    ("section", "key", "message"),
    [
        (
            {"name": "ExponentialLR", "gamma": 0.9, "begin": 25},
            "begin",
            "never acts: it begins at epoch 25, and the run has 25 epochs",
        ),
        (
            {"name": "ExponentialLR", "gamma": 0.9, "interval": "step", "begin": 1000},
            "begin",
            "never acts: it begins at step 1000, and the run has 1000 steps",
        ),
        (
            {"name": "StepLR", "step_size": 25},
            "step_size",
            "never acts: its first decay is after 25 epochs, and it has 24 of them",
        ),
        (
            {"name": "StepLR", "step_size": 10, "begin": 2, "end": 11},
            "step_size",
            "never acts: its first decay is after 10 epochs, and it has 9 of them",
        ),
        (
            {"name": "MultiStepLR", "milestones": [30, 60]},
            "milestones",
            "never acts: its first milestone is 30, and the run has 25 epochs",
        ),
        (
            {"name": "ReduceLROnPlateau", "patience": 23},
            "patience",
            "never acts: a patience of 23 takes 25 epochs, and 24 are measured before the last "
            "begins",
        ),
        (
            {"name": "MultiStepLR", "milestones": []},
            "",
            "never changes a learning rate in the 25 epochs of the run",
        ),
        (
            {"name": "LambdaLR", "lr_lambda": "1"},
            "",
            "never changes a learning rate in the 25 epochs of the run",
        ),
    ],
)
def test_a_member_that_never_acts_is_told(section: dict[str, Any], key: str, message: str) -> None:
    problem = the_one(section)
    assert problem.key == (f"scheduler.0.{key}" if key else "scheduler.0")
    assert problem.message == message


def test_the_last_patience_that_can_act_is_no_surprise() -> None:
    """One epoch to compare with, 22 that are let pass, one more: the 25th is trained with less."""
    section = {"name": "ReduceLROnPlateau", "patience": 22}
    assert told(section) == []
    plan = plan_lr(experiment_of(section), ONE, 2, Path(), [1.0] * 25)
    assert plan.lrs == [[0.1]] * 48 + [[0.1 * 0.1]] * 2


def test_a_plateau_counts_only_epochs_that_are_validated() -> None:
    assert "12 are measured" in the_one({"name": "ReduceLROnPlateau", "patience": 11},
                                        validate_every=2).message  # fmt: skip
    assert told({"name": "ReduceLROnPlateau", "patience": 10}, validate_every=2) == []
    on_training = {"name": "ReduceLROnPlateau", "patience": 11, "monitor": "train/loss"}
    assert told(on_training, validate_every=2) == []


def test_a_member_by_epochs_in_a_run_of_one_epoch_is_pointed_to_steps() -> None:
    problem = the_one({"name": "ExponentialLR", "gamma": 0.9}, epochs=1)
    assert problem.message == "never changes a learning rate in the 1 epoch of the run"
    assert 'interval = "step"' in problem.hint


# -- units


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ({"name": "CosineAnnealingLR", "T_max": 1000}, "T_max"),
        ({"name": "CosineAnnealingWarmRestarts", "T_0": 500}, "T_0"),
        ({"name": "LinearLR", "total_iters": 100}, "total_iters"),
        ({"name": "StepLR", "step_size": 300}, "step_size"),
        ({"name": "MultiStepLR", "milestones": [400, 800]}, "milestones"),
        ({"name": "MultiStepLR", "milestones": [10, 800]}, "milestones"),
        (
            {"name": "CyclicLR", "base_lr": 0.01, "max_lr": 0.1, "step_size_up": 200,
             "interval": "epoch"},
            "step_size_up",
        ),
    ],
)  # fmt: skip
def test_steps_where_epochs_are_counted_are_told_with_the_interval(
    section: dict[str, Any], key: str
) -> None:
    problem = the_one(section)
    assert problem.key == f"scheduler.0.{key}"
    assert 'interval = "step"' in problem.hint


def test_a_horizon_far_beyond_any_unit_is_told_with_the_runs_own_length() -> None:
    problem = the_one({"name": "CosineAnnealingLR", "T_max": 100_000})
    assert problem.message == "is 100000 epochs, and the run has 25 epochs: it ends on the way"
    assert "T_max = 25" in problem.hint


# -- an lr that goes where nobody meant


def test_a_cosine_that_climbs_again_is_told_with_the_length_that_fits() -> None:
    problem = the_one({"name": "CosineAnnealingLR", "T_max": 15, "begin": 5, "eta_min": 1e-4})
    assert problem.key == "scheduler.0.T_max"
    assert problem.message == "goes down until epoch 20 and climbs again in the 4 epochs after that"
    assert "T_max = 20 for the whole run, end = 20 to stay down" in problem.hint


def test_a_cosine_in_epochs_by_step_climbs() -> None:
    found = told({"name": "CosineAnnealingLR", "interval": "step", "T_max": 25})
    assert any("climbs again in the 974 steps" in problem.message for problem in found)


def test_a_learning_rate_of_0_in_the_middle_is_told_with_its_member() -> None:
    problem = the_one(
        {"name": "LinearLR", "start_factor": 0.5, "total_iters": 2},
        {"name": "PolynomialLR", "total_iters": 20},
        groups=TWO,
    )
    assert problem.key == "scheduler.1"
    assert problem.message == (
        "the learning rate of every group is 0 from step 800 (epoch 20) on, for 200 steps of 1000: "
        "nothing is learned in them"
    )


def test_one_group_at_0_is_no_surprise() -> None:
    head_only = {"name": "LambdaLR", "lr_lambda": ["min(1, epoch // 5)", "0.9 ** epoch"]}
    assert told(head_only, groups=TWO) == []


def test_the_first_epoch_at_0_is_told() -> None:
    problem = the_one({"name": "LambdaLR", "lr_lambda": "min(1, epoch / 5)"})
    assert "is 0 from step 0 (epoch 0) on, for 40 steps of 1000" in problem.message


# -- one number for groups that differ


@pytest.mark.parametrize(
    ("section", "keys"),
    [
        ({"name": "OneCycleLR", "max_lr": 0.1}, ["max_lr"]),
        ({"name": "CyclicLR", "base_lr": 0.01, "max_lr": [0.1, 0.2]}, ["base_lr"]),
        ({"name": "CyclicLR", "base_lr": 0.01, "max_lr": 0.1}, ["base_lr", "max_lr"]),
    ],
)
def test_one_number_for_groups_with_different_lrs_is_told(
    section: dict[str, Any], keys: list[str]
) -> None:
    more = {"step_size_up": 100} if section["name"] == "CyclicLR" else {}
    found = told(section | more, groups=TWO)
    assert [problem.key for problem in found] == [f"scheduler.0.{key}" for key in keys]
    for problem in found:
        assert "whose own lr differ (default 0.001, head 0.01)" in problem.message


def test_the_values_it_proposes_keep_the_groups_proportion() -> None:
    problem = the_one({"name": "OneCycleLR", "max_lr": 0.1}, groups=TWO)
    assert problem.hint == (
        "write one a group: max_lr = [0.01, 0.1], or leave it out for each group's own lr"
    )


# -- what fails in the run, and what is too long to try


def test_a_factor_that_fails_in_the_middle_is_an_error() -> None:
    (problem,) = told({"name": "LambdaLR", "lr_lambda": "1 / (12 - epoch)"})
    assert (problem.key, problem.severity) == ("scheduler.0.lr_lambda", "error")
    assert "fails at 12: division by zero" in problem.message


def test_a_cycle_that_grows_beyond_every_number_is_an_error() -> None:
    cycle = {"name": "CyclicLR", "base_lr": 0.01, "max_lr": 0.1, "step_size_up": 50}
    (problem,) = told(cycle | {"mode": "exp_range", "gamma": 3.0})
    assert (problem.key, problem.severity) == ("scheduler.0.gamma", "error")
    assert "is more than a number can hold" in problem.message


def test_of_a_long_run_the_epochs_alone_are_tried() -> None:
    steps = LONGEST
    assert told({"name": "CosineAnnealingLR", "T_max": 25}, steps=steps) == []
    problem = the_one({"name": "PolynomialLR", "total_iters": 20}, steps=steps)
    assert "from step 4000000 (epoch 20) on, for 1000000 steps of 5000000" in problem.message


def test_of_a_long_run_by_steps_the_sections_alone_are_looked_at() -> None:
    section = {"name": "ExponentialLR", "gamma": 0.9, "interval": "step"}
    assert told(section, steps=LONGEST) == []
    late = the_one(section | {"begin": 25 * LONGEST}, steps=LONGEST)
    assert late.key == "scheduler.0.begin"

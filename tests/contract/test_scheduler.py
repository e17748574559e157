"""[[scheduler]] as it is read: bounds, refusals, and where a problem is reported."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from engine.contract.scheduler import SCHEDULERS, Custom, MultiStepLR, Scheduler, StepLR

CHAIN: TypeAdapter[list[Scheduler]] = TypeAdapter(list[Scheduler])


def problems(**section: Any) -> dict[str, str]:
    """Message by key, without the parts of the location that are no keys of the file."""
    with pytest.raises(ValidationError) as caught:
        CHAIN.validate_python([section])
    tags = {*SCHEDULERS, "Custom", "one", "each"}
    return {
        ".".join(str(part) for part in error["loc"][1:] if part not in tags): error["msg"]
        for error in caught.value.errors()
    }


def read(**section: Any) -> Any:
    return CHAIN.validate_python([section])[0]


def test_a_name_picks_the_class_and_torchs_defaults() -> None:
    section = read(name="StepLR", step_size=30)
    assert isinstance(section, StepLR)
    assert (section.gamma, section.interval, section.begin, section.end) == (0.1, "epoch", 0, None)


def test_a_target_is_ones_own_function_and_needs_no_name() -> None:
    assert isinstance(read(target="schedules.py:adjust_learning_rate"), Custom)
    assert isinstance(read(target="package.module:f", interval="step"), Custom)
    assert list(problems(target="a.py:f", name="StepLR")) == ["name"]


@pytest.mark.parametrize("target", ["schedules.py", ":f", "schedules.py:", "a.py:not a name"])
def test_a_target_that_names_no_function_is_refused(target: str) -> None:
    assert "package.module:name" in problems(target=target)["target"]


@pytest.mark.parametrize("name", sorted(SCHEDULERS))
def test_only_the_cycles_that_torch_steps_each_batch_do_so_by_default(name: str) -> None:
    field = SCHEDULERS[name].model_fields.get("interval")
    default = field.default if field is not None else None
    steps = {"CyclicLR": "step", "OneCycleLR": "step", "ReduceLROnPlateau": None}
    assert default == steps.get(name, "epoch")


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ({"name": "StepLR", "step_size": 0}, "step_size"),
        ({"name": "StepLR", "step_size": 2.0}, "step_size"),
        ({"name": "StepLR", "step_size": "2"}, "step_size"),
        ({"name": "StepLR", "step_size": 2, "gamma": 0}, "gamma"),
        ({"name": "ExponentialLR", "gamma": -0.9}, "gamma"),
        ({"name": "ExponentialLR", "gamma": float("nan")}, "gamma"),
        ({"name": "MultiStepLR", "milestones": [20, 15]}, "milestones"),
        ({"name": "MultiStepLR", "milestones": [-1]}, "milestones.0"),
        ({"name": "ConstantLR", "factor": 0}, "factor"),
        ({"name": "ConstantLR", "factor": 1.5}, "factor"),
        ({"name": "ConstantLR", "total_iters": 0}, "total_iters"),
        ({"name": "LinearLR", "start_factor": 0}, "start_factor"),
        ({"name": "LinearLR", "start_factor": 1.1}, "start_factor"),
        ({"name": "LinearLR", "end_factor": 1.1}, "end_factor"),
        ({"name": "LinearLR", "total_iters": 0}, "total_iters"),
        ({"name": "PolynomialLR", "total_iters": 0}, "total_iters"),
        ({"name": "PolynomialLR", "power": -1}, "power"),
        ({"name": "CosineAnnealingLR", "T_max": 0}, "T_max"),
        ({"name": "CosineAnnealingLR", "T_max": 5, "eta_min": -1}, "eta_min"),
        ({"name": "CosineAnnealingWarmRestarts", "T_0": 0}, "T_0"),
        ({"name": "CosineAnnealingWarmRestarts", "T_0": 5, "T_mult": 0}, "T_mult"),
        ({"name": "CyclicLR", "base_lr": 0.1, "max_lr": [0.1, -1]}, "max_lr.1"),
        ({"name": "CyclicLR", "base_lr": 0.1, "max_lr": 1, "step_size_up": 0}, "step_size_up"),
        ({"name": "CyclicLR", "base_lr": 0.1, "max_lr": 1, "max_momentum": 1}, "max_momentum"),
        ({"name": "CyclicLR", "base_lr": 0.1, "max_lr": 1, "mode": "cos"}, "mode"),
        ({"name": "OneCycleLR", "pct_start": 1.2}, "pct_start"),
        ({"name": "OneCycleLR", "div_factor": 0}, "div_factor"),
        ({"name": "OneCycleLR", "anneal_strategy": "cosine"}, "anneal_strategy"),
        ({"name": "ReduceLROnPlateau", "factor": 1}, "factor"),
        ({"name": "ReduceLROnPlateau", "factor": 0}, "factor"),
        ({"name": "ReduceLROnPlateau", "patience": -1}, "patience"),
        ({"name": "ReduceLROnPlateau", "mode": "low"}, "mode"),
        ({"name": "ReduceLROnPlateau", "min_lr": [-1, 0]}, "min_lr.0"),
        ({"name": "LambdaLR", "lr_lambda": "0.95 ** epohc"}, "lr_lambda"),
        ({"name": "LambdaLR", "lr_lambda": ["1", "1 / epoch"]}, "lr_lambda.1"),
        ({"name": "MultiplicativeLR", "lr_lambda": "1 - epoch"}, "lr_lambda"),
        ({"name": "StepLR", "step_size": 2, "begin": -1}, "begin"),
        ({"name": "StepLR", "step_size": 2, "begin": 5, "end": 5}, "end"),
        ({"name": "StepLR"}, "step_size"),
        ({"name": "StepLR", "step_size": 2, "gama": 0.1}, "gama"),
        ({"name": "StepLR", "step_size": 2, "interval": "batch"}, "interval"),
    ],
)
def test_what_torch_would_not_notice_in_time_is_refused_at_its_key(
    section: dict[str, Any], key: str
) -> None:
    assert list(problems(**section)) == [key]


def test_milestones_may_stand_twice_as_in_torch() -> None:
    assert isinstance(read(name="MultiStepLR", milestones=[5, 5, 8]), MultiStepLR)


def test_a_multiplicative_factor_is_first_asked_at_count_1_as_in_torch() -> None:
    assert read(name="MultiplicativeLR", lr_lambda="1 / epoch").lr_lambda == "1 / epoch"


@pytest.mark.parametrize(
    ("section", "key", "said"),
    [
        ({"name": "OneCycleLR", "total_steps": 5}, "total_steps", "computed, never typed"),
        ({"name": "OneCycleLR", "epochs": 5}, "epochs", "computed, never typed"),
        ({"name": "OneCycleLR", "steps_per_epoch": 5}, "steps_per_epoch", "computed, never typed"),
        ({"name": "ReduceLROnPlateau", "interval": "epoch"}, "interval", "after each validation"),
        ({"name": "ExponentialLR", "gamma": 0.9, "last_epoch": 3}, "last_epoch", "ptrain resume"),
        ({"name": "ExponentialLR", "gamma": 0.9, "verbose": True}, "verbose", "ptrain lr"),
        ({"name": "CyclicLR", "base_lr": 0, "max_lr": 1, "scale_fn": "f"}, "scale_fn", "target ="),
        ({"name": "SequentialLR", "schedulers": []}, "name", "`begin` and `end`"),
        ({"name": "ChainedScheduler"}, "name", "`begin` and `end`"),
    ],
)
def test_what_torch_has_and_a_file_cannot_give_is_told_its_reason(
    section: dict[str, Any], key: str, said: str
) -> None:
    found = problems(**section)
    assert list(found) == [key]
    assert said in found[key]


def test_a_refused_key_does_not_hide_the_other_problems() -> None:
    found = problems(name="OneCycleLR", total_steps=5, max_lr=-1, gama=1)
    assert sorted(found) == ["gama", "max_lr", "total_steps"]


def test_an_unknown_name_is_reported_with_all_that_are_known() -> None:
    with pytest.raises(ValidationError) as caught:
        CHAIN.validate_python([{"name": "steplr", "step_size": 2}])
    (error,) = caught.value.errors()
    assert error["type"] == "union_tag_invalid"
    assert error["ctx"]["tag"] == "steplr"
    assert "'StepLR'" in error["ctx"]["expected_tags"]


def test_a_section_without_a_name_is_told_so() -> None:
    assert problems(step_size=2) == {"name": "Field required"}


@pytest.mark.parametrize("kind", [*SCHEDULERS.values(), Custom])
def test_every_key_has_a_help_text(kind: Any) -> None:
    assert [name for name, field in kind.model_fields.items() if not field.description] == []


def test_the_json_schema_of_a_chain_knows_every_class() -> None:
    assert set(SCHEDULERS) < set(CHAIN.json_schema()["$defs"])


def test_what_was_read_can_be_written_and_read_again() -> None:
    section = read(name="CyclicLR", base_lr=1e-3, max_lr=[1, 2e-2], begin=3, end=9)
    assert read(**section.model_dump(exclude_none=True)) == section

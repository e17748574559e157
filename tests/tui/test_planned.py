"""The planned rates, as `ptrain lr --json` prints them, and that few points tell of many."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from engine.lr import as_json
from engine.parts.planned_lr import Acting as Acts
from engine.parts.planned_lr import Plan as Made
from tui.planned import decode


def printed(lrs: list[list[float | None]], name: str = "StepLR") -> bytes:
    members = [
        {"key": "scheduler.0", "name": name, "interval": "epoch", "first": 1, "last": 1,
         "changes": 1}
    ]  # fmt: skip
    points = [{"step": step, "epoch": step // 2, "lr": lr} for step, lr in enumerate(lrs)]
    groups = [f"g{number}" for number in range(len(lrs[0]) if lrs else 1)]
    plan = {"groups": groups, "steps_per_epoch": 2, "epochs": 9, "members": members}
    return msgspec.json.encode({**plan, "points": points})


def test_what_the_engine_prints_is_read() -> None:
    made = Made(["head", "rest"], [[0.1, 0.2], [0.05, 0.2]], [Acts("scheduler.0", "StepLR",
        "epoch", [(1, 1)])], 1, 2)  # fmt: skip
    plan = decode(as_json(made))
    assert (plan.groups, plan.steps_per_epoch, plan.epochs, plan.steps) == (
        ["head", "rest"],
        1,
        2,
        2,
    )
    assert plan.step.tolist() == [0, 1]
    assert [lr.tolist() for lr in plan.lr] == [[0.1, 0.05], [0.2, 0.2]]
    member = plan.members[0]
    assert (member.key, member.first, member.changes) == ("scheduler.0", 1, 1)
    assert not plan.plateau


def test_a_plateau_is_told() -> None:
    assert decode(printed([[0.1]], "ReduceLROnPlateau")).plateau


def test_a_rate_that_is_not_finite_is_nan() -> None:
    assert [math.isnan(rate) for rate in decode(printed([[0.1], [None]])).lr[0]] == [False, True]


def test_of_a_constant_stretch_the_ends_are_kept() -> None:
    plan = decode(printed([[0.1]] * 50 + [[0.01]] * 50))
    assert plan.step.tolist() == [0, 49, 50, 99]
    assert plan.lr[0].tolist() == [0.1, 0.1, 0.01, 0.01]


def test_of_many_points_the_extremes_are_kept() -> None:
    rates = [[math.sin(step / 1000), float(step)] for step in range(10_000)]
    rates[5_432] = [7.0, 5_432.0]
    plan = decode(printed([[*pair] for pair in rates]), most=300)
    assert len(plan.step) <= 600
    assert plan.step[[0, -1]].tolist() == [0, 9_999]
    assert (plan.lr[0].max(), plan.lr[0].min()) == (7.0, pytest.approx(-1, abs=1e-3))
    assert (np.diff(plan.step) > 0).all()


def test_nothing_is_planned_for_no_step() -> None:
    assert [len(lr) for lr in decode(printed([])).lr] == [0]


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff", b'{"groups": []}'])
def test_what_is_no_plan_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError, match="no plan"):
        decode(text)


def test_points_with_other_groups_are_no_plan() -> None:
    with pytest.raises(ValueError, match="as many rates"):
        decode(printed([[0.1], [0.1, 0.2]]))

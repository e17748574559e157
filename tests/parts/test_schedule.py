"""The chain of schedulers against torch's own objects, and by hand where torch has no answer."""

from __future__ import annotations

import copy
import inspect
import io
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter
from torch.optim import lr_scheduler

from engine.contract.problems import InputError
from engine.contract.scheduler import SCHEDULERS, Scheduler
from engine.parts.schedule import GroupRates, Schedule

CHAIN: TypeAdapter[list[Scheduler]] = TypeAdapter(list[Scheduler])
GROUPS = (GroupRates("default", 0.1), GroupRates("head", 0.03))
# Better, worse, and for long not better: a plateau of patience 2 reduces at several epochs.
LOSSES = [1.0, 0.9, 0.95, 0.9, 0.91, 0.8, 0.8, 0.8, 0.8, 0.85] * 4


def schedule(
    *sections: dict[str, Any],
    groups: Sequence[GroupRates] = GROUPS,
    total_steps: int = 40,
    folder: Path = Path(),
) -> Schedule:
    chain = CHAIN.validate_python(list(sections))
    return Schedule(chain, groups, total_steps=total_steps, folder=folder, total_epochs=40)


def sgd(momentum: float = 0.0) -> torch.optim.SGD:
    groups = [{"params": [torch.zeros(1, requires_grad=True)], "lr": g.lr} for g in GROUPS]
    return torch.optim.SGD(groups, momentum=momentum)


def by_torch(builders: Sequence[Callable[[Any], Any]], epochs: int) -> list[list[float]]:
    """What torch's documentation writes: each object on one optimizer, stepped in their order."""
    optimizer = sgd()
    schedulers = [build(optimizer) for build in builders]
    optimizer.step()  # else torch warns
    found = [[group["lr"] for group in optimizer.param_groups]]
    for loss in LOSSES[:epochs]:
        for scheduler in schedulers:
            plateau = isinstance(scheduler, lr_scheduler.ReduceLROnPlateau)
            scheduler.step(loss) if plateau else scheduler.step()
        found.append([group["lr"] for group in optimizer.param_groups])
    return found


def by_epochs(chain: Schedule, epochs: int) -> list[list[float]]:
    found = [chain.lrs]
    for loss in LOSSES[:epochs]:
        chain.epoch_end({"val/loss": loss})
        found.append(chain.lrs)
    return found


# Members that torch can chain: (section, torch's own object with the same arguments).
RECURSIVE: dict[str, tuple[dict[str, Any], Callable[[Any], Any]]] = {
    "MultiplicativeLR": (
        {"lr_lambda": ["0.9 + 0.01 * epoch", "0.95"]},
        lambda o: lr_scheduler.MultiplicativeLR(o, [lambda e: 0.9 + 0.01 * e, lambda e: 0.95]),
    ),
    "StepLR": ({"step_size": 4, "gamma": 0.5}, lambda o: lr_scheduler.StepLR(o, 4, 0.5)),
    "MultiStepLR": (
        {"milestones": [3, 3, 11], "gamma": 0.3},
        lambda o: lr_scheduler.MultiStepLR(o, [3, 3, 11], 0.3),
    ),
    "ConstantLR": (
        {"factor": 0.25, "total_iters": 6},
        lambda o: lr_scheduler.ConstantLR(o, 0.25, 6),
    ),
    "LinearLR": (
        {"start_factor": 0.1, "end_factor": 0.8, "total_iters": 7},
        lambda o: lr_scheduler.LinearLR(o, 0.1, 0.8, 7),
    ),
    "ExponentialLR": ({"gamma": 0.93}, lambda o: lr_scheduler.ExponentialLR(o, 0.93)),
    "PolynomialLR": (
        {"total_iters": 20, "power": 1.5},
        lambda o: lr_scheduler.PolynomialLR(o, 20, 1.5),
    ),
    "CosineAnnealingLR": (
        {"T_max": 9, "eta_min": 0.004},
        lambda o: lr_scheduler.CosineAnnealingLR(o, 9, 0.004),
    ),
    "ReduceLROnPlateau": (
        {"patience": 2, "factor": 0.4, "min_lr": [0.02, 0.001], "cooldown": 1},
        lambda o: lr_scheduler.ReduceLROnPlateau(
            o, patience=2, factor=0.4, min_lr=[0.02, 0.001], cooldown=1
        ),
    ),
}
CLOSED_FORM: dict[str, tuple[dict[str, Any], Callable[[Any], Any]]] = {
    "LambdaLR": (
        {"lr_lambda": "0.95 ** epoch"},
        lambda o: lr_scheduler.LambdaLR(o, lambda e: 0.95**e),
    ),
    "CosineAnnealingWarmRestarts": (
        {"T_0": 4, "T_mult": 2, "eta_min": 0.001},
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 4, 2, 0.001),
    ),
    "CyclicLR": (
        {"base_lr": [0.01, 0.001], "max_lr": 0.2, "step_size_up": 3, "mode": "triangular2"},
        lambda o: lr_scheduler.CyclicLR(
            o, [0.01, 0.001], 0.2, 3, mode="triangular2", cycle_momentum=False
        ),
    ),
    "OneCycleLR": (
        {"max_lr": [0.2, 0.1], "pct_start": 0.25, "anneal_strategy": "linear"},
        lambda o: lr_scheduler.OneCycleLR(
            o, [0.2, 0.1], 40, pct_start=0.25, anneal_strategy="linear", cycle_momentum=False
        ),
    ),
}
ALL = RECURSIVE | CLOSED_FORM


def section(name: str, **more: Any) -> dict[str, Any]:
    interval = {} if name == "ReduceLROnPlateau" else {"interval": "epoch"}
    return {"name": name, **ALL[name][0], **interval, **more}


def test_every_class_of_torch_that_is_no_container_is_here() -> None:
    containers = {"SequentialLR", "ChainedScheduler", "ParamwiseScheduler", "LRScheduler"}
    assert set(lr_scheduler.__all__) - containers == set(SCHEDULERS) == set(ALL)


@pytest.mark.parametrize("name", sorted(SCHEDULERS))
def test_keys_and_defaults_are_torchs(name: str) -> None:
    parameters = dict(inspect.signature(getattr(lr_scheduler, name)).parameters)
    # The optimizer is another section; resuming does last_epoch; verbose is gone since torch 2.7;
    # a file holds no function, and scale_mode belongs to one; a cycle's length is computed.
    for key in ("optimizer", "last_epoch", "verbose", "scale_fn", "scale_mode"):
        parameters.pop(key, None)
    if name == "OneCycleLR":
        for key in ("total_steps", "epochs", "steps_per_epoch"):
            parameters.pop(key)
    fields = dict(SCHEDULERS[name].model_fields)
    for key in ("name", "interval", "begin", "end", "monitor"):  # ours
        fields.pop(key, None)
    assert set(fields) == set(parameters)
    for key, parameter in parameters.items():
        ours = ... if fields[key].is_required() else fields[key].default
        if key == "cycle_momentum" or (name, key) == ("OneCycleLR", "max_lr"):
            assert ours is None  # decided by the optimizer's groups
        else:
            assert ours == (... if parameter.default is parameter.empty else parameter.default)


@pytest.mark.parametrize("name", ALL)
def test_alone_each_is_torchs_bit_by_bit(name: str) -> None:
    # 39 advances: OneCycleLR's 40 learning rates of its 40 steps.
    assert by_epochs(schedule(section(name)), 39) == by_torch([ALL[name][1]], 39)


@pytest.mark.parametrize("name", ALL)
def test_by_step_each_is_the_same_as_by_epoch(name: str) -> None:
    if name == "ReduceLROnPlateau":  # advances when its metric is new, whatever the steps do
        chain = schedule(section(name))
        assert not any(chain.step() for _ in range(30))
        return
    chain = schedule(section(name, interval="step"))
    found = [chain.lrs]
    for _ in range(39):
        chain.step()
        found.append(chain.lrs)
    assert found == by_torch([ALL[name][1]], 39)


@pytest.mark.parametrize("first", RECURSIVE)
@pytest.mark.parametrize("second", RECURSIVE)
def test_every_pair_that_torch_can_chain_is_torchs(first: str, second: str) -> None:
    found = by_epochs(schedule(section(first), section(second)), 30)
    expected = by_torch([ALL[first][1], ALL[second][1]], 30)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-12, abs=0)


def test_a_long_chain_is_torchs() -> None:
    names = ["LinearLR", "CosineAnnealingLR", "MultiStepLR", "ReduceLROnPlateau", "ExponentialLR"]
    expected = by_torch([ALL[name][1] for name in names], 30)
    assert by_epochs(schedule(*map(section, names)), 30) == expected


def products(*series: Sequence[float], base: float = 0.1) -> list[float]:
    return [base * math.prod(factors) for factors in zip(*series, strict=True)]


def firsts(found: list[list[float]]) -> list[float]:
    return [lrs[0] for lrs in found]


def test_a_lambda_after_a_step_keeps_both() -> None:
    chain = schedule(
        {"name": "StepLR", "step_size": 2, "gamma": 0.5},
        {"name": "LambdaLR", "lr_lambda": "0.9 ** epoch"},
    )
    halved = [1, 1, 0.5, 0.5, 0.25, 0.25, 0.125]
    decayed = [1, 0.9, 0.81, 0.729, 0.6561, 0.59049, 0.531441]
    expected = products(halved, decayed)
    assert firsts(by_epochs(chain, 6)) == pytest.approx(expected, rel=1e-12)


def test_a_cycle_after_an_exponential_keeps_both() -> None:
    chain = schedule(
        {"name": "ExponentialLR", "gamma": 0.5, "interval": "step"},
        {"name": "CyclicLR", "base_lr": 0.05, "max_lr": 0.25, "step_size_up": 2},
    )
    found = [chain.lrs[0]]
    for _ in range(5):
        chain.step()
        found.append(chain.lrs[0])
    cycle = [0.5, 1.5, 2.5, 1.5, 0.5, 1.5]  # 0.05, 0.15, 0.25, … over the base of 0.1
    expected = products([1, 0.5, 0.25, 0.125, 0.0625, 0.03125], cycle)
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("lambda_first", [True, False])
def test_a_plateau_with_a_lambda_keeps_each_reduction(lambda_first: bool) -> None:
    sections = [
        {"name": "LambdaLR", "lr_lambda": "1 / (1 + epoch)"},
        {"name": "ReduceLROnPlateau", "patience": 1, "factor": 0.5},
    ]
    chain = schedule(*(sections if lambda_first else sections[::-1]))
    found = [chain.lrs[0]]
    for _ in range(6):  # never better after the first: every second epoch is one too many
        chain.epoch_end({"val/loss": 1.0})
        found.append(chain.lrs[0])
    reduced = [1, 1, 1, 0.5, 0.5, 0.25, 0.25]
    decayed = [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5, 1 / 6, 1 / 7]
    assert found == pytest.approx(products(reduced, decayed), rel=1e-12)


def test_one_cycle_in_a_chain_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        schedule({"name": "StepLR", "step_size": 2}, {"name": "OneCycleLR"})
    (problem,) = caught.value.problems
    assert problem.key == "scheduler.1"
    assert "cannot be chained" in problem.message


def test_a_warm_up_ends_where_its_window_ends() -> None:
    chain = schedule(
        {"name": "LinearLR", "start_factor": 0.2, "total_iters": 4, "end": 4},
        {"name": "MultiStepLR", "milestones": [5, 7], "gamma": 0.1},
    )
    factors = [0.2, 0.4, 0.6, 0.8, 1.0, 0.1, 0.1, 0.01, 0.01]
    assert firsts(by_epochs(chain, 8)) == pytest.approx(products(factors), rel=1e-12)


def test_a_window_cuts_a_member_and_leaves_its_effect() -> None:
    chain = schedule({"name": "StepLR", "step_size": 2, "gamma": 0.1, "begin": 3, "end": 7})
    # Its own count is 2 at epoch 5 and 4 at epoch 7; its 6 would be at epoch 9.
    factors = [1, 1, 1, 1, 1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.01, 0.01]
    assert firsts(by_epochs(chain, 11)) == pytest.approx(products(factors), rel=1e-12)


def test_a_closed_form_member_has_a_window_too() -> None:
    chain = schedule(
        {"name": "LambdaLR", "lr_lambda": "0.5 ** (epoch + 1)", "begin": 2, "end": 4},
        {"name": "ConstantLR", "factor": 0.1, "total_iters": 1, "begin": 6},
    )
    factors = [1, 1, 0.5, 0.25, 0.125, 0.125, 0.0125, 0.125, 0.125]
    assert firsts(by_epochs(chain, 8)) == pytest.approx(products(factors), rel=1e-12)


def test_a_plateau_begins_to_watch_with_its_window() -> None:
    chain = schedule({"name": "ReduceLROnPlateau", "patience": 0, "begin": 2, "end": 4})
    for loss in (1.0, 5.0):  # before the window: nothing is remembered
        chain.epoch_end({"val/loss": loss})
    found = []
    for loss in (4.0, 4.0, 4.0):  # the best; not better; after the window
        chain.epoch_end({"val/loss": loss})
        found.append(chain.lrs[0])
    assert found == pytest.approx([0.1, 0.01, 0.01])


def test_one_cycle_takes_its_windows_length() -> None:
    chain = schedule({"name": "OneCycleLR", "begin": 5, "end": 25, "final_div_factor": 10.0})
    found = [chain.lrs[0]]
    for _ in range(39):
        chain.step()
        found.append(chain.lrs[0])
    optimizer = sgd()
    theirs = lr_scheduler.OneCycleLR(
        optimizer, [0.1, 0.03], 20, final_div_factor=10.0, cycle_momentum=False
    )
    optimizer.step()
    expected = [0.1] * 5 + [optimizer.param_groups[0]["lr"]]
    for _ in range(19):
        theirs.step()
        expected.append(optimizer.param_groups[0]["lr"])
    assert found == expected + [expected[-1]] * 15


def test_one_cycle_tops_at_each_groups_own_lr_and_stays_at_its_end() -> None:
    chain = schedule({"name": "OneCycleLR", "anneal_strategy": "linear"}, total_steps=11)
    seen = [chain.lrs]
    for _ in range(15):
        chain.step()
        seen.append(chain.lrs)
    assert max(lrs[0] for lrs in seen) <= 0.1
    assert max(lrs[1] for lrs in seen) <= 0.03
    assert seen[0] == pytest.approx([0.1 / 25, 0.03 / 25])
    assert seen[10:] == [pytest.approx([0.1 / 25 / 1e4, 0.03 / 25 / 1e4])] * 6


def test_members_by_step_and_by_epoch_act_together() -> None:
    chain = schedule(
        {"name": "LinearLR", "start_factor": 0.5, "total_iters": 5, "interval": "step"},
        {"name": "StepLR", "step_size": 1, "gamma": 0.1},
    )
    found = []
    for _ in range(3):
        for _ in range(3):
            found.append(chain.lrs[0])
            chain.step()
        chain.epoch_end({})
    linear = [0.5, 0.6, 0.7, 0.8, 0.9, 1, 1, 1, 1]
    stepped = [1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01]
    assert found == pytest.approx(products(linear, stepped), rel=1e-12)


def test_lists_give_each_group_its_own() -> None:
    chain = schedule({"name": "LambdaLR", "lr_lambda": ["1", "0.5 ** epoch"]})
    chain.epoch_end({})
    assert chain.lrs == [0.1, 0.015]


def test_a_group_with_lr_0_stays_at_0_in_a_chain() -> None:
    groups = [GroupRates("default", 0.1), GroupRates("still", 0.0)]
    chain = schedule(
        {"name": "ExponentialLR", "gamma": 0.5},
        {"name": "CyclicLR", "base_lr": 0.1, "max_lr": 1, "interval": "epoch"},
        groups=groups,
    )
    assert [lrs[1] for lrs in by_epochs(chain, 10)] == [0.0] * 11


def test_without_members_the_learning_rates_stay() -> None:
    chain = schedule()
    assert chain.lrs == [0.1, 0.03]
    assert not chain.step()
    assert not chain.epoch_end({"val/loss": 1.0})
    assert chain.needs_metric == set()


def test_it_says_whether_a_learning_rate_changed() -> None:
    chain = schedule({"name": "StepLR", "step_size": 2}, {"name": "ReduceLROnPlateau"})
    assert [chain.epoch_end({"val/loss": 1.0}) for _ in range(4)] == [False, True, False, True]
    assert not chain.step()


def test_a_missing_or_nan_metric_does_not_count_for_a_plateau() -> None:
    chain = schedule({"name": "ReduceLROnPlateau", "patience": 1, "monitor": "val/accuracy"})
    assert chain.needs_metric == {"val/accuracy"}
    metrics: list[Mapping[str, float]] = [
        {"val/accuracy": 1.0},
        {"val/accuracy": 1.0},  # one bad epoch, within the patience
        {},
        {"val/accuracy": math.nan},
        {"val/loss": 3.0},
    ]
    assert not any(chain.epoch_end(one) for one in metrics)
    assert chain.epoch_end({"val/accuracy": 1.0})
    assert chain.lrs == pytest.approx([0.01, 0.003])


# -- momentum


def cycled(optimizer: torch.optim.Optimizer) -> list[Any]:
    return [(g["lr"], g.get("momentum"), g.get("betas")) for g in optimizer.param_groups]


@pytest.mark.parametrize("name", ["CyclicLR", "OneCycleLR"])
@pytest.mark.parametrize("kind", ["SGD", "Adam"])
def test_momentum_is_cycled_as_torch_does(name: str, kind: str) -> None:
    def build() -> torch.optim.Optimizer:
        if kind == "SGD":
            return sgd(momentum=0.9)
        groups = [{"params": [torch.zeros(1, requires_grad=True)], "lr": g.lr} for g in GROUPS]
        return torch.optim.Adam(groups, betas=(0.9, 0.99))

    settings: dict[str, Any] = {"max_lr": 0.2, "base_momentum": [0.5, 0.6], "max_momentum": 0.8}
    if name == "CyclicLR":
        settings |= {"base_lr": 0.01, "step_size_up": 3}
    theirs, ours = build(), build()
    more = {"total_steps": 20} if name == "OneCycleLR" else {}
    scheduler = getattr(lr_scheduler, name)(theirs, **settings, **more)
    theirs.step()
    given = {"momentum": 0.9} if kind == "SGD" else {"betas": (0.9, 0.99)}
    groups = [GroupRates(g.name, g.lr, **given) for g in GROUPS]  # type: ignore[arg-type]
    chain = schedule({"name": name, **settings}, groups=groups, total_steps=20)
    chain.apply(ours)
    assert cycled(ours) == cycled(theirs)
    for _ in range(19):
        scheduler.step()
        assert chain.step()
        chain.apply(ours)
        assert cycled(ours) == cycled(theirs)


def test_a_momentum_of_0_is_not_switched_on() -> None:
    optimizer = sgd()
    groups = [GroupRates("default", 0.1, momentum=0.0), GroupRates("head", 0.03, momentum=0.9)]
    chain = schedule({"name": "CyclicLR", "base_lr": 0.01, "max_lr": 0.1}, groups=groups)
    chain.apply(optimizer)
    assert [group["momentum"] for group in optimizer.param_groups] == [0.0, 0.0]


def test_momentum_is_left_alone_before_the_window() -> None:
    optimizer = sgd(momentum=0.9)
    groups = [GroupRates(g.name, g.lr, momentum=0.9) for g in GROUPS]
    chain = schedule(
        {"name": "CyclicLR", "base_lr": 0.01, "max_lr": 0.1, "begin": 1, "max_momentum": 0.7},
        groups=groups,
    )
    chain.apply(optimizer)
    assert [group["momentum"] for group in optimizer.param_groups] == [0.9, 0.9]
    chain.step()
    chain.apply(optimizer)
    assert [group["momentum"] for group in optimizer.param_groups] == [0.7, 0.7]


def test_apply_fills_a_learning_rate_that_is_a_tensor() -> None:
    optimizer = sgd()
    lr = torch.tensor(0.5)
    optimizer.param_groups[0]["lr"] = lr
    schedule({"name": "ConstantLR", "factor": 0.5}).apply(optimizer)
    assert optimizer.param_groups[0]["lr"] is lr
    assert lr.item() == pytest.approx(0.05)
    assert optimizer.param_groups[1]["lr"] == 0.015


# -- one's own function

ADJUST = """
def adjust_learning_rate(optimizer, epoch):
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * 0.1 ** (epoch // 2)

def head_only(optimizer, epoch):
    for group in optimizer.param_groups:
        if group["name"] == "head":
            group["lr"] *= 0.5

def fails_later(optimizer, epoch):
    return 1 / (2 - epoch)

def negative(optimizer, epoch):
    for group in optimizer.param_groups:
        group["lr"] = -0.1

def text(optimizer, epoch):
    optimizer.param_groups[1]["lr"] = "fast"

def of_one_argument(optimizer):
    pass

number = 3
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    (tmp_path / "schedules.py").write_text(ADJUST)
    return tmp_path


def test_ones_own_function_is_called_before_each_epoch_with_its_number(own: Path) -> None:
    chain = schedule({"target": "schedules.py:adjust_learning_rate"}, folder=own)
    factors = [1, 1, 0.1, 0.1, 0.01, 0.01, 0.001]
    assert firsts(by_epochs(chain, 6)) == pytest.approx(products(factors), rel=1e-12)


def test_ones_own_function_may_compute_from_the_current_rate(own: Path) -> None:
    chain = schedule({"target": "schedules.py:head_only"}, folder=own)
    assert by_epochs(chain, 2) == [[0.1, 0.015], [0.1, 0.0075], [0.1, 0.00375]]


def test_ones_own_function_is_a_factor_in_a_chain(own: Path) -> None:
    chain = schedule(
        {"name": "ExponentialLR", "gamma": 0.5},
        {"target": "schedules.py:adjust_learning_rate", "begin": 1},
        folder=own,
    )
    expected = products([1, 0.5, 0.25, 0.125, 0.0625], [1, 1, 1, 0.1, 0.1])
    assert firsts(by_epochs(chain, 4)) == pytest.approx(expected, rel=1e-12)


def refused(*sections: dict[str, Any], **more: Any) -> dict[str, str]:
    with pytest.raises(InputError) as caught:
        schedule(*sections, **more)
    return {problem.key: problem.message for problem in caught.value.problems}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("negative", "schedules.py, line 14: sets the learning rate of default to -0.1 at epoch 0"),
        ("text", "schedules.py, line 18: sets the learning rate of head to nan at epoch 0"),
        ("of_one_argument", "cannot be called as f(optimizer, epoch)"),
        ("number", "is no function"),
        ("adjust", 'has no "adjust"'),
    ],
)
def test_a_mistake_in_ones_own_function_is_told_with_its_place(
    own: Path, name: str, said: str
) -> None:
    assert said in refused({"target": f"schedules.py:{name}"}, folder=own)["scheduler.0.target"]


def test_ones_own_function_that_fails_later_is_told_with_its_line(own: Path) -> None:
    chain = schedule({"target": "schedules.py:fails_later"}, folder=own)
    chain.epoch_end({})
    with pytest.raises(InputError) as caught:
        chain.epoch_end({})
    message = caught.value.problems[0].message
    assert message == "fails at epoch 2: schedules.py, line 12: ZeroDivisionError: division by zero"


# -- what only the groups can tell is wrong


def test_each_problem_is_reported_at_its_key() -> None:
    found = refused(
        {"name": "LambdaLR", "lr_lambda": ["1", "1", "1"]},
        {"name": "CyclicLR", "base_lr": [1], "max_lr": 1, "cycle_momentum": True},
        {"name": "ReduceLROnPlateau", "min_lr": [0.1]},
        {"target": "no_such_file.py:f", "begin": 7},
    )
    assert set(found) == {
        "scheduler.0.lr_lambda",
        "scheduler.1.base_lr",
        "scheduler.1.cycle_momentum",
        "scheduler.2.min_lr",
        "scheduler.3.target",
    }
    assert found["scheduler.0.lr_lambda"] == "has 3 values for 2 groups: default, head"


def test_a_rise_that_torch_divides_by_zero_is_told_at_its_key() -> None:
    found = refused({"name": "OneCycleLR", "pct_start": 0.1}, total_steps=10)
    assert set(found) == {"scheduler.0.pct_start"}


def test_a_cycle_by_epochs_needs_their_number() -> None:
    chain = CHAIN.validate_python([{"name": "OneCycleLR", "interval": "epoch"}])
    with pytest.raises(InputError) as caught:
        Schedule(chain, GROUPS, total_steps=10, folder=Path())
    assert caught.value.problems[0].key == "scheduler.0.interval"


def test_a_factor_that_fails_later_is_told_with_its_count() -> None:
    chain = schedule({"name": "LambdaLR", "lr_lambda": "1 / (3 - epoch)"})
    by_epochs(chain, 2)
    with pytest.raises(InputError) as caught:
        chain.epoch_end({})
    (problem,) = caught.value.problems
    assert problem.key == "scheduler.0.lr_lambda"
    assert "fails at 3: division by zero" in problem.message


# -- state


def tick(chain: Schedule, at: int) -> tuple[list[float], bool]:
    """Two steps, of which the second ends an epoch."""
    changed = chain.step()
    if at % 2:
        changed = chain.epoch_end({"val/loss": LOSSES[at // 2]}) or changed
    return chain.lrs, changed


RESTORED = {
    **{name: [{**section(name)}] for name in ALL},
    **{
        f"{name} by step": [section(name, interval="step")]
        for name in ALL
        if name != "ReduceLROnPlateau"
    },
    "windows": [
        section("LinearLR", interval="step", end=7),
        section("ReduceLROnPlateau", begin=1),
        section("CosineAnnealingLR", begin=4, end=14),
        section("LambdaLR", begin=2, interval="step"),
        section("CosineAnnealingWarmRestarts", begin=3),
    ],
    "closed": [section("CyclicLR", interval="step"), section("LambdaLR")],
    "own": [{"target": "schedules.py:head_only"}, section("StepLR")],
    "one cycle in a window": [{"name": "OneCycleLR", "begin": 3, "end": 20}],
}


@pytest.mark.parametrize("which", RESTORED)
def test_a_restored_chain_goes_on_bit_by_bit_the_same_from_any_point(which: str, own: Path) -> None:
    groups = [GroupRates(g.name, g.lr, momentum=0.9) for g in GROUPS]

    def fresh() -> Schedule:
        return schedule(*RESTORED[which], groups=groups, folder=own)

    whole = fresh()
    states = [whole.state_dict()]
    ticks = []
    for at in range(30):
        ticks.append(tick(whole, at))
        states.append(whole.state_dict())
    kept = copy.deepcopy(states)
    for stop in range(31):
        chain = fresh()
        chain.load_state_dict(states[stop])
        optimizer = sgd(momentum=0.1)
        chain.apply(optimizer)
        assert [group["lr"] for group in optimizer.param_groups] == chain.lrs
        assert chain.state_dict() == kept[stop]
        assert [tick(chain, at) for at in range(stop, 30)] == ticks[stop:]
        assert chain.state_dict() == kept[30]
    assert states == kept  # neither saving nor loading shares anything with the schedule


def test_the_cycled_momentum_is_restored() -> None:
    groups = [GroupRates(g.name, g.lr, betas=(0.9, 0.99)) for g in GROUPS]
    sections = {"name": "CyclicLR", "base_lr": 0.01, "max_lr": 0.1, "step_size_up": 5}
    chain, again = schedule(sections, groups=groups), schedule(sections, groups=groups)
    for _ in range(3):
        chain.step()
    again.load_state_dict(chain.state_dict())
    parameters = [[torch.zeros(1, requires_grad=True)] for _ in GROUPS]
    optimizers = [torch.optim.Adam([{"params": p} for p in parameters]) for _ in range(2)]
    chain.apply(optimizers[0])
    again.apply(optimizers[1])
    assert cycled(optimizers[0]) == cycled(optimizers[1])
    assert optimizers[1].param_groups[0]["betas"] == pytest.approx((0.84, 0.99))


def test_a_state_is_plain_enough_for_a_safe_load(own: Path) -> None:
    chain = schedule(*RESTORED["windows"], {"target": "schedules.py:head_only"}, folder=own)
    for at in range(20):
        tick(chain, at)
    file = io.BytesIO()
    torch.save(chain.state_dict(), file)
    file.seek(0)
    assert torch.load(file, weights_only=True) == chain.state_dict()


def test_a_longer_run_stretches_one_cycle_from_where_it_is() -> None:
    short = schedule({"name": "OneCycleLR"}, total_steps=20)
    longer = schedule({"name": "OneCycleLR"}, total_steps=40)
    for _ in range(20):
        short.step()
    resumed = schedule({"name": "OneCycleLR"}, total_steps=40)
    resumed.load_state_dict(short.state_dict())
    for _ in range(20):
        longer.step()
    for _ in range(20):
        assert resumed.lrs == longer.lrs
        resumed.step()
        longer.step()


@pytest.mark.parametrize(
    "other",
    [
        [],
        [{"name": "StepLR", "step_size": 3}],
        [{"name": "StepLR", "step_size": 2, "end": 9}],
        [{"name": "ExponentialLR", "gamma": 0.1}],
        [{"name": "StepLR", "step_size": 2}, {"name": "ExponentialLR", "gamma": 0.1}],
    ],
)
def test_the_state_of_another_chain_is_refused(other: list[dict[str, Any]]) -> None:
    state = schedule(*other).state_dict()
    with pytest.raises(InputError, match="another chain"):
        schedule({"name": "StepLR", "step_size": 2}).load_state_dict(state)


def test_the_state_of_other_groups_is_refused() -> None:
    state = schedule({"name": "StepLR", "step_size": 2}, groups=GROUPS[:1]).state_dict()
    with pytest.raises(InputError, match="other groups"):
        schedule({"name": "StepLR", "step_size": 2}).load_state_dict(state)


def test_a_run_that_moved_to_another_folder_still_knows_its_function(own: Path) -> None:
    (own / "moved").mkdir()
    (own / "moved" / "schedules.py").write_text(ADJUST)
    chain = schedule({"target": f"{own}/schedules.py:head_only"})
    chain.epoch_end({})
    moved = schedule({"target": f"{own}/moved/schedules.py:head_only"})
    moved.load_state_dict(chain.state_dict())
    assert moved.lrs == chain.lrs

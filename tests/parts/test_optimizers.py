"""Every optimizer takes torch's own step; groups are who the patterns say."""

from __future__ import annotations

import copy
import inspect
from typing import Any

import pytest
import torch
from torch import nn

from engine.contract.optimizer import OPTIMIZERS, SGD, Adam, AdamW, Muon
from engine.contract.optimizer_base import Group
from engine.contract.problems import InputError, Problem
from engine.parts.optimizers import (
    bare_step,
    build_optimizer,
    chosen_implementation,
    group_rates,
    load_optimizer,
    planned_rates,
)

# Beside the defaults, one setting of each that changes the step.
SETTINGS: dict[str, dict[str, Any]] = {
    "SGD": {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
    "Adam": {"betas": [0.8, 0.9], "amsgrad": True},
    "AdamW": {"lr": 0.1, "weight_decay": 0.5},
    "NAdam": {"momentum_decay": 0.1, "betas": [0.5, 0.6]},
    "RAdam": {"betas": [0.5, 0.6], "weight_decay": 0.1},
    "Adamax": {"betas": [0.5, 0.6]},
    "Adafactor": {"beta2_decay": -0.5, "d": 2.0},
    "Adadelta": {"rho": 0.5, "lr": 2.0},
    "Adagrad": {"lr_decay": 0.5, "initial_accumulator_value": 1.0},
    "ASGD": {"lambd": 0.1, "t0": 1.0},
    "RMSprop": {"alpha": 0.5, "centered": True, "momentum": 0.5},
    "Rprop": {"etas": [0.4, 1.5], "step_sizes": [1e-5, 1.0]},
    "Muon": {"momentum": 0.5, "nesterov": False, "adjust_lr_fn": "match_rms_adamw"},
    "LBFGS": {"max_iter": 3, "line_search_fn": "strong_wolfe"},
}
HERE = [name for name in OPTIMIZERS if hasattr(torch.optim, name)]  # torch 2.6 has no Muon
BOTH = [(name, settings) for name in HERE for settings in ({}, SETTINGS[name])]


def matrices() -> nn.Module:
    """Without biases, because Muon takes matrices only."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 3, bias=False), nn.Tanh(), nn.Linear(3, 2, bias=False))


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(4, 4)
        self.layers = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4))
        self.fc = nn.Linear(4, 2)


def three_steps(model: nn.Module, optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    inputs = torch.randn(5, 4, generator=torch.Generator().manual_seed(1))

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss: torch.Tensor = model(inputs).square().sum()
        loss.backward()
        return loss

    for _ in range(3):
        optimizer.step(closure)  # type: ignore[arg-type]
    return [p.detach() for p in model.parameters()]


def members(optimizer: torch.optim.Optimizer, model: nn.Module) -> dict[str, list[str]]:
    names = {parameter: name for name, parameter in model.named_parameters()}
    return {g["name"]: [names[p] for p in g["params"]] for g in optimizer.param_groups}


def problems(section: Any, model: nn.Module) -> list[Problem]:
    with pytest.raises(InputError) as caught:
        build_optimizer(section, model)
    return list(caught.value.problems)


@pytest.mark.parametrize(("name", "settings"), BOTH)
def test_the_planned_rates_are_those_of_the_optimizer(name, settings):
    section = OPTIMIZERS[name](**settings)
    assert planned_rates(section, matrices()) == group_rates(build_optimizer(section, matrices()))


def test_the_planned_rates_of_groups_are_their_own() -> None:
    head = Group(name="head", match=["fc"], lr=0.5, betas=[0.5, 0.6])
    section = Adam(lr=0.01, group=[head], fused=True)
    assert planned_rates(section, Net()) == group_rates(build_optimizer(section, Net()))
    on_meta = planned_rates(section, Net().to("meta"))  # torch refuses a fused optimizer there
    assert [(g.name, g.lr, g.betas) for g in on_meta] == [
        ("default", 0.01, (0.9, 0.999)),
        ("head", 0.5, (0.5, 0.6)),
    ]


@pytest.mark.parametrize(("name", "settings"), BOTH)
def test_three_steps_are_those_of_torchs_own_object(name, settings):
    ours, theirs = matrices(), matrices()
    optimizer = build_optimizer(OPTIMIZERS[name](**settings), ours)
    assert type(optimizer) is getattr(torch.optim, name)
    keywords = {k: tuple(v) if isinstance(v, list) else v for k, v in settings.items()}
    expected = three_steps(theirs, getattr(torch.optim, name)(theirs.parameters(), **keywords))
    got = three_steps(ours, optimizer)
    assert not torch.equal(got[0], next(matrices().parameters()))
    assert all(torch.equal(a, b) for a, b in zip(got, expected, strict=True))


@pytest.mark.parametrize("name", HERE)
def test_fields_and_defaults_are_those_of_torchs_signature(name):
    signature = inspect.signature(getattr(torch.optim, name)).parameters
    fields = OPTIMIZERS[name].model_fields
    # torch 2.6's Adam and LBFGS are without these.
    newer = {"decoupled_weight_decay", "maximize"} - set(signature)
    assert set(fields) - {"name", "group"} - newer == set(signature) - {"params"}
    for key in set(fields) & set(signature) - {"params"}:
        default = signature[key].default
        assert fields[key].default == (list(default) if isinstance(default, tuple) else default)


@pytest.mark.parametrize("switch", ["foreach", "fused", "maximize"])
def test_switches_of_the_implementation_reach_torch(switch):
    optimizer = build_optimizer(AdamW(**{switch: True}), Net())
    assert optimizer.param_groups[0][switch] is True


def test_what_matches_no_group_is_in_default_which_comes_first():
    model = Net()
    section = SGD(lr=0.1, group=[Group(name="head", match=["fc"], lr=0.5, weight_decay=0.1)])
    optimizer = build_optimizer(section, model)
    assert list(members(optimizer, model)) == ["default", "head"]
    assert members(optimizer, model)["head"] == ["fc.weight", "fc.bias"]
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.5]
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0, 0.1]


def test_there_is_no_default_group_where_nothing_is_left_for_it():
    model = Net()
    optimizer = build_optimizer(SGD(group=[Group(name="all", match=["*"])]), model)
    assert list(members(optimizer, model)) == ["all"]


def test_of_several_groups_that_match_the_last_takes_the_parameter():
    model = Net()
    groups = [
        Group(name="biases", match=["*.bias"], weight_decay=0.0),
        Group(name="head", match=["fc", "layers.1"]),
    ]
    found = members(build_optimizer(SGD(group=groups), model), model)
    assert found["biases"] == ["stem.bias", "layers.0.bias"]
    assert found["head"] == ["layers.1.weight", "layers.1.bias", "fc.weight", "fc.bias"]


def test_a_group_takes_lists_where_torch_takes_pairs():
    section = Adam(group=[Group(name="head", match=["fc"], betas=[0.5, 0.6])])
    assert build_optimizer(section, Net()).param_groups[1]["betas"] == (0.5, 0.6)


def test_frozen_parameters_are_in_no_group():
    model = Net()
    model.stem.requires_grad_(False)
    section = SGD(group=[Group(name="biases", match=["*.bias"])])
    found = members(build_optimizer(section, model), model)
    assert [name for names in found.values() for name in names if name.startswith("stem")] == []
    assert found["biases"] == ["layers.0.bias", "layers.1.bias", "fc.bias"]


def test_each_pattern_that_matches_nothing_is_told_with_the_nearest_name():
    groups = [Group(name="a", match=["fc", "fcc"]), Group(name="b", match=["zzz"])]
    found = problems(SGD(group=groups), Net())
    assert [p.key for p in found] == ["optimizer.group.0.match.1", "optimizer.group.1.match.0"]
    assert found[0].hint.startswith('did you mean "fc"')
    assert found[1].hint == "the model's parts are: stem, layers, fc"


def test_a_pattern_that_matches_only_what_is_frozen_says_so():
    model = Net()
    model.stem.requires_grad_(False)
    (problem,) = problems(SGD(group=[Group(name="a", match=["stem"])]), model)
    assert problem.key == "optimizer.group.0.match.0"
    assert problem.message == '"stem" matches only what is frozen'


def test_a_group_that_a_later_one_empties_is_told():
    groups = [Group(name="head", match=["fc"]), Group(name="all", match=["*"])]
    (problem,) = problems(SGD(group=groups), Net())
    assert problem.key == "optimizer.group.0.match"
    assert '"head"' in problem.message


def test_what_torchs_constructor_refuses_is_a_problem():
    (problem,) = problems(Adam(foreach=True, fused=True), Net())
    assert problem.key == "optimizer"
    assert problem.message.startswith("torch's Adam: ")


def test_muon_on_what_is_no_matrix_is_a_problem_with_the_way_out():
    (problem,) = problems(Muon(), Net())
    if "Muon" in HERE:
        assert problem.key == "optimizer"
        assert "has to be a matrix" in problem.hint
    else:
        assert problem.key == "optimizer.name"


def test_a_class_that_this_torch_lacks_is_a_problem(monkeypatch):
    monkeypatch.delattr(torch.optim, "Adagrad")
    (problem,) = problems(OPTIMIZERS["Adagrad"](), Net())
    assert problem.key == "optimizer.name"
    assert "Adagrad" in problem.message


def test_settings_with_which_torch_could_never_take_a_step_are_problems():
    section = Adam(differentiable=True, group=[Group(name="head", match=["fc"], capturable=True)])
    keys = [problem.key for problem in problems(section, Net())]
    assert keys == ["optimizer.differentiable", "optimizer.group.0.capturable"]


def test_the_schedule_is_told_each_groups_rate_and_momentum():
    groups = [Group(name="head", match=["fc"], lr=1, momentum=0.5)]
    default, head = group_rates(build_optimizer(SGD(lr=0.1, momentum=0.9, group=groups), Net()))
    assert (default.name, default.lr, default.momentum, default.betas) == (
        "default",
        0.1,
        0.9,
        None,
    )
    assert (head.name, head.lr, head.momentum) == ("head", 1.0, 0.5)
    (adam,) = group_rates(build_optimizer(Adam(betas=[0.8, 0.9]), Net()))
    assert (adam.momentum, adam.betas) == (None, (0.8, 0.9))


CUDA, CPU = torch.device("cuda"), torch.device("cpu")


@pytest.mark.parametrize("name", HERE)
def test_a_fused_kernel_is_chosen_on_cuda_where_torch_has_one_and_nowhere_else(name):
    section = OPTIMIZERS[name]()
    takes = "fused" in inspect.signature(getattr(torch.optim, name).__init__).parameters
    expected = {"fused": True} if takes and name != "Adagrad" else {}  # its kernel is the CPU's
    assert chosen_implementation(section, CUDA, uneven=False) == expected
    assert chosen_implementation(section, CPU, uneven=False) == {}


@pytest.mark.parametrize(
    "section",
    [
        Adam(fused=False),
        AdamW(foreach=True),
        SGD(foreach=False),
        Adam(group=[Group(match=["fc"], foreach=True)]),
        SGD(group=[Group(match=["fc"], fused=False)]),
    ],
    ids=str,
)
def test_nothing_is_chosen_where_a_person_has(section):
    assert chosen_implementation(section, CUDA, uneven=False) == {}


def test_sgds_momentum_is_left_to_foreach_where_the_first_step_is_not_everyones():
    """torch's fused SGD fails on them: if it no longer does, this choice has lost its reason."""
    groups = [Group(match=["fc"], momentum=0.9)]
    for section in (SGD(momentum=0.9), SGD(group=groups)):
        assert chosen_implementation(section, CUDA, uneven=True) == {}
    assert chosen_implementation(SGD(), CUDA, uneven=True) == {"fused": True}
    assert chosen_implementation(Adam(), CUDA, uneven=True) == {"fused": True}
    first, second = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([first, second], lr=0.1, momentum=0.9, fused=True)
    first.grad = torch.ones(2)
    optimizer.step()
    second.grad = torch.ones(2)
    with pytest.raises(TypeError):
        optimizer.step()


@pytest.mark.parametrize("name", [name for name in HERE if name != "LBFGS"])  # has a closure
def test_the_bare_step_is_torchs_without_what_it_wraps_around_it(name: str) -> None:
    """If torch wraps nothing around it any more, the bare one has lost its reason."""
    models = matrices(), matrices()
    theirs, ours = (build_optimizer(OPTIMIZERS[name](), model) for model in models)
    assert inspect.unwrap(type(ours).step) is not type(ours).step
    steps = theirs.step, bare_step(ours)
    for model, step in zip(models, steps, strict=True):
        for seed in range(3):
            generator = torch.Generator().manual_seed(seed)
            for parameter in model.parameters():
                parameter.grad = torch.randn(parameter.shape, generator=generator)
            step()
    for one, other in zip(*(model.parameters() for model in models), strict=True):
        assert torch.equal(one, other)
        assert one.requires_grad


def convolution(memory_format: torch.memory_format = torch.contiguous_format) -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 4, 2))
    return model.to(memory_format=memory_format)


def image_steps(model: nn.Module, optimizer: torch.optim.Optimizer, count: int) -> None:
    inputs = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    for _ in range(count):
        optimizer.zero_grad()
        model(inputs).square().sum().backward()
        optimizer.step()


@pytest.mark.parametrize("name", ["SGD", "Adam"])
@pytest.mark.parametrize("written", [{"fused": True}, {"foreach": True}, {}], ids=str)
@pytest.mark.parametrize("read", [{"fused": True}, {}], ids=str)
def test_state_goes_on_under_another_implementation_and_memory_format(name, written, read):
    settings = {"momentum": 0.9} if name == "SGD" else {}
    kind = OPTIMIZERS[name]
    before = convolution(torch.channels_last)
    optimizer = build_optimizer(kind(**settings, **written), before)
    image_steps(before, optimizer, 3)

    after = convolution()
    after.load_state_dict(before.state_dict())
    other = build_optimizer(kind(**settings, **read), after)
    load_optimizer(other, copy.deepcopy(optimizer.state_dict()))
    assert other.param_groups[0].get("fused") == read.get("fused")
    assert other.param_groups[0]["foreach"] is None
    for parameter, state in other.state.items():
        for value in state.values():
            if isinstance(value, torch.Tensor) and value.ndim:
                assert value.stride() == parameter.stride()
    for mine, theirs in zip(other.state.values(), optimizer.state.values(), strict=True):
        assert all(torch.equal(mine[key], theirs[key]) for key in theirs)

    image_steps(before, optimizer, 2)
    image_steps(after, other, 2)
    for mine, theirs in zip(after.parameters(), before.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-6)

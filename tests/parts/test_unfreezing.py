import pytest
import torch
from torch import Tensor, nn

from engine.contract.model import Model, Unfreeze
from engine.contract.optimizer import OPTIMIZERS
from engine.contract.problems import InputError, Problem
from engine.loop import train
from engine.parts.backbones import build_skeleton
from engine.parts.unfreezing import Stages, build_stages
from tests.tiny import CLASSES, FEATURES, in_batches, job_of, parts_of, samples


def staged(*stages: tuple[int, list[str]], **keys: object) -> tuple[nn.Module, Stages]:
    unfreeze = [Unfreeze(epoch=epoch, layers=layers) for epoch, layers in stages]
    section = Model(backbone="resnet18", unfreeze=unfreeze, **({"freeze": ["*"]} | keys))
    built = build_skeleton(section, 2)
    return built.model, build_stages(built.model, section, built.heads)


def problems(*stages: tuple[int, list[str]], **keys: object) -> list[Problem]:
    with pytest.raises(InputError) as caught:
        staged(*stages, **keys)
    return list(caught.value.problems)


def trains(model: nn.Module) -> set[str]:
    return {name.split(".")[0] for name, p in model.named_parameters() if p.requires_grad}


def test_each_stage_adds_its_layers_at_its_epoch_from_wherever_it_is_entered():
    model, stages = staged((2, ["layer4"]), (5, ["layer[23]", "conv1"]))
    third = {"fc", "layer4", "layer2", "layer3", "conv1"}
    assert trains(model) == third, "what the optimizer has to know"
    expected = {0: {"fc"}, 1: {"fc"}, 2: {"fc", "layer4"}, 4: {"fc", "layer4"}, 5: third, 9: third}
    for epoch in (0, 1, 2, 4, 5, 9, 4, 0):
        stages.enter(epoch)
        assert trains(model) == expected[epoch]
    assert [stages.beginning(epoch) is not None for epoch in range(6)] == [
        False, False, True, False, False, True
    ]  # fmt: skip
    assert stages.first_epoch("fc.weight") == 0
    assert stages.first_epoch("layer4.0.conv1.weight") == 2
    assert stages.first_epoch("layer1.0.conv1.weight") is None


def test_what_begins_to_train_goes_to_training_mode_and_the_rest_stays():
    model, stages = staged((1, ["layer4"]))
    for epoch, alive in ((0, False), (1, True), (0, False)):
        stages.enter(epoch).train_mode(model)
        assert model.get_submodule("layer4.0.bn1").training == alive
        assert not model.get_submodule("layer3.0.bn1").training


def test_norm_layers_that_were_spared_train_from_the_start():
    model, stages = staged((1, ["layer4"]), freeze_norm=False)
    stages.enter(0).train_mode(model)
    assert model.get_submodule("layer4.0.bn1").training
    assert not model.get_submodule("layer4.0.conv1").training
    assert stages.first_epoch("layer4.0.bn1.weight") == 0
    assert stages.first_epoch("layer4.0.conv1.weight") == 1


def test_a_head_frozen_by_its_own_name_is_unfrozen_by_its_own_name():
    model, stages = staged((1, ["fc"]), freeze=["fc"])
    stages.enter(0)
    assert "fc" not in trains(model)
    stages.enter(1)
    assert "fc" in trains(model)


def test_the_report_says_what_comes_when():
    _, stages = staged((1, ["layer4"]), (3, ["layer3", "layer2"]))
    first, second = stages.describe()
    # ResNet-18's layer4 has 8,393,728 parameters, and the head of two outputs 1,026.
    assert first == "after 1 epoch: layer4 too, 8,394,754 parameters"
    assert second.startswith("after 3 epochs: layer3, layer2 too, ")


def test_a_layer_that_does_not_exist_or_trains_already_is_told_with_its_place():
    first, second = problems((1, ["layr4", "layer3"]), (2, ["bn1", "layer3"]), freeze=["layer*"])
    assert first.key == "model.unfreeze.0.layers.0"
    assert 'did you mean "layer4"' in first.hint
    assert second.key == "model.unfreeze.1.layers.0"
    assert second.message == '"bn1" trains already: nothing in it is frozen'
    assert "frozen until then: layer1, layer2" in second.hint
    (again,) = problems((1, ["layer3"]), (2, ["layer3"]))
    assert again.key == "model.unfreeze.1.layers.0"


def test_without_anything_frozen_there_is_nothing_to_unfreeze():
    (problem,) = problems((1, ["layer4"]), freeze=[])
    assert "write what is under model.freeze" in problem.hint


def test_the_head_is_not_unfrozen_by_a_star():
    model, stages = staged((1, ["*"]), (2, ["fc*"]), freeze=["layer1", "fc"])
    for epoch, expected in ((1, {"layer1"}), (2, {"layer1", "fc"})):
        stages.enter(epoch)
        assert trains(model) & {"layer1", "fc"} == expected


# Training, against torch's own optimizers by hand

EPOCHS, BEGIN = 4, 2
BATCHES = in_batches(*samples(24), 8, 8, 8)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    body = nn.Sequential(nn.Linear(FEATURES, 8), nn.BatchNorm1d(8), nn.Tanh())
    return nn.Sequential(body, nn.Linear(8, CLASSES))


SETTINGS = [
    ("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1}),
    ("AdamW", {"lr": 0.01, "weight_decay": 0.1}),
    ("AdamW", {"lr": 0.01, "weight_decay": 0.1, "foreach": True}),
    ("AdamW", {"lr": 0.01, "weight_decay": 0.1, "fused": True}),
    ("LBFGS", {"lr": 0.1, "max_iter": 3}),
]


def by_hand(name: str, keywords: dict[str, object]) -> dict[str, Tensor]:
    """As a script does it: a new optimizer for what begins to train, beside the one that runs."""
    model = network()
    body, head = model[0], model[1]
    kind = getattr(torch.optim, name)
    optimizers = [kind(head.parameters(), **keywords)]
    for epoch in range(EPOCHS):
        if epoch == BEGIN and name == "LBFGS":  # which knows one group only
            optimizers = [kind(model.parameters(), **keywords)]
        elif epoch == BEGIN:
            optimizers.append(kind(body.parameters(), **keywords))
        body.requires_grad_(epoch >= BEGIN).train(epoch >= BEGIN)
        for batch in BATCHES:

            def closure(batch=batch) -> Tensor:
                model.zero_grad()
                loss = nn.functional.cross_entropy(model(batch.inputs), batch.targets)
                loss.backward()
                return loss

            if name == "LBFGS":
                optimizers[0].step(closure)
            else:
                closure()
                for optimizer in optimizers:
                    optimizer.step()
    return model.state_dict()


@pytest.mark.parametrize(("name", "keywords"), SETTINGS, ids=str)
def test_a_layer_that_begins_to_train_has_an_optimizer_as_new_as_by_hand(name, keywords, tmp_path):
    section = Model(
        backbone="resnet18", freeze=["*"], unfreeze=[Unfreeze(epoch=BEGIN, layers=["0"])]
    )
    parts = parts_of(
        BATCHES,
        model=network(),
        heads=["1"],
        model_section=section,
        optimizer=OPTIMIZERS[name](**keywords),
        train_section={"epochs": EPOCHS},
    )
    train(job_of(parts, tmp_path))
    expected, got = by_hand(name, keywords), parts.model.state_dict()
    # Bit for bit; but L-BFGS's dot products are over more zeros, and so summed in another order.
    tolerance = {"rtol": 1e-4, "atol": 1e-5} if name == "LBFGS" else {"rtol": 0.0, "atol": 0.0}
    torch.testing.assert_close(got, expected, **tolerance)


@pytest.mark.parametrize(("name", "keywords"), SETTINGS, ids=str)
def test_what_is_still_frozen_neither_moves_nor_decays_nor_has_state(name, keywords, tmp_path):
    section = Model(
        backbone="resnet18", freeze=["*"], unfreeze=[Unfreeze(epoch=EPOCHS, layers=["0"])]
    )
    parts = parts_of(
        BATCHES,
        model=network(),
        heads=["1"],
        model_section=section,
        optimizer=OPTIMIZERS[name](**keywords),
        train_section={"epochs": EPOCHS},
    )
    train(job_of(parts, tmp_path))
    before, after = network().state_dict(), parts.model.state_dict()
    moved = {n for n in before if not torch.equal(before[n], after[n])}
    assert moved == {"1.weight", "1.bias"}
    body = set(parts.model[0].parameters())  # type: ignore[index]
    assert body <= {p for group in parts.optimizer.param_groups for p in group["params"]}
    assert all(p.grad is None and not p.requires_grad for p in body)
    if name != "LBFGS":  # whose state is one for all
        assert not body & set(parts.optimizer.state)

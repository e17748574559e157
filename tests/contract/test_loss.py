"""[loss] and [[loss]]: torch's own names, keywords and defaults; each mistake where it stands."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.contract.experiment import Experiment
from engine.contract.loss import DEPRECATED, LOSSES, REFUSED, Custom
from engine.contract.problems import InputError, Problem
from engine.contract.tasks import DEFAULT_LOSS, DEFAULT_METRICS
from engine.contract.toml_file import read

TORCH = {
    name: kind
    for name, kind in vars(torch.nn).items()
    if isinstance(kind, type) and issubclass(kind, torch.nn.Module) and "Loss" in name
}
# What a torch older or newer than this one may lack; both are refused.
PASSING = {"NLLLoss2d", "LinearCrossEntropyLoss"}
OURS = {"name", "scale"}
HEAD = '[data]\n[model]\nbackbone = "resnet18"\n[train]\nepochs = 2\n'
TABLE = HEAD.replace("[data]", '[data]\ndataset = "ImageTable"\nroot = "faces.csv"')
OWN = HEAD.replace("[data]", '[data]\ntarget = "mine.py:build"')
MASKS = HEAD.replace("[data]", '[data]\ndataset = "ImageMaskFolder"\nroot = "streets"').replace(
    "resnet18", "fcn_resnet50"
)


def labels(text: str = OWN) -> str:
    return text.replace("[data]", '[data]\ntask = "multilabel"')


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "it.toml"


def experiment(file: Path, text: str, *overrides: str) -> Experiment:
    file.write_text(text)
    return read(file, overrides).experiment


def problems(file: Path, text: str, *overrides: str) -> list[Problem]:
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        read(file, overrides)
    return list(caught.value.problems)


def only(file: Path, text: str, *overrides: str) -> Problem:
    (problem,) = problems(file, text, *overrides)
    return problem


def signature(kind: type) -> dict[str, Any]:
    return {key: value.default for key, value in inspect.signature(kind).parameters.items()}


def test_every_loss_of_torch_is_declared_or_refused_with_a_reason() -> None:
    assert set(TORCH) | PASSING == {*LOSSES, *REFUSED}
    assert not set(LOSSES) & set(REFUSED)
    assert all(len(reason) > 30 for reason in REFUSED.values())


@pytest.mark.parametrize("name", sorted({*TORCH} - {"NLLLoss2d"}))  # an old name of NLLLoss
def test_what_takes_an_output_and_a_target_is_declared_and_nothing_else(name: str) -> None:
    """By torch's own forward; GaussianNLLLoss takes a third, a `var`."""
    taken = list(inspect.signature(TORCH[name].forward).parameters)[1:]
    made = [
        key for key, value in signature(TORCH[name]).items() if value is inspect.Parameter.empty
    ]
    assert (len(taken) == 2 and not made) == (name in LOSSES)


@pytest.mark.parametrize("name", LOSSES)
def test_every_keyword_and_default_is_torchs_own(name: str) -> None:
    theirs = signature(TORCH[name])
    declared = {
        key: info.get_default()
        for key, info in LOSSES[name].model_fields.items()
        if key not in OURS
    }
    assert declared == {key: theirs[key] for key in theirs if key not in DEPRECATED}
    assert LOSSES[name].model_fields["scale"].default == 1.0


def test_what_is_deprecated_stands_in_torchs_signatures_still() -> None:
    assert set(DEPRECATED) <= set(signature(torch.nn.MSELoss))


@pytest.mark.parametrize("name", [*LOSSES, "Custom"])
def test_every_key_has_its_help(name: str) -> None:
    fields = LOSSES.get(name, Custom).model_fields.items()
    assert [key for key, info in fields if not info.description] == []


@pytest.mark.parametrize("name", LOSSES)
def test_a_name_picks_the_class(file: Path, name: str) -> None:
    task = LOSSES[name].tasks[0]
    text = OWN.replace("[data]", f'[data]\ntask = "{task}"')
    if task == "segmentation":
        text = text.replace("resnet18", "fcn_resnet50")
    (term,) = experiment(file, f'{text}[loss]\nname = "{name}"').loss
    assert type(term) is LOSSES[name]


@pytest.mark.parametrize("task", DEFAULT_LOSS)
@pytest.mark.parametrize("section", ["", "[loss]", "[[loss]]", "[loss]\nscale = 1.0"])
def test_a_loss_without_a_name_is_the_usual_one_of_the_task(
    file: Path, task: str, section: str
) -> None:
    usual = {
        "classification": "CrossEntropyLoss",
        "multilabel": "BCEWithLogitsLoss",
        "regression": "MSELoss",
        "segmentation": "CrossEntropyLoss",
    }
    text = OWN.replace("[data]", f'[data]\ntask = "{task}"')
    if task == "segmentation":
        text = text.replace("resnet18", "lraspp_mobilenet_v3_large")
    read_ = experiment(file, f"{text}{section}\n")
    assert [term.name for term in read_.loss] == [usual[task]]
    assert read_.task == task
    assert task in DEFAULT_METRICS


def test_masks_are_a_segmentation_and_a_tables_loss_tells_its_task(file: Path) -> None:
    assert experiment(file, MASKS).task == "segmentation"
    assert experiment(file, TABLE).task == "classification"
    for name, task in [("HuberLoss", "regression"), ("BCELoss", "multilabel")]:
        assert experiment(file, f'{TABLE}[loss]\nname = "{name}"').task == task


def test_several_terms_are_read_in_their_order_and_each_has_a_title(file: Path) -> None:
    text = (
        f'{HEAD}[[loss]]\nscale = 0.5\n[[loss]]\nname = "MultiMarginLoss"\np = 2\n'
        '[[loss]]\ntarget = "losses.py:DiceLoss"\nargs = { smooth = 1.0 }\n'
        '[[loss]]\nlabel_smoothing = 0.1\n[[loss]]\ntarget = "package.losses:Focal.make"\n'
    )
    read_ = experiment(file, text)
    assert [term.scale for term in read_.loss] == [0.5, 1.0, 1.0, 1.0, 1.0]
    assert read_.term_titles == [
        *("CrossEntropyLoss", "MultiMarginLoss", "DiceLoss", "CrossEntropyLoss.2", "Focal.make"),
    ]
    assert read_.loss[2].model_dump()["args"] == {"smooth": 1.0}


def test_a_title_that_has_a_dot_of_its_own_is_counted_too(file: Path) -> None:
    text = HEAD + '[[loss]]\ntarget = "a.py:Focal.make"\n' * 2
    assert experiment(file, text).term_titles == ["Focal.make", "Focal.make.2"]


LINE = HEAD.count("\n") + 2  # the first below [loss]


@pytest.mark.parametrize(
    ("wrong", "key", "message", "hint"),
    [
        ('name = "CrossEntropy"', "name", "is not known", '"CrossEntropyLoss"'),
        ('name = "mse"', "name", '"mse" is not known', 'did you mean "MSELoss"'),
        ('name = "CTCLoss"', "name", "lengths of sequences", "one of:"),
        ('name = "TripletMarginLoss"', "name", "an anchor", "one of:"),
        ('name = "GaussianNLLLoss"', "name", "a variance", "one of:"),
        ('name = "AdaptiveLogSoftmaxWithLoss"', "name", "parameters of its own", "one of:"),
        ('name = "NLLLoss2d"', "name", "deprecated by torch", "one of:"),
        ("name = 3", "name", "should be text in quotes, not 3", "one of:"),
        ("smoothing = 0.1", "smoothing", "unknown key", '"label_smoothing"'),
        ("weights = [1.0]", "weights", "unknown key", '"weight"? weights belongs in [model]'),
        ("pos_weight = [1.0]", "pos_weight", "unknown key", "weight"),
        ("reduce = false", "reduce", "unknown key", 'reduction = "none"'),
        ("size_average = false", "size_average", "unknown key", 'reduction = "sum"'),
        ("label_smoothing = 1.5", "label_smoothing", "should be at most 1, not 1.5", "tenth"),
        ("label_smoothing = -0.1", "label_smoothing", "should be at least 0", "tenth"),
        ('reduction = "avg"', "reduction", '"mean", "sum" or "none", not "avg"', ""),
        ("ignore_index = 255.0", "ignore_index", "should be a whole number", "write 255"),
        ('weight = "balance"', "weight", 'should be "balanced" or a list', ""),
        ("weight = [1, 'a']", "weight.1", "should be a number", ""),
        ("weight = [1, nan]", "weight.1", "should be a finite number", ""),
        ("scale = inf", "scale", "should be a finite number", ""),
        ('name = "SmoothL1Loss"\nbeta = -1', "beta", "should be at least 0, not -1", ""),
        ('name = "HuberLoss"\ndelta = 0', "delta", "should be more than 0, not 0", ""),
        ('name = "HingeEmbeddingLoss"\nmargin = 0', "margin", "should be more than 0", ""),
        ('name = "MultiMarginLoss"\np = 3', "p", "should be 1 or 2, not 3", ""),
        ('name = "PoissonNLLLoss"\neps = 0', "eps", "should be more than 0", ""),
        ('name = "PoissonNLLLoss"\nlog_input = 1', "log_input", "should be true or false", ""),
        ('name = "KLDivLoss"\nreduction = "batch"', "reduction", '"batchmean"', ""),
        ('target = "losses.py"', "target", '"file.py:name"', ""),
        ('target = "losses.py:f"\nsmooth = 1', "smooth", "unknown key", "args"),
        ('target = "losses.py:f"\nactivation = "relu"', "activation", '"softplus"', ""),
        ('target = "losses.py:f"\nname = "MSELoss"', "name", "unknown key", "keep one of the two"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("brackets", ["[loss]", "[[loss]]", "second"])
def test_a_mistake_is_told_at_its_key_and_its_line(
    file: Path, brackets: str, wrong: str, key: str, message: str, hint: str
) -> None:
    above = "[[loss]]\n[[loss]]\n" if brackets == "second" else f"{brackets}\n"
    base = {"[loss]": "loss", "[[loss]]": "loss.0", "second": "loss.1"}[brackets]
    problem = only(file, f"{HEAD}{above}{wrong}\n")
    assert problem.key == f"{base}.{key}"
    assert problem.line == LINE + above.count("\n") - 1 + wrong.count("\n")
    assert message in problem.message
    assert hint in problem.hint


def test_every_mistake_of_every_term_is_told_at_once(file: Path) -> None:
    text = f'{HEAD}[[loss]]\nnmae = 1\n[[loss]]\nname = "MSE"\n[[loss]]\nlabel_smoothing = 2\n'
    assert [(each.key, each.line) for each in problems(file, text)] == [
        ("loss.0.nmae", LINE), ("loss.1.name", LINE + 2), ("loss.2.label_smoothing", LINE + 4),
    ]  # fmt: skip


def test_a_loss_that_is_no_table_is_told_how_it_is_written(file: Path) -> None:
    problem = only(file, f'loss = "MSELoss"\n{HEAD}')
    assert (problem.key, problem.line) == ("loss", 1)
    assert problem.message == 'should be a table, not "MSELoss"'
    assert "[loss]" in problem.hint
    assert only(file, f"loss = []\n{HEAD}").key == "loss"


@pytest.mark.parametrize("section", ["", "[loss]\n", '[loss]\nname = "NLLLoss"\n'])
def test_an_override_reaches_the_one_loss(file: Path, section: str) -> None:
    (term,) = experiment(file, HEAD + section, "loss.weight=balanced").loss
    assert term.model_dump()["weight"] == "balanced"
    problem = only(file, HEAD + section, "loss.weight=3")
    assert (problem.key, problem.line) == ("loss.weight", None)


def test_an_override_reaches_one_of_several(file: Path) -> None:
    text = f'{HEAD}[[loss]]\n[[loss]]\nname = "NLLLoss"\n'
    terms = experiment(file, text, "loss.1.scale=0.5").loss
    assert [term.scale for term in terms] == [1.0, 0.5]
    assert only(file, text, "loss.scale=0.5").message.startswith("there is no such place")


@pytest.mark.parametrize(
    ("text", "key", "message", "hint"),
    [
        (f'{HEAD}[loss]\nname = "MSELoss"', "loss.name", "is no loss for a classification",
         'write task = "regression" under [data]'),
        (f'{HEAD}[[loss]]\n[[loss]]\nname = "L1Loss"', "loss.1.name", "L1Loss is no loss for", ""),
        (f'{labels()}[loss]\nname = "CrossEntropyLoss"', "loss.name", "for a multilabel",
         "there are: BCEWithLogitsLoss"),
        (f"{HEAD}[[loss]]\n[[loss]]\nignore_index = 3", "loss.1.ignore_index",
         "an earlier term ignores -100", "give all terms the same"),
        (f"{OWN.replace('[data]', chr(10).join(['[data]', 'standardize = true']))}",
         "data.standardize", "a classification has no numbers", 'task = "regression"'),
        (MASKS.replace("fcn_resnet50", "resnet18"), "model.backbone", "no output for each pixel",
         "fcn_resnet50"),
        (HEAD.replace("resnet18", "fcn_resnet50"), "model.backbone", "a class for each pixel",
         "classification backbone"),
        (f"{HEAD}[checkpoint]\nmonitor = 'val/mae'", "checkpoint.monitor",
         'no metric is called "val/mae"', "val/accuracy"),
        (f"{TABLE}[loss]\nname = 'MSELoss'\n[checkpoint]\nmonitor = 'val/accuracy'",
         "checkpoint.monitor", 'no metric is called "val/accuracy"', "val/r2"),
        (f"{HEAD}[checkpoint]\nmonitor = 'val/loss/CrossEntropyLoss'", "checkpoint.monitor",
         "no metric is called", "val/loss"),
        (f"{HEAD}[[scheduler]]\nname = 'ReduceLROnPlateau'\nmonitor = 'val/acuracy'",
         "scheduler.0.monitor", "no metric is called", 'did you mean "val/accuracy"'),
        (f"{HEAD}[[metric]]\nname = 'AUROC'\n[[metric]]\nname = 'AUROC'", "metric.1.label",
         'there is a metric "AUROC" already', 'label = "…"'),
        (f"{HEAD}[[metric]]\nname = 'AUROC'\nlabel = 'accuracy'", "metric.0.label",
         'there is a metric "accuracy" already', ""),
        (f"{HEAD}[[metric]]\nname = 'AUROC'\nlabel = 'loss'", "metric.0.label",
         'there is a metric "loss" already', ""),
    ],
)  # fmt: skip
def test_sections_that_do_not_fit_each_other_are_told_at_the_key_to_change(
    file: Path, text: str, key: str, message: str, hint: str
) -> None:
    problem = only(file, text)
    assert problem.key == key
    assert message in problem.message
    assert hint in problem.hint


@pytest.mark.parametrize(
    ("text", "monitor"),
    [
        (f"{HEAD}[[loss]]\n[[loss]]\nname = 'NLLLoss'", "val/loss/NLLLoss"),
        (f"{HEAD}[[loss]]\n[[loss]]", "train/loss/CrossEntropyLoss.2"),
        (f"{HEAD}[[metric]]\nname = 'AUROC'\nlabel = 'area'", "val/area"),
        (f"{TABLE}[loss]\nname = 'L1Loss'", "val/mae"),
        (f"{TABLE}[loss]\nname = 'L1Loss'", "val/mae/age"),
        (MASKS, "val/miou"),
    ],
)
def test_what_the_loss_and_the_metrics_measure_can_be_monitored(
    file: Path, text: str, monitor: str
) -> None:
    read_ = experiment(file, f"{text}\n[checkpoint]\nmonitor = '{monitor}'")
    assert read_.checkpoint.monitor == monitor


def test_terms_that_ignore_nothing_of_their_own_go_with_any(file: Path) -> None:
    text = f"{HEAD}[[loss]]\nname = 'SoftMarginLoss'\n[[loss]]\nignore_index = 3"
    assert experiment(file, text).ignore_index == 3
    assert experiment(file, HEAD).ignore_index == -100

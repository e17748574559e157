"""What is wrong with the values of a file, in the words of the person who wrote it."""

import tomllib

import pytest

from engine.contract.problems import Problem
from engine.contract.validation import validate
from tests.contract.good_files import SHORT

HEAD = '[data]\n[model]\nbackbone = "resnet18"\n[train]\nepochs = 2\n'


def problems(text: str) -> dict[str, Problem]:
    values = {"name": "x"} | tomllib.loads(text)
    return {problem.key: problem for problem in validate(values)[1]}


def only(text: str) -> Problem:
    (problem,) = problems(text).values()
    return problem


@pytest.mark.parametrize(
    ("text", "key", "hint"),
    [
        (f"sead = 1\n{HEAD}", "sead", 'did you mean "seed"?'),
        (f"{HEAD}[lost]", "lost", 'did you mean "loss"?'),
        ('[data]\nbatchsize = 1\n[model]\nbackbone = "resnet18"\n[train]\nepochs = 1',
         "data.batchsize", 'did you mean "batch_size"?'),
        ('[model]\nbackbone = "resnet18"\nweigths = "none"\n[train]\nepochs = 1',
         "model.weigths", 'did you mean "weights"'),
        (f"{HEAD}devise = 'cpu'", "train.devise", 'did you mean "device"?'),
        (f"{HEAD}[loss]\nsmoothing = 0.1", "loss.smoothing", 'did you mean "label_smoothing"?'),
        (f"{HEAD}[checkpoint]\nkeeps = 1", "checkpoint.keeps", 'did you mean "keep"?'),
        (f"{HEAD}[optimizer]\nname = 'SGD'\nmomentun = 1", "optimizer.momentun", '"momentum"?'),
        (f"{HEAD}[[optimizer.group]]\nname = 'h'\nmatch = ['fc']\nmomentun = 1",
         "optimizer.group.0.momentun", '"momentum"?'),
        (f"{HEAD}[[scheduler]]\nname = 'StepLR'\nstep_size = 1\ngama = 1",
         "scheduler.0.gama", 'did you mean "gamma"?'),
        (f"{HEAD}lr = 0.1", "train.lr", "lr belongs in [optimizer]"),
        (f"epochs = 1\n{HEAD}", "epochs", "epochs belongs in [train]"),
        (f"{HEAD}seed = 1", "train.seed", "seed belongs above the first [section]"),
        (f"{HEAD}[optimizer]\nname = 'Adam'\nmomentum = 0.9", "optimizer.momentum",
         "known here: name, lr,"),
        (f"{HEAD}[loss]\nreduce = false", "loss.reduce", 'reduction = "none"'),
        (f"{HEAD}[loss]\nsize_average = false", "loss.size_average", 'reduction = "sum"'),
        (f"{HEAD}[[scheduler]]\ntarget = 'a.py:f'\nname = 'f'", "scheduler.0.name",
         "keep one of the two"),
    ],
)  # fmt: skip
def test_an_unknown_key_is_told_with_the_one_that_was_meant(text: str, key: str, hint: str) -> None:
    problem = only(text)
    assert (problem.key, problem.message) == (key, "unknown key")
    assert hint in problem.hint


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("epochs = '3'", 'should be a whole number, not "3"', "write 3 without quotes"),
        ("epochs = 3.0", "should be a whole number, not 3.0", "write 3"),
        ("epochs = 0", "should be at least 1, not 0", "How often each training sample is seen."),
        ("epochs = true", "should be a whole number, not true", "How often"),
        ("epochs = []", "should be a whole number, not a list of 0", "How often"),
        ("epochs = 2020-01-01", "should be a whole number, not the date 2020-01-01", "How often"),
        ("epochs = 9223372036854775808", "is a number of more than 64 bits", "write a smaller one"),
        ("epochs = 1\nclip_norm = 0", "should be more than 0, not 0", "Scale the gradient down"),
        ("epochs = 1\nclip_norm = nan", "should be a finite number, not nan", "Scale the"),
        ("epochs = 1\nclip_norm = '1'", 'should be a number, not "1"', "write 1 without quotes"),
        ("epochs = 1\ndevice = 'gpu'", '"gpu" is no device', '"cuda:1" or "mps"'),
        ("epochs = 1\ndevice = 'cuda:'", '"cuda:" is no device', '"cuda:1" or "mps"'),
        ("epochs = 1\ndevice = 1", "should be text in quotes, not 1", "auto | cpu | cuda"),
        ("epochs = 1\ndeterministic = 1", "should be true or false, not 1", "write true"),
        ("epochs = 1\ndeterministic = 'no'", 'should be true or false, not "no"', "write false"),
        ("epochs = 1\nprecision = 'BF16'", 'should be "fp32", "bf16" or "fp16", not "BF16"',
         'did you mean "bf16"'),
    ],
)  # fmt: skip
def test_a_wrong_value_is_told_in_plain_words(line: str, message: str, hint: str) -> None:
    problem = only(f'[model]\nbackbone = "resnet18"\n[train]\n{line}')
    assert problem.message == message
    assert hint in problem.hint


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("weight = 'balance'", 'should be "balanced" or a list, not "balance"'),
        ("weight = 3", 'should be "balanced" or a list, not 3'),
        ("label_smoothing = 1.5", "should be at most 1, not 1.5"),
        ("reduction = 'avg'", 'should be "mean", "sum" or "none", not "avg"'),
    ],
)
def test_a_wrong_value_of_the_loss_is_one_problem(line: str, message: str) -> None:
    assert only(f"{HEAD}[loss]\n{line}").message == message


def test_a_wrong_element_of_a_list_is_told_at_its_position() -> None:
    problem = only(f"{HEAD}[loss]\nweight = [1, 'a', 3]")
    assert (problem.key, problem.message) == ("loss.weight.1", 'should be a number, not "a"')


def test_a_fraction_beyond_its_bounds_is_told_with_what_to_write() -> None:
    problem = only(SHORT.replace("[data]", "[data]\nval = 1.5"))
    assert problem.key == "data.val"
    assert "more than 0 and less than 1" in problem.message
    assert "write 0.2" in problem.hint


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("adamw", '"AdamW"'),
        ("RMSProp", '"RMSprop"'),
        ("Lion", "one of: SGD, Adam"),
        ("", "one of:"),
    ],
)
def test_an_unknown_optimizer_is_told_with_the_nearest(name: str, near: str) -> None:
    problem = only(f'{HEAD}[optimizer]\nname = "{name}"')
    assert (problem.key, problem.message) == ("optimizer.name", f'"{name}" is not known')
    assert near in problem.hint


def test_the_optimizer_that_no_image_model_can_use_is_refused_with_the_reason() -> None:
    assert "sparse gradients" in only(f'{HEAD}[optimizer]\nname = "SparseAdam"').message


def test_an_unknown_loss_is_told_with_the_nearest() -> None:
    problem = only(f'{HEAD}[loss]\nname = "CrossEntropy"')
    assert problem.key == "loss.name"
    assert "CrossEntropyLoss" in problem.hint


def test_each_member_of_a_chain_is_told_its_own_problem() -> None:
    found = problems(
        f"{HEAD}[[scheduler]]\nstep_size = 1\n"
        '[[scheduler]]\nname = "StepRL"\n'
        "[[scheduler]]\nname = 3\n"
        '[[scheduler]]\nname = "StepLR"\nlast_epoch = 3\n'
        '[[scheduler]]\nname = "SequentialLR"\n'
    )
    assert {key: problem.message for key, problem in found.items() if key[-1] == "e"} == {
        "scheduler.0.name": "is missing",
        "scheduler.1.name": '"StepRL" is not known',
        "scheduler.2.name": "should be text in quotes, not 3",
        "scheduler.3.step_size": "is missing",
        "scheduler.4.name": found["scheduler.4.name"].message,
    }
    assert "container" in found["scheduler.4.name"].message
    assert "computed" in found["scheduler.3.last_epoch"].message
    assert "Custom" not in found["scheduler.2.name"].hint


@pytest.mark.parametrize(
    ("text", "key", "message", "hint"),
    [
        ("train = 3", "train", "should be a table, not 3", "write [train] once"),
        ('optimizer = "SGD"', "optimizer", 'should be a table, not "SGD"',
         "write [optimizer] with"),
        ("[[optimizer]]", "optimizer", "should be a table, not a list of 1", "write [optimizer]"),
        ("[[checkpoint]]", "checkpoint", "should be a table, not a list of 1", "single brackets"),
        ("[scheduler]", "scheduler", "should be a list, not a table", "write [[scheduler]]"),
        ("scheduler = ['StepLR']", "scheduler.0", 'should be a table, not "StepLR"',
         "write [[scheduler]]"),
        ("[optimizer]\ngroup = 1", "optimizer.group", "should be a list, not 1",
         "write [[optimizer.group]]"),
        ("[data]\naugment = 'Flip'", "data.augment", 'should be a list, not "Flip"',
         "[[data.augment]]"),
        ("[data]\naugment = ['Flip']", "data.augment.0", 'should be a table, not "Flip"',
         "{ name ="),
    ],
)  # fmt: skip
def test_a_section_that_is_something_else_is_told_how_it_is_written(
    text: str, key: str, message: str, hint: str
) -> None:
    problem = problems(text)[key]
    assert problem.message == message
    assert hint in problem.hint


def test_a_missing_section_is_told_with_the_key_it_needs() -> None:
    found = problems("seed = 1")
    assert {key: problem.hint for key, problem in found.items()} == {
        "model": "write [model] with backbone = …",
        "train": "write [train] with epochs = …",
    }


def test_a_missing_key_is_told_with_its_help() -> None:
    problem = only('[model]\nbackbone = "resnet18"\n[train]')
    assert (problem.key, problem.message) == ("train.epochs", "is missing")
    assert problem.hint == "write epochs = …: How often each training sample is seen."


GROUPS = f"""{HEAD}
[optimizer]
name = "SGD"
lr = -1
[[optimizer.group]]
name = "head"
match = "fc"
lr = -1
[[optimizer.group]]
name = "norm"
match = []
weight_decai = 0
betas = [0.9, 0.99]
group = []
[[optimizer.group]]
mach = ["x"]
"""


def test_every_problem_of_every_group_is_told_beside_those_of_the_optimizer() -> None:
    assert {key: problem.message for key, problem in problems(GROUPS).items()} == {
        "optimizer.lr": "should be at least 0, not -1",
        "optimizer.group.0.match": 'should be a list, not "fc"',
        "optimizer.group.0.lr": "should be at least 0, not -1",
        "optimizer.group.1.match": "should have at least 1 item, not 0",
        "optimizer.group.1.weight_decai": "unknown key",
        "optimizer.group.1.betas": "unknown key",
        "optimizer.group.1.group": "a group has no groups",
        "optimizer.group.2.match": "is missing",
        "optimizer.group.2.mach": "unknown key",
    }
    assert problems(GROUPS)["optimizer.group.2.mach"].hint == 'did you mean "match"?'
    assert problems(GROUPS)["optimizer.group.0.match"].hint == 'write ["fc"]'


@pytest.mark.parametrize("key", ["SGD", '"a b"', '"a.b"', '""'])
def test_a_strange_key_is_told_as_it_stands_in_the_file(key: str) -> None:
    assert only(f"{HEAD}[optimizer]\n{key} = 1").key == f"optimizer.{key}"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("name = 'a/b'", "name"), ("name = ''", "name"), ("name = '.x'", "name"),
        ("name = 3", "name"), ("seed = -1", "seed"), ("seed = '1'", "seed"),
    ],
)  # fmt: skip
def test_the_name_is_a_folders_and_the_seed_a_number(text: str, key: str) -> None:
    assert only(f"{text}\n{HEAD}").key == key


def test_depth_is_refused_and_not_run_into() -> None:
    text = HEAD.replace("[data]", "[data]\nargs.a = " + "[" * 150 + "]" * 150)
    assert "levels deep" in only(text).message


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        ("[checkpoint]\nmonitor = 'val/acc'", "checkpoint.monitor",
         'no metric is called "val/acc"'),
        ("[optimizer]\nnesterov = true", "optimizer.nesterov", "needs a momentum"),
        ("precision = 'fp16'\n[optimizer]\nname = 'LBFGS'", "train.precision", "gradient scaler"),
        ("[optimizer]\nname = 'LBFGS'\n[[optimizer.group]]\nname = 'h'\nmatch = ['fc']",
         "optimizer.group.0", "one group only"),
        ("[[optimizer.group]]\nname = 'default'\nmatch = ['fc']", "optimizer.group.0.name",
         "the name of another group"),
        ("[[scheduler]]\nname = 'ReduceLROnPlateau'\nmonitor = 'loss'", "scheduler.0.monitor",
         'no metric is called "loss"'),
        ("compile = 'reduce-overhead'\naccumulate = 2", "train.compile", "CUDA graphs"),
        ("compile = 'reduce-overhead'\n[optimizer]\nname = 'LBFGS'",
         "train.compile", "CUDA graphs"),
        ("[optimizer]\nfused = true\n[[optimizer.group]]\nmatch = ['fc']\nmomentum = 0.9\n"
         "[[model.unfreeze]]\nepoch = 1\nlayers = ['fc']",
         "optimizer.fused", "begin to train later"),
        ("precision = 'fp16'\n[optimizer]\nfused = true\nmomentum = 0.9",
         "optimizer.fused", "fp16 leaves the first step out"),
    ],
)  # fmt: skip
def test_rules_that_span_sections_are_told_at_the_key_to_change(
    text: str, key: str, message: str
) -> None:
    from engine.contract.experiment import cross_checks

    experiment, found = validate({"name": "x"} | tomllib.loads(HEAD + text))
    assert found == []
    assert experiment is not None
    (problem,) = cross_checks(experiment)
    assert problem.key == key
    assert message in problem.message

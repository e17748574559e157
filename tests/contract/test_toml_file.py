"""A file in: an experiment out, or every problem with its file, line and key."""

import tomllib
from pathlib import Path

import pytest

from engine.contract.problems import InputError, Problem
from engine.contract.toml_file import MAX_BYTES, read, resolved_text
from tests.contract.good_files import EACH, FULL, GOOD, SHORT


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mine.toml"


def refused(file: Path, text: str | bytes | None = None, *overrides: str) -> list[Problem]:
    if text is not None:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError) as caught:
        read(file, overrides)
    return list(caught.value.problems)


def only(file: Path, text: str | bytes | None = None, *overrides: str) -> Problem:
    (problem,) = refused(file, text, *overrides)
    return problem


def test_a_short_file_is_an_experiment_named_after_it(file: Path) -> None:
    file.write_text(SHORT)
    experiment = read(file).experiment
    assert (experiment.name, experiment.seed, experiment.optimizer.lr) == ("mine", 0, 1e-3)


@pytest.mark.parametrize(
    ("stem", "name"),
    [("..x", "x"), ("a b", "a b"), ("x" * 120, "x" * 100), ("a\nb", "ab"), (". ", "experiment")],
)
def test_the_files_name_becomes_a_folders(tmp_path: Path, stem: str, name: str) -> None:
    path = tmp_path / f"{stem}.toml"
    path.write_text(SHORT)
    assert read(path).experiment.name == name


def test_what_is_written_is_what_is_read(file: Path) -> None:
    file.write_text(FULL)
    read_file = read(file)
    experiment = read_file.experiment
    assert [member.name for member in experiment.scheduler] == ["LinearLR", "MultiStepLR"]
    assert [group.options for group in experiment.optimizer.group] == [
        {"lr": 1e-2},
        {"weight_decay": 0.0},
    ]
    assert [term.model_dump()["weight"] for term in experiment.loss] == [[1.0, 2.5]]
    assert read_file.text == FULL.encode()
    assert read_file.folder == file.parent


def test_problems_come_all_at_once_in_the_order_of_their_lines(file: Path) -> None:
    text = (
        'seed = "x"\n[data]\nval = 1.5\nbatchsize = 1\n[model]\nbackbone = "resnet19"\n'
        '[loss]\nreduce = true\n[optimizer]\nname = "SGD"\nlr = -1\n[[optimizer.group]]\n'
        'name = "h"\nmatch = ["fc"]\nmomentun = 1\n[train]\nepochs = 0\n'
        '[[scheduler]]\nname = "StepRL"\n[checkpoint]\nkeep = -1\n'
    )
    found = refused(file, text)
    assert [(problem.line, problem.key) for problem in found] == [
        (1, "seed"),
        (3, "data.val"),
        (4, "data.batchsize"),
        (6, "model.backbone"),
        (8, "loss.reduce"),
        (11, "optimizer.lr"),
        (15, "optimizer.group.0.momentun"),
        (17, "train.epochs"),
        (19, "scheduler.0.name"),
        (21, "checkpoint.keep"),
    ]
    assert all(problem.file == file and problem.hint for problem in found)


def test_a_missing_file_is_told_with_the_names_that_are_near(file: Path) -> None:
    (file.parent / "digits.toml").write_text(SHORT)
    assert only(file).hint == "`ptrain new FILE` writes one to start from"
    problem = only(file.with_name("digit.toml"))
    assert (problem.message, problem.hint) == ("no such file", 'did you mean "digits.toml"?')
    assert only(file.parent / "nowhere" / "x.toml").message == "no such file"


def test_a_folder_is_no_experiment(tmp_path: Path) -> None:
    problem = only(tmp_path)
    assert (problem.file, problem.message) == (tmp_path, "this is a folder")


def test_a_file_inside_a_file_can_not_be_read(file: Path) -> None:
    file.write_text(SHORT)
    assert "can't be read" in only(file / "x.toml").message


def test_a_data_set_given_by_mistake_is_not_parsed(file: Path) -> None:
    assert "too large" in only(file, "#" * (MAX_BYTES + 1)).message


@pytest.mark.parametrize(
    ("text", "line", "key", "message", "hint"),
    [
        ("seed = 1\nname = hello", 2, "name", "invalid value", 'words stand in quotes: name = "…"'),
        ("seed = 1\n[train\nepochs = 1", 2, "train", "expected ']'", "look at: [train"),
        ("[train]\n[data]\n[train]\n", 3, "train", "[train] is there already", "in one place"),
        ("[[scheduler]]\n[scheduler]\n", 2, "scheduler", "is there already", "[[scheduler]]"),
        ("[loss]\n[[loss]]\n", 2, "loss.0", "[loss] is there already", "write [[loss]] there too"),
        ("[loss]\n[loss]\n", 2, "loss", "[loss] is there already", "[[loss]] for one more"),
        ("[metric]\n[metric]\n", 2, "metric", "is there already", "[[metric]] for one more"),
        ("[train]\nepochs = 1\nepochs = 2\n", 3, "train.epochs", "this key is there already",
         "keep one"),
        ("name = 'x\nseed = 1", 1, "name", "has no end", "close the quote"),
        ('[a]\nb = """x\nc = 1\n', 2, "a.b", "has no end", "close the quote"),
        ("[model]\nfreeze = [\n'a',\n[train]\nepochs = 1", 4, "train", "", "not closed"),
        ("a = {b = 1", 1, "a", "", ""),
        ("[train]\ndeterministic = True", 2, "train.deterministic", "",
         "write deterministic = true"),
        ("[train]\nclip_norm = None", 2, "train.clip_norm", "", "leave the key out"),
        ("[train]\nclip_norm = .5", 2, "train.clip_norm", "", "0.5"),
        ("[train]\nepochs =\n", 2, "train.epochs", "", "write a value: epochs = …"),
        ("train:\n  epochs: 3", 1, "train", "", "TOML has = between key and value: train = …"),
        ('{"train": 1}', 1, "(syntax)", "", "TOML, not JSON"),
        ('[data]\nroot = "C:\\users"', 2, "data.root", "backslash", "single quotes"),
        ("a = 1 b = 2", 1, "a", "expected newline", "look at: a = 1 b = 2"),
        ("a = 'x\x07'", 1, "a", "control character", "delete it"),
        ("[[scheduler]]\n[[scheduler]]\ngamma = x", 3, "scheduler.1.gamma", "", "quotes"),
        ("seed = " + "9" * 5000, 1, "seed", "thousands of digits", "usual length"),
        ("seed = 1\na = " + "[" * 4000, 2, "a", "levels deep", "flatter"),
        ("[data]\nroot = 'köln'".encode("latin-1"), 2, "data.root", "not UTF-8", "as UTF-8"),
    ],
)  # fmt: skip
def test_a_text_that_is_no_toml_is_told_with_its_line_and_a_repair(
    file: Path, text: str | bytes, line: int, key: str, message: str, hint: str
) -> None:
    problem = only(file, text)
    assert (problem.file, problem.line, problem.key) == (file, line, key)
    assert message in problem.message
    assert hint in problem.hint


def test_a_byte_order_mark_and_windows_line_ends_are_read(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf" + FULL.replace("\n", "\r\n").encode())
    assert read(file).experiment.name == "ants-vs-bees"


def test_an_override_takes_the_files_place(file: Path) -> None:
    file.write_text(FULL)
    overrides = [
        "train.epochs=5",
        "optimizer.lr = 1e-4",
        "model.backbone=resnet34",
        "scheduler.1.milestones=[2, 3]",
        "model.freeze.1=!layer3",
        "optimizer.group.0.lr=0.5",
        "data.root=a=b",
    ]
    experiment = read(file, overrides).experiment
    assert (experiment.train.epochs, experiment.optimizer.lr) == (5, 1e-4)
    assert experiment.model.backbone == "resnet34"
    assert experiment.scheduler[1].model_dump()["milestones"] == [2, 3]
    assert experiment.model.freeze == ["*", "!layer3"]
    assert experiment.optimizer.group[0].options == {"lr": 0.5}
    assert Path(experiment.data.root or "").name == "a=b"


def test_an_override_makes_the_sections_that_the_file_lacks(file: Path) -> None:
    file.write_text(SHORT)
    experiment = read(file, ["loss.weight=balanced", "data.args={}", "optimizer.lr=1"]).experiment
    assert [term.model_dump()["weight"] for term in experiment.loss] == ["balanced"]
    assert experiment.optimizer.model_dump()["momentum"] == 0


@pytest.mark.parametrize(
    ("override", "key", "message"),
    [
        ("train.epochs", "train.epochs", "not of the form key=value"),
        ("=5", "--set", "not of the form key=value"),
        ("train..epochs=5", "train..epochs", "not of the form key=value"),
        ("train.epochs.x=5", "train.epochs.x", "there is no such place in the file"),
        ("scheduler.2.gamma=1", "scheduler.2.gamma", "there is no such place in the file"),
        ("scheduler.-1.gamma=1", "scheduler.-1.gamma", "there is no such place in the file"),
        ("model.freeze.first=x", "model.freeze.first", "there is no such place in the file"),
        (f"model.freeze.{'9' * 5000}=x", f"model.freeze.{'9' * 5000}", "there is no such place"),
        ("train.epochs=zero", "train.epochs", 'should be a whole number, not "zero"'),
        ("train.epochs=0", "train.epochs", "should be at least 1, not 0"),
        ("train.epochs=1\nseed = 3", "train.epochs", "should be a whole number, not "),
        ("train.epoch=5", "train.epoch", "unknown key"),
        ("optimizer.group.0.lr=-1", "optimizer.group.0.lr", "should be at least 0, not -1"),
        ("checkpoint.monitor=acc", "checkpoint.monitor", 'no metric is called "acc"'),
        ("data={val=2}", "data.val", "more than 0 and less than 1"),
        ("los.weight=1", "los", "unknown key"),
    ],
)
def test_a_wrong_override_is_told_as_one_and_not_as_a_line_of_the_file(
    file: Path, override: str, key: str, message: str
) -> None:
    problem = only(file, FULL, override)
    assert (problem.key, problem.file, problem.line) == (key, None, None)
    assert message in problem.message
    assert f"(from --set {override}"[:60] in problem.message


def test_a_list_position_in_a_list_that_the_file_lacks_is_one_problem(file: Path) -> None:
    assert only(file, SHORT, "scheduler.0.gamma=1").message.startswith("there is no such place")


def test_a_wrong_file_and_a_wrong_override_are_told_together(file: Path) -> None:
    line = FULL.split("\n").index("epochs = 25") + 1
    found = refused(file, FULL.replace("epochs = 25", "epochs = 0"), "seed=-1")
    assert [(problem.key, problem.line) for problem in found] == [
        ("seed", None),
        ("train.epochs", line),
    ]


def test_what_a_part_finds_gets_its_line_or_its_override(file: Path) -> None:
    file.write_text(FULL)
    located = read(file, ["model.outputs=3"]).locate(
        [Problem("a", "data.augment.1.scale"), Problem("b", "model.outputs"), Problem("c")]
    )
    assert [(problem.file, problem.line) for problem in located] == [
        (file, 15), (None, None), (file, 1)
    ]  # fmt: skip
    assert located[1].message == "b (from --set model.outputs=3)"
    assert read(file, ["model.outputs=3"]).locate(located) == located


@pytest.mark.parametrize("text", [*GOOD.values(), *EACH.values()], ids=[*GOOD, *EACH])
def test_the_resolved_copy_reads_back_to_the_same_experiment(file: Path, text: str) -> None:
    file.write_text(text)
    experiment = read(file).experiment
    copy = file.parent / "elsewhere" / "experiment.toml"
    copy.parent.mkdir()
    copy.write_text(resolved_text(experiment))
    assert read(copy).experiment == experiment
    assert resolved_text(read(copy).experiment) == resolved_text(experiment)


def test_the_resolved_copy_has_every_default_that_is_not_none(file: Path) -> None:
    file.write_text(SHORT)
    values = tomllib.loads(resolved_text(read(file).experiment))
    assert values["name"] == "mine"
    assert values["optimizer"]["momentum"] == 0.9
    assert values["train"]["device"] == "auto"
    assert "clip_norm" not in values["train"]

"""The form follows the contract's models: what is set is a row, what else there is can be added."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.contract.loss import LOSSES
from engine.contract.problems import Problem
from engine.contract.scheduler import SCHEDULERS
from tests.contract.good_files import FULL, GOOD, SHORT
from tui.form_model import Form, Row, Table, beside, form_of
from tui.toml_document import TomlDocument


def form(folder: Path, text: str) -> Form:
    path = folder / "it.toml"
    path.write_text(text)
    document = TomlDocument(path)
    assert document.values is not None
    return form_of(document.values, document.value_texts())


def table(form: Form, title: str) -> Table:
    return next(table for table in form.tables if table.title == title)


def row(table: Table, label: str) -> Row:
    return next(row for row in table.rows if row.label == label)


def test_what_the_file_sets_are_rows_and_the_rest_can_be_added(tmp_path: Path) -> None:
    train = table(form(tmp_path, SHORT), "train")
    assert [(each.label, each.toml) for each in train.rows] == [("epochs", "1")]
    assert {"device", "precision", "clip_norm"} <= {choice.name for choice in train.addable}
    assert row(train, "epochs").help == (
        "How often each training sample is seen. (whole number (≥ 1))"
    )


def test_words_of_a_few_are_a_choice_truth_a_switch_and_the_rest_toml(tmp_path: Path) -> None:
    other = form(tmp_path, GOOD["other ways"])
    precision = row(table(other, "train"), "precision")
    assert precision.kind == "choice"
    assert [word for word, _ in precision.choices] == ["fp32", "bf16", "fp16"]
    assert row(table(other, "optimizer"), "amsgrad").kind == "switch"
    assert row(table(other, "data"), "root").toml == "'C:/data'"
    backbone = row(table(other, "model"), "backbone")
    assert (backbone.kind, backbone.offers) == ("choice", "backbones")


def test_a_word_beside_numbers_is_offered_and_the_numbers_may_be_typed(tmp_path: Path) -> None:
    weight = row(table(form(tmp_path, FULL), "loss 1: CrossEntropyLoss"), "weight")
    assert weight.kind == "text"
    assert [word for word, _ in weight.choices] == ["balanced", "[1.0, 1.0]"]


def test_a_list_has_a_head_that_adds_and_its_members_below(tmp_path: Path) -> None:
    full = form(tmp_path, FULL)
    titles = [table.title for table in full.tables]
    place = titles.index("[[scheduler]]")
    assert titles[place + 1 : place + 3] == ["scheduler 1: LinearLR", "scheduler 2: MultiStepLR"]
    assert full.tables[place + 2].member == (1, 2)
    names = {choice.name for choice in full.tables[place].addable}
    assert names == {*SCHEDULERS, "Custom"}
    assert {choice.name for choice in table(full, "[[loss]]").addable} == {*LOSSES, "Custom"}


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_member_is_added_with_all_that_it_can_not_be_without(tmp_path: Path, name: str) -> None:
    path = tmp_path / "it.toml"
    path.write_text(SHORT)
    document = TomlDocument(path)
    head = table(form(tmp_path, SHORT), "[[scheduler]]")
    added = next(choice for choice in head.addable if choice.name == name)
    document.add_element(("scheduler",), added.value)
    told = [problem.message for problem in document.problems()]
    assert not [message for message in told if "missing" in message or "needs" in message], told


def test_a_value_over_several_lines_is_shown_in_one_and_kept_from_changing_with_comments(
    tmp_path: Path,
) -> None:
    full = form(tmp_path, FULL.replace("[15, 20]", "[\n  15,\n  20,\n]"))
    milestones = row(table(full, "scheduler 2: MultiStepLR"), "milestones")
    assert (milestones.toml, milestones.kind) == ("[15, 20]", "text")
    other = form(tmp_path, GOOD["other ways"])
    assert row(table(other, "group 1: head"), "betas").kind == "fixed"


def test_keys_of_a_table_inside_are_rows_of_their_own(tmp_path: Path) -> None:
    data = table(form(tmp_path, GOOD["cycle"]), "data")
    assert row(data, "args.classes").path == ("data", "args", "classes")


def test_problems_stand_at_their_row_else_at_their_section(tmp_path: Path) -> None:
    full = form(tmp_path, FULL)
    keys = [
        "train.epochs",
        "scheduler.1.T_max",
        "data.augment.1.size.0",
        "model.unknown",
        "nowhere",
    ]
    problems = [Problem("wrong", key) for key in keys]
    assert {path: [each.key for each in told] for path, told in beside(problems, full).items()} == {
        ("train", "epochs"): ["train.epochs"],
        ("scheduler", 1): ["scheduler.1.T_max"],
        ("data", "augment", 1, "size"): ["data.augment.1.size.0"],
        ("model",): ["model.unknown"],
        (): ["nowhere"],
    }

"""The language of the runs' filter."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.run_filter import Facts, FilterError, parse

SETTINGS = {
    "name": "ants",
    "data.root": "/data/ants_bees",
    "model.backbone": "resnet18",
    "model.freeze": ["*", "!layer4"],
    "loss.0.name": "CrossEntropyLoss",
    "optimizer.name": "SGD",
    "optimizer.lr": 0.001,
    "optimizer.group.0.lr": 0.01,
    "optimizer.nesterov": True,
    "scheduler.0.name": "LinearLR",
    "scheduler.1.name": "MultiStepLR",
    "scheduler.1.milestones": [15, 20],
    "scheduler.1.gamma": 0.1,
    "train.epochs": 25,
}
VALIDATED = [
    {"val/loss": 0.5, "val/accuracy": 0.95, "train/loss": 0.6},
    {"val/loss": 0.7, "val/accuracy": 0.93123, "train/loss": None},
]
ANTS = Facts(
    "ants-vs-bees",
    "20261123-071400-ab12",
    "failed",
    epoch=2,
    best=0.95,
    validated=VALIDATED,
    settings=lambda: SETTINGS,
)


@dataclass
class Words:
    names: Collection[str] = ("ants-vs-bees", "20261123-071400-ab12", "Wasps")
    settings: Collection[str] = tuple(SETTINGS)
    metrics: Collection[str] = tuple(VALIDATED[0])


def holds(text: str, facts: Facts = ANTS) -> bool:
    return parse(text, Words())(facts)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ants",
        "BEES ab12",
        "state = failed",
        "state=failed",
        "state != running",
        "state = f*",
        "name = ants-*",
        "id ~ ab1",
        "epoch >= 2",
        "best > 0.9",
        "val/accuracy > 0.9",
        "val/accuracy>0.9 and val/loss<0.8",
        "accuracy = 0.9312",  # as the screen shows it
        "best val/loss <= 0.5",
        "best accuracy >= 0.95",
        "train/loss = nan",
        "model.backbone = resnet*",
        "backbone == ResNet18",
        "backbone ~ 18",
        "lr = 1e-3",
        "lr <= 0.001",
        "group.lr = 0.01",
        "optimizer.group.0.lr = 0.01",
        "scheduler.name = MultiStepLR",
        "scheduler.name = LinearLR",
        "scheduler.1.name = MultiStepLR",
        "scheduler.name ~ step",
        "milestones = 15",
        "milestones = [15, 20]",
        "freeze = !layer4",
        'freeze = "*"',
        "nesterov = true",
        "root = ants_bees",
        "root = /data/ants_bees",
        "root ~ data",
        "loss.name = CrossEntropyLoss and epochs = 25 ants",
        'name = "ants-vs-bees"',
        "gamma != 0.2",
    ],
)
def test_what_holds_of_the_run(text: str) -> None:
    assert holds(text)


@pytest.mark.parametrize(
    "text",
    [
        "wasps",
        "ants wasps",
        "state = running",
        "state != failed",
        "val/accuracy > 0.95",
        "train/loss > 0",  # a nan is in no order
        "best val/loss < 0.5",
        "backbone = resnet",
        "backbone = resnet5?",
        "milestones = [15]",
        "milestones > 3",  # a list is in no order
        "scheduler.0.name = MultiStepLR",
        "nesterov = 1",
        "nesterov > 0",
        "lr > 0.001",
        "val/accuracy > 0.9 and backbone = resnet50",
        "scheduler.name != LinearLR",  # one of them is
    ],
)
def test_what_does_not_hold_of_it(text: str) -> None:
    assert not holds(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "backbon = resnet18",
            'no run has a setting or metric "backbon"; did you mean "backbone"?',
        ),
        ("val/acuracy > 0.9", 'did you mean "val/accuracy"'),
        ("best backbone > 1", 'no run has a metric "backbone"'),
        ("stat = failed", 'did you mean "state"'),
        ("state = fail", 'no run is "fail"; did you mean "failed"?'),
        ("state = done", "one of running, finished, stopped, failed, lost"),
        ("loss < 0.5", "loss could be train/loss, val/loss: write which"),
        ("optimizer.lr <", "optimizer.lr < needs a value behind it"),
        ("optimizer.lr < > 1", "needs a value behind it"),
        ("lr < small", '< compares numbers, and "small" is none; = and ~ are for texts'),
        ("state > failed", "> compares numbers, and state is none"),
        ("= 3", "= needs a key in front of it"),
        ("ants or bees", "there is no `or`"),
        ("backb", 'no run\'s name or id has "backb" in it; a key is backb = value'),
    ],
)
def test_what_is_wrong_is_told_in_words(text: str, told: str) -> None:
    with pytest.raises(FilterError) as error:
        holds(text)
    assert told in str(error.value)


def test_a_run_without_the_value_equals_nothing() -> None:
    bare = Facts("bees", "1", "lost")
    assert not holds("backbone = *", bare)
    assert not holds("val/loss > 0", bare)
    assert not holds("best > 0", bare)
    assert holds("backbone != resnet18", bare)


def test_words_alone_ask_for_no_settings_which_would_have_to_be_read() -> None:
    class Unread:
        names = ("ants-vs-bees", "20261123-071400-ab12")

        @property
        def settings(self) -> Collection[str]:
            raise AssertionError

        metrics = settings

    assert parse("ants ab12", Unread())(ANTS)


PIECES = st.sampled_from(
    [
        "best",
        "and",
        "or",
        "state",
        "val/loss",
        "lr",
        "=",
        "!=",
        "<",
        "~",
        '"',
        "[",
        "]",
        "1e-3",
        "*",
    ]
)


@given(st.lists(PIECES | st.text(max_size=4), max_size=8).map(" ".join))
def test_whatever_one_types_is_a_filter_or_told(text: str) -> None:
    try:
        held = holds(text)
    except FilterError as error:
        held = not str(error)
    assert held in (True, False)


KEYS = st.sampled_from(["val/loss", "best val/loss", "best", "epoch", "lr", "gamma"])
NUMBERS = st.floats(allow_nan=False, width=32) | st.sampled_from([0.5, 0.7, 0.95, 0.001, 0.1, 2.0])


@given(KEYS, NUMBERS)
def test_orders_are_those_of_numbers_and_each_has_its_opposite(key: str, number: float) -> None:
    value = {"val/loss": 0.7, "best val/loss": 0.5, "best": 0.95, "epoch": 2, "lr": 0.001}
    known = value.get(key, 0.1)
    assert holds(f"{key} < {number!r}") == (known < number)
    assert holds(f"{key} >= {number!r}") != (known < number)
    assert holds(f"{key} > {number!r}") == (known > number)
    assert holds(f"{key} <= {number!r}") != (known > number)


@given(st.sampled_from([*SETTINGS, "state", "id", "epoch"]), st.text("resnt18*?.", min_size=1))
def test_unequal_is_the_opposite_of_equal(key: str, wanted: str) -> None:
    try:
        equal = holds(f'{key} = "{wanted}"')
    except FilterError:  # no state is called so
        return
    assert holds(f'{key} != "{wanted}"') != equal


@given(st.lists(st.sampled_from(["ants", "wasps", "lr < 1", "lr > 1", "state = lost"]), max_size=4))
def test_several_terms_are_all_of_them(terms: list[str]) -> None:
    every = all(holds(term) for term in terms)
    assert holds(" ".join(terms)) == every
    assert holds(" and ".join(terms)) == every


def test_a_metric_that_is_not_finite_is_no_best() -> None:
    odd = Facts("a", "1", "failed", validated=[{"val/loss": None}, {"val/loss": 0.4}])
    assert holds("best val/loss = 0.4", odd)
    assert not holds("best val/loss < 1", Facts("a", "1", "failed", validated=[{"val/loss": None}]))

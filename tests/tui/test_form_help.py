"""All of a key's help can be read: its docstring, its type and bounds, its default."""

from __future__ import annotations

from pathlib import Path

from tests.contract.good_files import FULL
from tests.tui.test_form_model import form, row, table
from tui.form_help import help_on, title_of


def test_a_key_says_its_words_its_bounds_and_its_default(tmp_path: Path) -> None:
    train = table(form(tmp_path, FULL), "train")
    epochs = row(train, "epochs")
    assert title_of(epochs, train) == "train.epochs"
    assert help_on(epochs, train) == (
        "How often each training sample is seen.\n\nType: whole number (≥ 1)\nIt has to be given."
    )
    precision = help_on(row(train, "precision"), train)
    assert 'Type: "fp32", "bf16" or "fp16"\nDefault: "fp32"' in precision


def test_a_choice_says_what_each_word_means(tmp_path: Path) -> None:
    scheduler = table(form(tmp_path, FULL), "scheduler 2: MultiStepLR")
    told = help_on(row(scheduler, "name"), scheduler)
    assert "\n\nMultiStepLR: Times gamma at each milestone.\n\n" in told


def test_a_section_says_its_keys_and_those_it_can_have_besides(tmp_path: Path) -> None:
    train = table(form(tmp_path, FULL), "train")
    told = help_on(None, train)
    assert told.index("epochs: ") < told.index("f7 adds one") < told.index("validate_every: ")


def test_a_key_that_ptrain_does_not_know_says_so(tmp_path: Path) -> None:
    train = table(form(tmp_path, FULL.replace("[train]\n", "[train]\nepoch = 1\n")), "train")
    assert "knows nothing" in help_on(row(train, "epoch"), train)

from pathlib import Path

import pytest

from engine.contract.positions import Positions, dotted
from tests.contract.good_files import FULL, OTHER_WAYS


@pytest.mark.parametrize(
    ("text", "key", "mark"),
    [
        (FULL, "data", "[data]"),
        (FULL, "data.val", "val = 0.2"),
        (FULL, "data.augment.1.scale", "RandomResizedCrop"),
        (FULL, "optimizer.group.1.weight_decay", "weight_decay = 0.0"),
        (FULL, "scheduler", '[[scheduler]]\nname = "LinearLR"'),
        (FULL, "scheduler.1", '[[scheduler]]\nname = "MultiStepLR"'),
        (FULL, "scheduler.1.milestones.1", "milestones"),
        (OTHER_WAYS, "model", "model.backbone"),
        (OTHER_WAYS, "model.freeze.1", 'model."freeze"'),
        (OTHER_WAYS, "train.precision", "train = {"),
        (OTHER_WAYS, "scheduler.2.begin", "schedules.py"),
        (OTHER_WAYS, "data.augment.0.brightness", "brightness"),
        (OTHER_WAYS, "optimizer.group.0.betas.1", "0.9,  # two"),
    ],
)
def test_a_key_stands_at_its_line(text: str, key: str, mark: str) -> None:
    assert Positions(text).line(key) == text[: text.index(mark)].count("\n") + 1


def test_what_is_not_in_the_text_is_at_the_line_of_what_is_around_it() -> None:
    positions = Positions("seed = 1\n[train]\nepochs = 2\n")
    assert positions.line("train.device") == 2
    assert positions.line("train.epochs.3.x") == 3
    assert positions.line("model.backbone") == positions.line("") == 1


def test_comments_and_empty_lines_are_no_positions_in_a_list() -> None:
    assert Positions("a = [\n# no\n1,\n\n2,\n]").line("a.1") == 5


def test_a_table_below_an_array_of_tables_belongs_to_its_newest_element() -> None:
    text = "[[a.b]]\n[a.b.c]\nx = 1\n[[a.b]]\n[a.b.c]\nx = 1\n"
    assert [Positions(text).line(f"a.b.{n}.c.x") for n in (0, 1)] == [3, 6]


def test_a_name_in_quotes_may_hold_dots_spaces_and_quotes() -> None:
    positions = Positions('[a]\n"b.c" = 1\n"d e".f = 2\n"\\u0067\\"" = 3\n"" = 4\n')
    assert positions.line(dotted(["a", "b.c"])) == 2
    assert positions.line(dotted(["a", "d e", "f"])) == 3
    assert positions.line(dotted(["a", 'g"'])) == 4
    assert positions.line(dotted(["a", ""])) == 5


def test_bare_names_and_list_positions_are_dotted_as_they_are() -> None:
    assert dotted(["scheduler", 1, "T_max"]) == "scheduler.1.T_max"
    assert dotted(["a b", "c.d", ""]) == '"a b"."c.d".""'


def test_a_text_that_does_not_parse_has_positions_all_the_same() -> None:
    assert Positions("a = 1\nb = [\n[c]\nd = 2\n").line("a") == 1


@pytest.mark.parametrize("text", ["[" * 5000, "a = " + "[" * 5000 + "]" * 5000, "a." * 900 + "a=1"])
def test_depth_does_not_matter(text: str) -> None:
    assert Positions(text).line("b") == 1


def test_windows_line_ends_count_once(tmp_path: Path) -> None:
    assert Positions("a = 1\r\n\r\nb = 2\r\n").line("b") == 3

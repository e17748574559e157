"""`ptrain new`: what it writes is an experiment, and so is every line of it that is a comment."""

import re
import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

from engine.contract.data import Data
from engine.contract.problems import InputError
from engine.contract.template import OTHER_DATA, OTHERS, SECTIONS, commented, write_new
from engine.contract.toml_file import read
from tests.training import TOP

ASSIGNMENT = re.compile(r"# (\w+) = (.+)")


def test_the_new_file_is_a_good_experiment(tmp_path: Path) -> None:
    file = tmp_path / "made" / "first.toml"
    answer = write_new(file, None)
    experiment = read(file).experiment
    assert answer["file"] == str(file)
    assert (experiment.name, experiment.model.backbone) == ("first", "resnet18")
    assert [member.name for member in experiment.scheduler] == ["LinearLR", "StepLR"]


def test_what_the_comments_offer_beside_is_right(tmp_path: Path) -> None:
    """A further metric, a term of one's own, and a [data] key that is not an ImageFolder's."""
    text = commented("x").replace("# [[metric]]\n# name =", "[[metric]]\nname =")
    (tmp_path / "x.toml").write_text(
        f'{text}\n[[loss]]\ntarget = "losses.py:DiceLoss"\nscale = 0.5\n'
    )
    with pytest.raises(InputError, match=r"write \[\[loss\]\] there too"):
        read(tmp_path / "x.toml")
    text = text.replace("[loss]\n", "[[loss]]\n")
    (tmp_path / "x.toml").write_text(
        f'{text}\n[[loss]]\ntarget = "losses.py:DiceLoss"\nscale = 0.5\n'
    )
    experiment = read(tmp_path / "x.toml").experiment
    assert experiment.term_titles == ["CrossEntropyLoss", "DiceLoss"]
    assert [metric.name for metric in experiment.metric] == ["AUROC"]


def test_the_keys_of_other_data_sets_stand_apart() -> None:
    data = commented("x").split("[data]\n")[1].split("\n\n")[0]
    of_folders, of_others = data.split(f"# {OTHERS}\n")
    assert "batch_size" in of_folders
    keys = re.findall(r"^# (\w+) =", of_others, re.M)
    assert keys == [*OTHER_DATA]
    for key in set(keys) - {"target"}:
        wrong = {"classes": ["a"], "targets": ["a"], "args": {"a": 1}, "task": "regression"}
        wrong |= {"mask_values": [0, 1], "standardize": True, "image_column": "a"}
        with pytest.raises(ValidationError):
            Data.model_validate({"dataset": "ImageFolder", "root": "r", key: wrong[key]})


def test_a_file_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "first.toml"
    file.write_text("mine")
    with pytest.raises(InputError, match="is there already"):
        write_new(file, None)
    assert file.read_text() == "mine"


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="can't be written"):
        write_new(tmp_path / "file" / "x.toml", None)


def test_an_example_is_copied_as_it_is(tmp_path: Path) -> None:
    write_new(tmp_path / "mine.toml", "digits")
    write_new(tmp_path / "mine2.toml", "digits.toml")
    assert read(tmp_path / "mine.toml").experiment.name == "digits"
    assert (tmp_path / "mine.toml").read_text() == (tmp_path / "mine2.toml").read_text()


def test_the_code_that_an_example_names_comes_with_it(tmp_path: Path) -> None:
    answer = write_new(tmp_path / "made" / "mine.toml", "shapes")
    assert answer["code"] == "drawn.py, losses.py"
    for name in ("drawn.py", "losses.py"):
        written = (tmp_path / "made" / name).read_text()
        assert written == (TOP / "experiments" / name).read_text()
    again = write_new(tmp_path / "made" / "other.toml", "shapes")
    assert "code" not in again, "the same code is there already"


def test_code_of_ones_own_with_that_name_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "drawn.py").write_text("mine")
    with pytest.raises(InputError, match="is there already") as caught:
        write_new(tmp_path / "mine.toml", "shapes")
    assert caught.value.problems[0].file == tmp_path / "drawn.py"
    assert "another folder" in caught.value.problems[0].hint
    assert [path.name for path in tmp_path.iterdir()] == ["drawn.py"]
    assert (tmp_path / "drawn.py").read_text() == "mine"


def test_an_unknown_example_is_told_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match='did you mean "digits"') as caught:
        write_new(tmp_path / "mine.toml", "digit")
    assert caught.value.problems[0].key == "--from"
    assert not (tmp_path / "mine.toml").exists()


@pytest.mark.parametrize("section", SECTIONS)
def test_every_key_of_a_section_is_there_with_its_help(section: str) -> None:
    text = commented("x")
    block = re.search(rf"^\[{section}\]\n(.*?)(?=\n\n|\Z)", text, re.M | re.S)
    assert block is not None
    for key, info in SECTIONS[section].model_fields.items():
        assert re.search(rf"^(# )?{key} =", block[1], re.M), key
        words = " ".join((info.description or "").split())
        assert words in re.sub(r"\s*\n# ", " ", f"\n{block[1]}"), key


def test_every_default_that_is_a_comment_can_be_uncommented(tmp_path: Path) -> None:
    text = commented("x")
    assert max(map(len, text.split("\n"))) <= 100
    shown = 0
    for section, model in SECTIONS.items():
        for name, value in ASSIGNMENT.findall(text.split(f"[{section}]")[1].split("\n\n")[0]):
            assert tomllib.loads(f"v = {value}")["v"] == model.model_fields[name].get_default()
            shown += 1
    assert shown > 20

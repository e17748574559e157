from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from engine.contract.data import Data
from engine.contract.problems import InputError
from engine.parts.datasets import build_sources

HERE = Path()


def write(folder: Path, text: str | bytes, name: str = "train.csv", images=range(8)) -> Path:
    """The CSV, and images `0.png` to `7.png` beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    content = text.encode() if isinstance(text, str) else text
    (folder / name).write_bytes(content)
    for number in images:
        Image.new("RGB", (4, 3), (number, 0, 0)).save(folder / f"{number}.png")
    return folder


def rows(column: str, *values: object, sep: str = ",") -> str:
    lines = [f"{number}.png{sep}{value}" for number, value in enumerate(values)]
    return "\n".join([f"image{sep}{column}", *lines]) + "\n"


def sources_of(root: Path, task="classification", *, ignore_index=-100, **keys):
    section = Data(dataset="ImageTable", root=str(root), **keys)
    return build_sources(section, HERE, 0, task=task, ignore_index=ignore_index)


def whole(root: Path, task="classification", **keys):
    return sources_of(root, task, val="none", **keys).train


def problems_of(root: Path, task="classification", **keys):
    with pytest.raises(InputError) as caught:
        sources_of(root, task, **keys)
    return caught.value.problems


def test_names_become_classes_in_the_order_of_image_folder(tmp_path):
    write(tmp_path, rows("kind", "bee", "ant", "bee", "Wasp"))
    train = whole(tmp_path)
    assert train.classes == ["Wasp", "ant", "bee"]  # as sorted() has them, capitals first
    assert train.targets.tolist() == [2, 1, 2, 0]
    assert train.targets.dtype == torch.int64
    assert train.task == "classification"
    image, target = train.read(3)
    assert (image.getpixel((0, 0)), target) == ((3, 0, 0), 0)
    assert train.name(3) == str(tmp_path / "3.png")
    assert train.relative_name(3) == "3.png"


def test_whole_numbers_are_classes_in_the_order_of_numbers(tmp_path):
    write(tmp_path, rows("digit", 10, 9, "09", 2))
    train = whole(tmp_path)
    assert train.classes == ["2", "9", "10"]
    assert train.targets.tolist() == [2, 1, 1, 0]


def test_a_number_that_is_ignored_is_no_class(tmp_path):
    write(tmp_path, rows("digit", 0, 1, -100, 255))
    assert whole(tmp_path).targets.tolist() == [0, 1, -100, 2]
    train = whole(tmp_path, ignore_index=255)
    assert train.classes == ["-100", "0", "1"]
    assert train.targets.tolist() == [1, 2, 0, 255]
    # 1 is a class's own number: the loss leaves that class out, and its name stays.
    assert whole(tmp_path, ignore_index=1).classes == ["-100", "0", "1", "255"]


def test_classes_fix_the_order_and_may_have_no_sample(tmp_path):
    write(tmp_path, rows("kind", "bee", "ant"))
    train = whole(tmp_path, classes=["wasp", "bee", "ant"])
    assert train.classes == ["wasp", "bee", "ant"]
    assert train.targets.tolist() == [1, 2]
    first, _ = problems_of(tmp_path, classes=["fly", "bees"])
    assert f'{tmp_path}/train.csv, line 2, column kind: "bee" is no class' in first.message
    assert first.hint == 'did you mean "bees"?'


def test_numbers_are_targets_in_their_own_unit(tmp_path):
    write(tmp_path, "image,age,angle\n0.png,31.5,-2e1\n1.png,7,0\n")
    train = whole(tmp_path, "regression")
    assert train.classes == ["age", "angle"]
    assert train.targets.tolist() == [[31.5, -20.0], [7.0, 0.0]]
    assert train.targets.dtype == torch.float32
    assert train.read(1)[1].tolist() == [7.0, 0.0]


def test_the_columns_can_be_chosen(tmp_path):
    text = "id,age,file,angle\n7,31,0.png,5\n8,32,1.png,6\n"
    train = whole(
        write(tmp_path, text), "regression", image_column="file", targets=["angle", "age"]
    )
    assert train.classes == ["angle", "age"]
    assert train.targets.tolist() == [[5, 31], [6, 32]]
    (problem,) = problems_of(tmp_path, "regression", image_column="fil")
    assert (problem.key, problem.hint) == ("data.image_column", 'did you mean "file"?')
    (problem,) = problems_of(tmp_path, "regression", image_column="file", targets=["agge"])
    assert problem.key == "data.targets"
    assert problem.hint.startswith('did you mean "age"')


def test_several_columns_of_0_and_1_are_labels(tmp_path):
    text = "image,round,red,big\n0.png,1,0,1\n1.png,0.0,True,0\n"
    train = whole(write(tmp_path, text), "multilabel")
    assert train.classes == ["round", "red", "big"]
    assert train.targets.tolist() == [[1, 0, 1], [0, 1, 0]]
    assert train.targets.dtype == torch.float32
    named = whole(tmp_path, "multilabel", classes=["a", "b", "c"])
    assert named.classes == ["a", "b", "c"]
    assert problems_of(tmp_path, "multilabel", classes=["a"])[0].key == "data.classes"


@pytest.mark.parametrize("mark", ["|", ";", " ", " | "])
def test_one_column_may_list_the_labels(tmp_path, mark):
    write(tmp_path, rows("labels", f"red{mark}big", "", f"round{mark}red", "big"))
    train = whole(tmp_path, "multilabel")
    assert train.classes == ["big", "red", "round"]
    assert train.targets.tolist() == [[1, 1, 0], [0, 0, 0], [0, 1, 1], [1, 0, 0]]


def test_one_column_of_0_and_1_is_one_label(tmp_path):
    train = whole(write(tmp_path, rows("smiles", 0, 1, 1)), "multilabel")
    assert (train.classes, train.targets.tolist()) == (["smiles"], [[0], [1], [1]])


@pytest.mark.parametrize("sep", [",", ";", "\t"])
@pytest.mark.parametrize("lines", ["\n", "\r\n"])
def test_the_usual_ways_to_write_a_csv_are_read(tmp_path, sep, lines):
    text = rows("kind", '"a, b; c"', "d ", sep=sep)
    write(tmp_path, b"\xef\xbb\xbf" + text.replace("\n", lines).encode() + lines.encode() * 2)
    train = whole(tmp_path)
    assert train.classes == ["a, b; c", "d"]
    assert train.name(0) == str(tmp_path / "0.png")


def test_the_root_may_be_the_csv_itself(tmp_path):
    write(tmp_path, rows("kind", *"abababab"), "all.csv")
    sources = sources_of(tmp_path / "all.csv")
    assert (len(sources.train), len(sources.val)) == (6, 2)
    write(tmp_path, rows("kind", *"ab"), "val.csv")
    assert len(sources_of(tmp_path / "all.csv", val="val.csv").val) == 2
    assert problems_of(tmp_path / "all.csv", train="other")[0].key == "data.train"


def test_the_validation_is_found_or_chosen_or_split_off(tmp_path):
    write(tmp_path, rows("kind", *"abababab"))
    assert len(sources_of(tmp_path).val) == 2
    write(tmp_path, rows("kind", *"ba"), "valid.csv")
    sources = sources_of(tmp_path)
    assert len(sources.train) == 8
    assert sources.val.targets.tolist() == [1, 0]
    assert len(sources_of(tmp_path, val=0.5).val) == 4
    assert len(sources_of(tmp_path, train="train.csv", val="valid").val) == 2
    assert sources_of(tmp_path, val="none").val is None


def test_a_fraction_of_a_regression_is_one_of_all_samples(tmp_path):
    sources = sources_of(write(tmp_path, rows("age", *range(8))), "regression", val=0.25)
    ages = torch.cat([sources.train.targets, sources.val.targets]).flatten()
    assert (len(sources.train), len(sources.val)) == (6, 2)
    assert sorted(ages.tolist()) == list(range(8))


def test_validation_may_lack_a_class_but_not_bring_one(tmp_path):
    write(tmp_path, rows("kind", "ant", "bee", "fly"))
    write(tmp_path, rows("kind", "bee"), "val.csv")
    sources = sources_of(tmp_path)
    assert sources.val.classes == ["ant", "bee", "fly"]
    assert sources.val.targets.tolist() == [1]
    write(tmp_path, rows("kind", "bee", "wasp"), "val.csv")
    (problem,) = problems_of(tmp_path)
    assert problem.key == "data.val"
    assert 'val.csv, line 3, column kind: "wasp" is no class' in problem.message


def test_images_may_lie_in_folders_or_have_absolute_paths(tmp_path):
    write(tmp_path / "far", "", images=range(2))
    write(tmp_path / "near" / "deep", "", images=range(30))
    deep = "".join(f"deep/{number}.png,b\n" for number in range(30))
    text = f"image,kind\n{tmp_path / 'far' / '1.png'},a\n" + deep
    train = whole(write(tmp_path / "near", text))
    assert train.read(0)[0].getpixel((0, 0)) == (1, 0, 0)
    assert train.read(8)[0].getpixel((0, 0)) == (7, 0, 0)


def test_images_that_are_not_there_are_named(tmp_path):
    text = "image,kind\n" + "".join(f"photos/{number}.png,a\n" for number in range(40))
    write(tmp_path, text)
    write(tmp_path / "photos", "", images=range(30))
    *first, rest = problems_of(tmp_path, classes=["a", "b"])
    assert len(first) == 3
    assert "train.csv, line 32, column image" in first[0].message
    assert first[0].message.endswith(f"there is no image {tmp_path / 'photos' / '30.png'}")
    assert "7 more" in rest.message
    (problem,) = problems_of(write(tmp_path, "image,kind\nphotos\\1.png,a\n"), classes=["a", "b"])
    assert "write / between folders" in problem.hint


@pytest.mark.parametrize(
    ("task", "text", "key", "words", "hint"),
    [
        ("classification", "", "data.root", "nothing in it", "header"),
        ("classification", "image,kind\n", "data.root", "no rows", "a line for each image"),
        ("classification", "image\n0.png\n", "data.targets", "no target", "add a column"),
        ("classification", "image,a,a\n0.png,1,2\n", "data.root", 'two columns called "a"', ""),
        ("classification", ",a\n0.png,1\n", "data.root", "column 1 has no name", "index=False"),
        ("classification", "image,a\n0.png,1,2\n1.png\n", "data.root", "line 2 has 3", "quotation"),
        ("classification", 'image,a\n0.png,"x\n', "data.root", "line 2", "quotation mark"),
        ("classification", 'image,a\n0.png,"x"y\n', "data.root", "line 2", "quotation mark"),
        ("classification", "image,a\n0.png,\0\n", "data.root", "line 2: a zero byte", "UTF-8"),
        ("classification", b"image,a\n0.png,\xff\n", "data.root", "line 2: not UTF-8", "UTF-8"),
        (
            "classification",
            "image,a\n0.png,\n1.png,b\n",
            "data.root",
            "line 2, column a: the cell is empty",
            "fill it in",
        ),
        ("classification", rows("age", 1.5, 2, 3), "data.task", "1.5 is a number", '"regression"'),
        ("classification", rows("a", "x", "x"), "data.root", "only one class", "two or more"),
        (
            "classification",
            "image,a,b\n0.png,1,0\n",
            "data.targets",
            "2 target columns",
            'task = "multilabel"',
        ),
        ("multilabel", "image,a,b\n0.png,1,2\n", "data.root", '"2" is not 0 or 1', "each column"),
        ("multilabel", "image,a,b\n0.png,1,\n", "data.root", "column b: the cell is empty", ""),
        ("multilabel", rows("a", '""', '""'), "data.root", "names no label", ""),
        (
            "regression",
            rows("age", 1, "old"),
            "data.root",
            'line 3, column age: "old" is not a number',
            "data.targets",
        ),
        ("regression", rows("age", "1_0"), "data.root", "is not a number", ""),
        ("regression", rows("age", "nan"), "data.root", "not finite", ""),
        ("regression", rows("age", "1e39"), "data.root", "too large", ""),
        ("regression", rows("age", "1,5", sep=";"), "data.root", '"1,5" is not', "a point"),
        ("regression", rows("age", "", 1), "data.root", "the cell is empty", "fill it in"),
    ],
)
def test_what_is_wrong_with_a_table_is_told(tmp_path, task, text, key, words, hint):
    problem = problems_of(write(tmp_path, text), task)[0]
    assert problem.key == key
    assert words in problem.message
    assert str(tmp_path / "train.csv") in problem.message or "only one class" in words
    assert hint in problem.hint


def test_as_many_values_as_rows_are_no_classes(tmp_path):
    text = "image,kind\n" + "".join(f"{n % 8}.png,{n * n}\n" for n in range(16))
    (problem,) = problems_of(write(tmp_path, text))
    assert problem.key == "data.task"
    assert "16 different numbers" in problem.message
    text = "image,kind\n" + "".join(f"{n % 8}.png,person {n}\n" for n in range(16))
    (problem,) = problems_of(write(tmp_path, text))
    assert (problem.key, "16 different values in 16 rows" in problem.message) == (
        "data.targets",
        True,
    )


def test_a_missing_image_and_a_wrong_target_are_told_together(tmp_path):
    image, target = problems_of(write(tmp_path, "image,age\n77.png,1\n0.png,x\n"), "regression")
    assert "77.png" in image.message
    assert '"x" is not a number' in target.message


def test_files_that_are_not_there_are_told(tmp_path):
    write(tmp_path, rows("kind", *"ab"), "training.csv")
    (problem,) = problems_of(tmp_path)
    assert (problem.key, problem.hint) == (
        "data.train",
        'did you mean "training"?',
    )
    (problem,) = problems_of(tmp_path, train="training", val="test")
    assert (problem.key, problem.hint) == ("data.val", "there are: training.csv")
    (problem,) = problems_of(tmp_path / "trainin.csv")
    assert (problem.key, problem.hint) == ("data.root", 'did you mean "training.csv"?')


def test_masks_are_not_in_a_table(tmp_path):
    (problem,) = problems_of(write(tmp_path, rows("a", 0, 1)), "segmentation")
    assert problem.key == "data.task"


def test_a_name_too_long_for_a_file_is_not_there(tmp_path):
    (problem,) = problems_of(write(tmp_path, f"image,kind\n{'x' * 5000},a\n"), classes=["a", "b"])
    assert "there is no image" in problem.message


@settings(max_examples=150)
@given(
    st.one_of(st.binary(max_size=60), st.text(alphabet='ia,;\t"\n\r01.|\0\ufeff', max_size=60)),
    st.sampled_from(["classification", "multilabel", "regression"]),
)
def test_a_damaged_table_is_told_and_never_a_traceback(tmp_path_factory, content, task):
    folder = tmp_path_factory.getbasetemp() / "damaged"
    write(folder, content, images=())
    with pytest.raises(InputError) as caught:
        sources_of(folder, task)
    assert all(problem.message and problem.key for problem in caught.value.problems)

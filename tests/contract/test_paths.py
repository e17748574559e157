"""Relative paths are the file's; what is typed in a shell is looked for from the shell first."""

from pathlib import Path

import pytest

from engine.contract.problems import InputError
from engine.contract.toml_file import read
from tests.contract.good_files import SHORT

TEXT = """\
[data]
dataset = "ImageFolder"
root = "../images"
[model]
backbone = "resnet18"
weights = "nets/start.pth"
weights_dir = "cache"
[[scheduler]]
target = "schedules.py:halve"
[[scheduler]]
target = "package.module:halve"
[train]
epochs = 1
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In `experiments`, while the working directory is `shell`."""
    for folder in ("experiments", "shell"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / "shell")
    file = tmp_path / "experiments" / "x.toml"
    file.write_text(TEXT)
    return file


def test_relative_paths_are_relative_to_the_file_wherever_it_is_read_from(file: Path) -> None:
    experiment = read(Path("../experiments/x.toml")).experiment
    top = file.parent.parent.resolve()
    assert experiment.data.root == str(top / "images")
    assert experiment.model.weights == str(top / "experiments/nets/start.pth")
    assert experiment.model.weights_dir == str(top / "experiments/cache")
    assert [member.model_dump()["target"] for member in experiment.scheduler] == [
        f"{top}/experiments/schedules.py:halve",
        "package.module:halve",
    ]


def test_names_of_weights_are_no_paths(file: Path) -> None:
    file.write_text(TEXT.replace("nets/start.pth", "DEFAULT"))
    assert read(file).experiment.model.weights == "DEFAULT"


def test_the_home_folder_is_known(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    file.write_text(TEXT.replace("../images", "~/images"))
    assert read(file).experiment.data.root == "/home/somebody/images"


def test_a_typed_path_is_looked_for_in_the_working_directory_first(file: Path) -> None:
    Path("here").mkdir()
    assert read(file, ["data.root=here"]).experiment.data.root == str(Path("here").absolute())
    there = read(file, ["data.root=not-here"]).experiment.data.root
    assert there == str(file.parent.resolve() / "not-here")


def test_a_path_of_the_file_is_never_the_working_directorys(file: Path) -> None:
    Path("cache").mkdir()
    experiment = read(file, ["data.root=."]).experiment
    assert experiment.model.weights_dir == str(file.parent.resolve() / "cache")


@pytest.mark.parametrize("root", ["~nobody-of-that-name/x", "a\\u0000b", "loop/x"])
def test_what_can_be_no_path_is_told_at_its_line(file: Path, root: str) -> None:
    (file.parent / "loop").symlink_to("loop")
    file.write_text(TEXT.replace("../images", root))
    try:
        read(file)  # from Python 3.13 on a loop of links is found when it is opened
    except InputError as error:
        (problem,) = error.problems
        found = (problem.line, problem.key, problem.message[:17])
    else:
        found = (3, "data.root", "is no usable path")
        assert root == "loop/x"
    assert found == (3, "data.root", "is no usable path")


def test_a_short_file_has_no_paths(file: Path) -> None:
    file.write_text(SHORT)
    assert read(file).experiment.data.root is None

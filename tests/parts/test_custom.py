"""One's own code: found, loaded once, and its mistakes told with their place."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from engine.contract.problems import InputError, Problem
from engine.parts.custom import load_target


@pytest.fixture(autouse=True)
def _same_modules(monkeypatch: pytest.MonkeyPatch) -> object:
    """Each test leaves Python's path and modules as it found them."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def problem(target: str, folder: Path) -> Problem:
    with pytest.raises(InputError) as caught:
        load_target(target, folder, "loss.target")
    (found,) = caught.value.problems
    assert found.key == "loss.target"
    return found


def test_a_file_is_found_from_the_experiments_folder(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "losses.py").write_text("class Dice:\n    smooth = 3\n")
    assert load_target("own/losses.py:Dice", tmp_path, "loss.target").smooth == 3
    assert load_target(f"{tmp_path}/own/losses.py:Dice.smooth", Path("/"), "loss.target") == 3


def test_the_same_file_gives_the_same_module(tmp_path: Path) -> None:
    (tmp_path / "losses.py").write_text("class Dice: pass\n")
    first = load_target("losses.py:Dice", tmp_path, "k")
    assert load_target("../" + tmp_path.name + "/losses.py:Dice", tmp_path, "k") is first
    assert sys.modules[first.__module__].Dice is first


def test_files_of_one_name_in_two_folders_are_two_modules(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "losses.py").write_text(f"where = {folder!r}\n")
    assert load_target("a/losses.py:where", tmp_path, "k") == "a"
    assert load_target("b/losses.py:where", tmp_path, "k") == "b"


def test_a_file_called_as_one_of_ours_hides_nothing(tmp_path: Path) -> None:
    ours = sys.modules["engine"]
    (tmp_path / "engine.py").write_text("theirs = 1\n")
    assert load_target("engine.py:theirs", tmp_path, "k") == 1
    assert sys.modules["engine"] is ours


def test_a_file_imports_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "my_neighbour_module.py").write_text("value = 7\n")
    (tmp_path / "losses.py").write_text("from my_neighbour_module import value\n")
    assert load_target("losses.py:value", tmp_path, "k") == 7


def test_an_installed_librarys_object_is_found() -> None:
    import torch

    assert load_target("torch.nn:CrossEntropyLoss", Path(), "k") is torch.nn.CrossEntropyLoss


def test_an_import_that_finds_another_file_than_its_neighbour_is_a_clash(tmp_path: Path) -> None:
    (tmp_path / "engine.py").write_text("value = 7\n")
    (tmp_path / "losses.py").write_text("\nimport engine\n")
    found = problem("losses.py:x", tmp_path)
    assert "losses.py, line 2: `import engine` finds" in found.message
    assert "engine.py beside it" in found.message
    assert "another name" in found.hint


def test_a_neighbour_that_another_experiment_has_loaded_is_a_clash(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "my_shared_name.py").write_text(f"where = {folder!r}\n")
        (tmp_path / folder / "losses.py").write_text("from my_shared_name import where\n")
    assert load_target("a/losses.py:where", tmp_path, "k") == "a"
    assert "a/my_shared_name.py" in problem("b/losses.py:where", tmp_path).message


def test_a_file_that_is_not_there_is_told_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "losses.py").write_text("")
    found = problem("loses.py:Dice", tmp_path)
    assert str(tmp_path / "loses.py") in found.message
    assert found.hint == 'did you mean "losses.py"?'
    assert "relative to the experiment" in problem("nowhere/x.py:Dice", tmp_path).hint


def test_a_name_that_is_not_there_is_told_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "losses.py").write_text("class DiceLoss: pass\n")
    found = problem("losses.py:DiceLos", tmp_path)
    assert found.message == 'losses.py has no "DiceLos"'
    assert found.hint == 'did you mean "DiceLoss"?'


def test_a_syntax_error_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "losses.py").write_text("x = 1\ndef f(:\n")
    assert "losses.py, line 2: SyntaxError" in problem("losses.py:f", tmp_path).message


@pytest.mark.parametrize("raised", ["1 / 0", "raise SystemExit(3)", "import no_such_module_here"])
def test_an_error_while_loading_is_told_with_its_line_and_leaves_no_module(
    tmp_path: Path, raised: str
) -> None:
    (tmp_path / "losses.py").write_text(f"def f():\n    {raised}\n\nf()\n")
    assert "cannot be loaded: losses.py, line 2: " in problem("losses.py:f", tmp_path).message
    (tmp_path / "losses.py").write_text("def f(): return 'repaired, at another length'\n")
    assert load_target("losses.py:f", tmp_path, "k")() == "repaired, at another length"


def test_a_module_that_is_not_installed_is_told_so(tmp_path: Path) -> None:
    assert 'no module "no_such_module_here"' in problem("no_such_module_here.a:B", tmp_path).message
    (tmp_path / "losses.py").write_text("")
    assert '"losses.py:Dice"' in problem("losses:Dice", tmp_path).hint


def test_an_installed_module_that_fails_is_told_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_broken_library.py").write_text("\n1 / 0\n")
    (tmp_path / "my_hungry_library.py").write_text("import no_such_module_here\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    message = problem("my_broken_library:x", tmp_path).message
    assert "my_broken_library.py, line 2: ZeroDivisionError" in message
    assert "no_such_module_here" in problem("my_hungry_library:x", tmp_path).message


@pytest.mark.parametrize("target", ["losses.py", ":Dice", "losses.py:"])
def test_a_target_without_both_halves_is_refused(tmp_path: Path, target: str) -> None:
    assert '"file.py:name"' in problem(target, tmp_path).hint

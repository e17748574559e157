"""Only what is meant changes: the user's comments, order, line endings and habits stay."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from engine.contract.problems import InputError
from tests.contract.good_files import GOOD
from tui import toml_edit
from tui.toml_blocks import EditError
from tui.toml_document import ConflictError, TomlDocument

CHAIN = """\
# head of the file
[model]   # what learns
backbone = "resnet18"

# warm up
[[scheduler]]
name = "LinearLR"  # first
# still the first

[[scheduler]]
name = "MultiStepLR"
milestones = [
  15,  # one
  20,
]

[scheduler.extra]
a = 1

[train]
epochs = 3
"""


def opened(folder: Path, text: str | bytes) -> TomlDocument:
    path = folder / "it.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return TomlDocument(path)


def test_a_value_is_replaced_at_its_place(tmp_path: Path) -> None:
    document = opened(tmp_path, CHAIN)
    document.set(("scheduler", 1, "milestones", 1), 25)
    document.set(("model", "backbone"), "vgg11")
    expected = CHAIN.replace("20", "25").replace("resnet18", "vgg11")
    assert document.text == expected
    assert document.get(("scheduler", 1)) == {
        "name": "MultiStepLR",
        "milestones": [15, 25],
        "extra": {"a": 1},
    }


@pytest.mark.parametrize(
    ("before", "path", "value", "after"),
    [
        ("[a]\nb = 1 # c\n\n[d]\n", ("a", "e"), 2, "[a]\nb = 1 # c\ne = 2\n\n[d]\n"),
        ("[a]\n  b = 1", ("a", "e"), 2, "[a]\n  b = 1\n  e = 2"),
        ("[a] # c\n[d]\n", ("a", "e"), "x", '[a] # c\ne = "x"\n[d]\n'),
        ("a = { b = 1 }\n", ("a", "e"), 2, "a = { b = 1, e = 2 }\n"),
        ("a = {} # c\n", ("a", "e"), [1.5], "a = { e = [1.5] } # c\n"),
        ("a.b = 1\r\nz = 1\r\n", ("a", "e"), True, "a.b = 1\r\na.e = true\r\nz = 1\r\n"),
        ("# head\n[a]\n", ("e",), 2, "# head\ne = 2\n\n[a]\n"),
        ("# head\n\n# of a\n[a]\n", ("e",), 2, "# head\n\ne = 2\n\n# of a\n[a]\n"),
        ("x = 1\n[a]\n", ("e",), 2, "x = 1\ne = 2\n[a]\n"),
        ("", ("e",), 2, "e = 2\n"),
        ("[a]\nb = 1\n", ("train", "epochs"), 2, "[a]\nb = 1\n\n[train]\nepochs = 2\n"),
        ("[a]\n", ("a", "args", "k v"), 2, '[a]\nargs = { "k v" = 2 }\n'),
        ("[[s]]\nb = 1\n[[s]]\n", ("s", 0, "e"), 2, "[[s]]\nb = 1\ne = 2\n[[s]]\n"),
        ("s = [{ b = 1 }, {}]\n", ("s", 1, "e"), 2, "s = [{ b = 1 }, { e = 2 }]\n"),
    ],
)
def test_a_new_key_stands_at_the_end_of_its_table(
    tmp_path: Path, before: str, path: tuple[str, ...], value: object, after: str
) -> None:
    document = opened(tmp_path, before)
    document.set(path, value)
    assert document.text == after
    assert document.get(path) == value
    assert document.undo()
    assert document.text == before


@pytest.mark.parametrize(
    ("before", "path", "after"),
    [
        ("[a]\nb = 1 # c\nd = 2\n", ("a", "b"), "[a]\nd = 2\n"),
        ("a = { b = 1, c = 2 }\n", ("a", "b"), "a = { c = 2 }\n"),
        ("a = { b = 1, c = 2 }\n", ("a", "c"), "a = { b = 1 }\n"),
        ("a = [1, 2, 3]\n", ("a", 1), "a = [1, 3]\n"),
        ("a = [\n 1, # x\n 2 # y\n]\n", ("a", 1), "a = [\n 1, # x\n]\n"),
        ("a = [1,]\n", ("a", 0), "a = []\n"),
        ("# of s\n[[s]]\na = 1\n\n[s.t]\nb = 1\n\n[[s]]\n", ("s", 0), "[[s]]\n"),
        ("x = 1\n\n[[s]]\na = 1\n", ("s", 0), "x = 1\n"),
        ("a.b = 1\na.c = 2\nd = 1\n", ("a",), "d = 1\n"),
    ],
)
def test_what_is_deleted_goes_with_its_own_comment(
    tmp_path: Path, before: str, path: tuple[str, ...], after: str
) -> None:
    document = opened(tmp_path, before)
    document.delete(path)
    assert document.text == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[a]\n", '[a]\n\n[[s]]\nname = "N"\n'),
        ("[[s]]\na = 1\n\n[b]\n", '[[s]]\na = 1\n\n[[s]]\nname = "N"\n\n[b]\n'),
        ("[s] # c\na = 1\n", '[[s]] # c\na = 1\n\n[[s]]\nname = "N"\n'),
        ("s = { a = 1 }\n", 's = [{ a = 1 }, { name = "N" }]\n'),
        ("s = []\n", 's = [{ name = "N" }]\n'),
        ("s = [{ a = 1 }]\n", 's = [{ a = 1 }, { name = "N" }]\n'),
        ("s = [\n  { a = 1 }, # c\n]\n", 's = [\n  { a = 1 }, # c\n  { name = "N" },\n]\n'),
        ("s = [\n  { a = 1 } # c\n]\n", 's = [\n  { a = 1 }, # c\n  { name = "N" }\n]\n'),
    ],
)
def test_a_member_is_added_in_the_way_of_those_that_are_there(
    tmp_path: Path, before: str, after: str
) -> None:
    document = opened(tmp_path, before)
    document.add_element(("s",), {"name": "N"})
    assert document.text == after


def test_a_member_moves_with_its_comments_and_the_tables_inside_it(tmp_path: Path) -> None:
    document = opened(tmp_path, CHAIN)
    document.move_element(("scheduler",), 1, 0)
    first = CHAIN.index("# warm up"), CHAIN.index('\n\n[[scheduler]]\nname = "Multi')
    second = CHAIN.index('[[scheduler]]\nname = "Multi'), CHAIN.index("\n\n[train]")
    one, two = CHAIN[slice(*first)], CHAIN[slice(*second)]
    assert document.text == CHAIN.replace(f"{one}\n\n{two}", f"{two}\n\n{one}")
    document.move_element(("scheduler",), 0, 1)
    assert document.text == CHAIN


def test_members_in_an_array_change_places(tmp_path: Path) -> None:
    document = opened(tmp_path, "s = [{ a = 1 }, # one\n { b = 2 }]\n")
    document.move_element(("s",), 0, 1)
    assert document.text == "s = [{ b = 2 }, # one\n { a = 1 }]\n"


@pytest.mark.parametrize(
    ("text", "edit"),
    [
        ("[a]\nb = 1\n", lambda document: document.set(("a", "b", "c"), 1)),
        ("[a]\nb = 1\n", lambda document: document.set(("a",), 1)),
        ("a = 1\n", lambda document: document.set_text(("a",), "1\nb = 2")),
        ("a = 1\n", lambda document: document.set_text(("a",), "nonsense")),
        ("a = [1]\n", lambda document: document.set(("a", 3), 1)),
        ("a = \n", lambda document: document.set(("b",), 1)),
        ("a = [1]\n", lambda document: document.move_element(("a",), 0, -1)),
    ],
)
def test_an_edit_that_can_not_be_done_changes_nothing(
    tmp_path: Path, text: str, edit: object
) -> None:
    document = opened(tmp_path, text)
    with pytest.raises((EditError, KeyError)):
        edit(document)  # type: ignore[operator]
    assert document.text == text
    assert not document.dirty


def test_an_edit_that_would_change_something_else_is_given_up() -> None:
    with pytest.raises(EditError, match="something else"):
        toml_edit.checked(b"a = 1\nb = 2\n", {"a": 1, "b": 3})


def test_undo_goes_back_step_by_step_and_redo_forth(tmp_path: Path) -> None:
    document = opened(tmp_path, "a = 1\n")
    document.set(("a",), 2)
    document.set(("a",), 3)
    assert document.undo()
    assert document.text == "a = 2\n"
    assert document.undo()
    assert not document.dirty
    assert not document.undo()
    assert document.redo()
    assert document.redo()
    assert document.text == "a = 3\n"
    document.undo()
    document.set(("a",), 4)
    assert not document.redo()


def test_letters_typed_in_one_go_are_one_step(tmp_path: Path) -> None:
    now = 0.0
    path = tmp_path / "it.toml"
    path.write_text("")
    document = TomlDocument(path, clock=lambda: now)
    for text in ("a", "ab", "abc"):
        now += 0.1
        document.retyped(text)
    now += 5
    document.retyped("abc d")
    document.undo()
    assert document.text == "abc"
    document.undo()
    assert document.text == ""


def test_typing_leaves_the_line_ends_of_other_lines_as_they_are(tmp_path: Path) -> None:
    raw = b"\xef\xbb\xbfa = 1\r\nb = 2\n# \xe2\x80\xa8 a separator\r\nc = 3"
    document = opened(tmp_path, raw)
    assert document.shown == "a = 1\nb = 2\n# \n a separator\nc = 3"
    document.retyped(document.shown.replace("b = 2\n", "b = 22\nnew = 1\n"))
    document.save()
    assert document.path.read_bytes() == raw.replace(b"b = 2\n", b"b = 22\r\nnew = 1\n")


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_nothing_is_written_that_nobody_changed(tmp_path: Path, text: str) -> None:
    document = opened(tmp_path, text.replace("\n", "\r\n").encode())
    document.save()
    assert document.path.read_bytes() == text.replace("\n", "\r\n").encode()


def test_saving_makes_it_clean_and_keeps_the_files_permissions_and_link(tmp_path: Path) -> None:
    document = opened(tmp_path, "a = 1\n")
    document.path.chmod(0o640)
    link = tmp_path / "link.toml"
    link.symlink_to(document.path)
    document = TomlDocument(link)
    document.set(("a",), 2)
    assert document.dirty
    document.save()
    assert not document.dirty
    assert link.is_symlink()
    assert (tmp_path / "it.toml").read_text() == "a = 2\n"
    assert (tmp_path / "it.toml").stat().st_mode & 0o777 == 0o640


def test_what_someone_else_wrote_meanwhile_is_not_overwritten_unasked(tmp_path: Path) -> None:
    document = opened(tmp_path, "a = 1\n")
    document.set(("a",), 2)
    assert not document.changed_on_disk()
    document.path.write_text("a = 9\n")
    assert document.changed_on_disk()
    with pytest.raises(ConflictError):
        document.save()
    assert document.path.read_text() == "a = 9\n"
    document.save(over=True)
    assert document.path.read_text() == "a = 2\n"
    document.path.unlink()
    with pytest.raises(ConflictError):
        document.save()


def test_reverting_reads_the_file_again_and_can_be_undone(tmp_path: Path) -> None:
    document = opened(tmp_path, "a = 1\n")
    document.set(("a",), 2)
    document.path.write_text("a = 9\n")
    document.revert()
    assert (document.text, document.dirty) == ("a = 9\n", False)
    document.undo()
    assert (document.text, document.dirty) == ("a = 2\n", True)


def test_saving_under_another_name_leaves_the_first_file_alone(tmp_path: Path) -> None:
    document = opened(tmp_path, "a = 1\n")
    taken, free = tmp_path / "taken.toml", tmp_path / "free.toml"
    taken.write_text("")
    document.set(("a",), 2)
    with pytest.raises(ConflictError):
        document.save_as(taken)
    document.save_as(free)
    assert document.path == free
    assert free.read_text() == "a = 2\n"
    assert (tmp_path / "it.toml").read_text() == "a = 1\n"
    assert not document.dirty


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not UTF-8"):
        opened(tmp_path, b"a = '\xff'\n")
    with pytest.raises(InputError, match="no such file"):
        TomlDocument(tmp_path / "none.toml")


def test_problems_are_those_of_the_text_as_it_is_now(tmp_path: Path) -> None:
    document = opened(tmp_path, GOOD["short"])
    assert document.problems() == ()
    document.set(("train", "epochs"), -1)
    (problem,) = document.problems()
    assert (problem.key, problem.line) == ("train.epochs", 5)
    document.replace("[train\n")
    assert document.values is None
    assert document.problems()[0].line == 1


def test_floats_keep_their_spelling(tmp_path: Path) -> None:
    document = opened(tmp_path, "a = 1e-3\nb = nan\n")
    assert document.get(("a",)) == 0.001
    document.set(("c",), 5e-05)
    assert tomllib.loads(document.text)["c"] == 5e-05
    assert document.value_texts()[("a",)] == "1e-3"

"""Whatever stands in an experiment file: it is read, or its problems are told."""

import re
import tomllib
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.contract.problems import InputError
from engine.contract.toml_file import read, resolved_text
from tests.contract.good_files import GOOD

JARGON = re.compile(
    r"pydantic|[Ii]nput should|instance of|dictionary|Traceback|_type\b|validation error|NoneType"
    r"|<class|Error\b|set_int_max|recursion|literal\["
)
VALUES = [
    '""', '"\\u0000"', '"x"', "'~nobody/x'", "0", "-1", "1.5", "1e400", "9" * 30, "9" * 5000,
    "0x" + "F" * 5000, "nan", "-inf", "true", "2020-01-01", "07:32:00", "1979-05-27T07:32:00Z",
    "[]", "{}", "[[]]", "[{}]", '[{ name = "SGD" }]', "{ name = 3 }", "[1, 'a', true, []]",
    "[" * 60 + "]" * 60, "[" * 3000 + "]" * 3000, "[" * 40, "{ a = " * 110 + "1" + " }" * 110,
    "", "None", "True", ".5", "hello", '"', '"""', "'''\n'''", '"\\d"', "1 2", "a = b", "#", "\x07",
]  # fmt: skip
LINES = [
    "[data]", "[[data]]", "[model.freeze]", "[[train]]", "[scheduler]", "[[scheduler]]",
    "[optimizer.group]", "[[optimizer.group]]", "[[optimizer.group.match]]", "[a.b.c]", "[]", "[[",
    "data.augment.0.name = 1", "train.epochs.x = 1", "model = 1", '"" = 1', '"a b"."c.d" = 1',
    "name.first = 'x'", '"optimizer" = "SGD"', "SGD = 1", "reduce = true", "= 1", "scheduler = []",
    "epochs", "seed: 1", "{", "]", "\r", "\x00", "\x0b", "\u2028", "名 = 1", "99 = 1",
    "9" * 5000 + " = 1",
    ".".join("a" * 800) + " = 1", ".".join("a" * 150) + " = 1", "params = []",
    "target = 'a.py:f'",
]  # fmt: skip


def damaged(chance: Random) -> bytes:
    """A good file after one to three kinds of damage."""
    content = chance.choice(list(GOOD.values())).encode()
    for damage in chance.choices([*DAMAGES], weights=WEIGHTS, k=chance.choice([1, 1, 2, 3])):
        content = damage(chance, content)
    return content


def lines_moved(chance: Random, content: bytes) -> bytes:
    lines = content.split(b"\n")
    first, second = chance.randrange(len(lines)), chance.randrange(len(lines))
    match chance.choice(["delete", "double", "swap", "cut", "move"]):
        case "delete":
            del lines[first]
        case "double":
            lines.insert(second, lines[first])
        case "swap":
            lines[first], lines[second] = lines[second], lines[first]
        case "cut":
            lines = lines[first : second + 1]
        case "move":
            lines.insert(second, lines.pop(first))
    return b"\n".join(lines)


def line_added(chance: Random, content: bytes) -> bytes:
    lines = content.split(b"\n")
    lines.insert(chance.randint(0, len(lines)), chance.choice(LINES).encode())
    return b"\n".join(lines)


def value_replaced(chance: Random, content: bytes) -> bytes:
    found = list(re.finditer(rb"(?<== )[^,}\n]+", content)) or [None]
    place = chance.choice(found)
    value = chance.choice(VALUES).encode()
    return content[: place.start()] + value + content[place.end() :] if place else value


def word_misspelt(chance: Random, content: bytes) -> bytes:
    found = list(re.finditer(rb"\w{2,}", content)) or [None]
    word, other = chance.choice(found), chance.choice(found)
    if word is None or other is None:
        return content
    new = chance.choice([other[0], word[0][1:], word[0] + b"s", word[0].upper()])
    return content[: word.start()] + new + content[word.end() :]


def bytes_changed(chance: Random, content: bytes) -> bytes:
    at = chance.randint(0, len(content))
    marks = [b"", b'"', b"'", b"[", b"]", b"=", b".", b"#", b"\n", b"\\", b"{", b"}", b",", b"\x00"]
    new = chance.choice([chance.randbytes(1), *marks])
    return content[:at] + new + content[at + chance.randint(0, 2) :]


def encoded_otherwise(chance: Random, content: bytes) -> bytes:
    text = content.decode(errors="replace")
    match chance.choice(["mark", "windows", "utf-16", "latin", "truncated", "truncated", "empty"]):
        case "mark":
            return b"\xef\xbb\xbf" + content
        case "windows":
            return content.replace(b"\n", b"\r\n")
        case "utf-16":
            return text.encode("utf-16")
        case "latin":
            return text.replace("head", "köpfe").encode("latin-1", errors="replace")
        case "truncated":
            return content[: chance.randint(0, len(content))]
    return b""


DAMAGES = {
    lines_moved: 3, line_added: 3, value_replaced: 5, word_misspelt: 4, bytes_changed: 3,
    encoded_otherwise: 1,
}  # fmt: skip
WEIGHTS = list(DAMAGES.values())


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_the_files_are_good_before_they_are_damaged(tmp_path: Path, text: str) -> None:
    (tmp_path / "good.toml").write_text(text)
    assert read(tmp_path / "good.toml").experiment.model.backbone in text


@settings(max_examples=2000, derandomize=True, database=None)
@given(chance=st.randoms(use_true_random=True))  # one number each, from hypothesis
def test_a_damaged_file_is_read_or_refused_with_every_problem_in_its_place(
    tmp_path_factory: pytest.TempPathFactory, chance: Random
) -> None:
    file, content = tmp_path_factory.getbasetemp() / "damaged.toml", damaged(chance)
    file.write_bytes(content)
    try:
        experiment, problems = read(file).experiment, ()
    except InputError as refused:
        experiment, problems = None, refused.problems
    if experiment is not None:
        assert tomllib.loads(resolved_text(experiment))["name"] == experiment.name
    else:
        assert problems
        for problem in problems:
            assert problem.key.strip()
            assert problem.file == file
            assert problem.line is not None
            assert 1 <= problem.line <= content.count(b"\n") + 1
            assert problem.message
            assert not JARGON.search(f"{problem.message} {problem.hint}"), problem
            assert len(problem.message) < 1000

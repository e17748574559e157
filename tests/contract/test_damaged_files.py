"""Whatever stands in an experiment file: it is read, or its problems are told."""

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
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
    "epochs", "seed: 1", "{", "]", "\r", "\x00", "\x0b", "\u2028", "名 = 1", "99 = 1", "9" * 5000 + " = 1",
    ".".join("a" * 2000) + " = 1", ".".join("a" * 150) + " = 1", "params = []", "target = 'a.py:f'",
]  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A good file after up to four kinds of damage."""
    content = draw(st.sampled_from(list(GOOD.values()))).encode()
    for damage in draw(st.lists(st.sampled_from(DAMAGES), min_size=1, max_size=4)):
        content = damage(draw, content)
    return content


def lines_moved(draw: st.DrawFn, content: bytes) -> bytes:
    lines = content.split(b"\n")
    first, second = (draw(st.integers(0, len(lines) - 1)) for _ in "ab")
    match draw(st.sampled_from(["delete", "double", "swap", "cut", "move"])):
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


def line_added(draw: st.DrawFn, content: bytes) -> bytes:
    lines = content.split(b"\n")
    lines.insert(draw(st.integers(0, len(lines))), draw(st.sampled_from(LINES)).encode())
    return b"\n".join(lines)


def value_replaced(draw: st.DrawFn, content: bytes) -> bytes:
    found = list(re.finditer(rb"(?<== )[^,}\n]+", content))
    if not found:
        return content
    place = draw(st.sampled_from(found))
    value = draw(st.sampled_from(VALUES)).encode()
    return content[: place.start()] + value + content[place.end() :]


def word_misspelt(draw: st.DrawFn, content: bytes) -> bytes:
    found = list(re.finditer(rb"\w{2,}", content))
    if not found:
        return content
    word = draw(st.sampled_from(found))
    other = draw(st.sampled_from([*found, None]))
    new = other[0] if other else word[0][1:] + word[0][:1]
    return content[: word.start()] + new + content[word.end() :]


def bytes_changed(draw: st.DrawFn, content: bytes) -> bytes:
    at = draw(st.integers(0, len(content)))
    new = draw(st.binary(max_size=3) | st.sampled_from([b"", b'"', b"[", b"=", b".", b"\n", b"\\"]))
    return content[:at] + new + content[at + draw(st.integers(0, 3)) :]


def encoded_otherwise(draw: st.DrawFn, content: bytes) -> bytes:
    text = content.decode(errors="replace")
    match draw(st.sampled_from(["mark", "windows", "utf-16", "latin", "truncated", "empty"])):
        case "mark":
            return b"\xef\xbb\xbf" + content
        case "windows":
            return content.replace(b"\n", b"\r\n")
        case "utf-16":
            return text.encode("utf-16")
        case "latin":
            return f"# {'ü' * 3}\n{text}".encode("latin-1", errors="replace")
        case "truncated":
            return content[: draw(st.integers(0, len(content)))]
    return b""


DAMAGES = [
    lines_moved, line_added, value_replaced, value_replaced, word_misspelt, bytes_changed,
    encoded_otherwise,
]  # fmt: skip


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_the_files_are_good_before_they_are_damaged(tmp_path: Path, text: str) -> None:
    (tmp_path / "good.toml").write_text(text)
    assert read(tmp_path / "good.toml").experiment.model.backbone in text


@settings(
    max_examples=2000,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(content=damaged())
def test_a_damaged_file_is_read_or_refused_with_every_problem_in_its_place(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    file = tmp_path_factory.getbasetemp() / "damaged.toml"
    file.write_bytes(content)
    try:
        experiment = read(file).experiment
    except InputError as refused:
        assert refused.problems
        for problem in refused.problems:
            assert problem.key.strip()
            assert problem.file == file
            assert problem.line is not None
            assert 1 <= problem.line <= content.count(b"\n") + 1
            assert problem.message
            assert not JARGON.search(f"{problem.message} {problem.hint}"), problem
            assert len(problem.message) < 1000
    else:
        assert tomllib.loads(resolved_text(experiment))["name"] == experiment.name

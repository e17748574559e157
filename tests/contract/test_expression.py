"""Arithmetic in the experiment file: what it gives, and what it refuses."""

from __future__ import annotations

import math

import pytest

from engine.contract.expression import Expression, ExpressionError


@pytest.mark.parametrize(
    ("text", "count", "expected"),
    [
        ("0.95 ** epoch", 3, 0.95 * 0.95 * 0.95),
        ("0.95 ** step", 3, 0.95 * 0.95 * 0.95),
        ("min(1, (step + 1) / 500)", 249, 0.5),
        ("0.5 * (1 + cos(pi * epoch / 10))", 5, 0.5),
        ("1 if epoch < 5 else 0.1", 5, 0.1),
        ("1 if 2 <= epoch < 5 and epoch != 3 else 0", 3, 0.0),
        ("0.1 ** (epoch // 30)", 59, 0.1),
        ("exp(-epoch)", 1, 1 / math.e),
        ("pow(2, epoch) / max(abs(-4), e)", 3, 2.0),
        ("epoch % 4 + floor(1.5) - ceil(0.5)", 6, 2.0),
        ("  1  ", 0, 1.0),
    ],
)
def test_it_computes_what_python_would(text: str, count: int, expected: float) -> None:
    assert Expression(text)(count) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0.95 ** epohc", 'no name "epohc"; did you mean "epoch"?'),
        ("coss(epoch)", 'no function "coss"; did you mean "cos"?'),
        ("0.95 ** ", "is no arithmetic expression"),
        ("", "is no arithmetic expression"),
        ("\0", "is no arithmetic expression"),
        ("1; 2", "is no arithmetic expression"),
        ("epoch = 3", "is no arithmetic expression"),
        ("__import__('os').system('true')", "is not allowed"),
        ("open('file')", 'no function "open"'),
        ("epoch.real", '"epoch.real" is not allowed'),
        ("[1][0]", "is not allowed"),
        ("'a' * 3", "\"'a'\" is not allowed"),
        ("(lambda: 1)()", "is not allowed"),
        ("min(*[1, 2])", "is not allowed"),
        ("max(1, 2, key=3)", '"key=3" is not allowed'),
        ("1 << 3", "is not allowed"),
        ("True", '"True" is not allowed'),
        ("2j", '"2j" is not allowed'),
        ("1" * 501, "longer than 500"),
        ("(" * 249 + "1" + ")" * 249, "is no arithmetic expression"),
    ],
)
def test_what_is_no_arithmetic_is_refused_when_it_is_read(text: str, said: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        Expression(text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("9 ** 9 ** 9", "too large"),
        ("exp(epoch * 1000)", "too large"),
        ("9" * 400, "too large"),
        ("1 / (epoch - 1)", "fails at 1: division by zero"),
        ("(-8) ** 0.5", "fails at 1"),
        ("log(-epoch)", "fails at 1"),
        ("min()", "fails at 1"),
        ("-epoch", "gives -1 at 1"),
        ("1e308 * 10", "gives inf at 1"),
        ("1e308 * 10 - 1e308 * 10", "gives nan at 1"),
    ],
)
def test_a_result_that_is_no_factor_is_refused_with_its_count(text: str, said: str) -> None:
    expression = Expression(text)
    with pytest.raises(ExpressionError) as caught:
        expression(1)
    assert said in str(caught.value)


def test_nesting_beyond_what_can_be_computed_is_refused_when_it_is_read() -> None:
    assert Expression("-" * 60 + "1")(0) == 1.0
    with pytest.raises(ExpressionError, match="nested too deeply"):
        Expression("-" * 61 + "1")

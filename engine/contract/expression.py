"""Arithmetic in a string, such as `lr_lambda = "0.95 ** epoch"`, evaluated without `eval`."""

from __future__ import annotations

import ast
import math
import warnings
from collections.abc import Collection

import simpleeval

from engine.contract.problems import did_you_mean

COUNTS = ("epoch", "step")
CONSTANTS = {"pi": math.pi, "e": math.e}
# Powers are of floats: `9 ** 9 ** 9` overflows at once instead of filling the memory with digits.
FUNCTIONS = {
    "min": min,
    "max": max,
    "abs": abs,
    "sqrt": math.sqrt,
    "exp": math.exp,
    "log": math.log,
    "cos": math.cos,
    "sin": math.sin,
    "pow": math.pow,
    "floor": math.floor,
    "ceil": math.ceil,
}
_OPERATORS = {
    kind: operator
    for kind, operator in simpleeval.DEFAULT_OPERATORS.items()
    if kind in (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.USub, ast.UAdd)
    or kind in (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Not)
} | {ast.Pow: math.pow}
_SYNTAX = (ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.And, ast.Or, ast.Compare, ast.IfExp, ast.Call)
_LONGEST = 500  # characters
_DEEPEST = 60  # operations within one another; simpleeval takes 3 of Python's 1000 frames for each


class ExpressionError(ValueError):
    """The expression cannot be read, or gives no usable number; says why in one sentence."""


class Expression:
    """A factor as a function of `epoch` or `step`: two names for the one count it is called with.

    Parsed once, then about 1 µs for a short expression and 10 µs for a long one, a call.
    Raises ExpressionError where it cannot be read.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._node = _parse(text)
        self._latest = (-1, 0.0)
        self._names: dict[str, float] = dict(CONSTANTS)
        self._evaluator = simpleeval.SimpleEval(_OPERATORS, FUNCTIONS, self._names)

    def __call__(self, count: int) -> float:
        """The factor at `count`; raises ExpressionError unless it is finite and not negative."""
        if count == self._latest[0]:  # torch asks once for each group
            return self._latest[1]
        self._names["epoch"] = self._names["step"] = count
        try:
            value = float(self._evaluator.eval(self.text, self._node))
        except OverflowError:
            raise ExpressionError(f'"{self.text}" is too large at {count}') from None
        except (ArithmeticError, ValueError, TypeError) as error:
            raise ExpressionError(f'"{self.text}" fails at {count}: {error}') from None
        if not 0 <= value < math.inf:
            wanted = "a factor must be a finite number, and not negative"
            raise ExpressionError(f'"{self.text}" gives {value:g} at {count}: {wanted}')
        self._latest = (count, value)
        return value


def _parse(text: str) -> ast.expr:
    if len(text) > _LONGEST:
        raise ExpressionError(f"is longer than {_LONGEST} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python warns of `2if x`; what counts is the value
            node = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise ExpressionError(f'"{text}" is no arithmetic expression: {error.msg}') from None
    except (ValueError, MemoryError, RecursionError) as error:
        raise ExpressionError(f"is no arithmetic expression: {error}") from None
    _check(node, text)
    return node


def _check(node: ast.AST, text: str, depth: int = 0) -> None:
    """Refuse what is not arithmetic, with the piece of the text that is meant."""
    if depth > _DEEPEST:
        raise ExpressionError("is nested too deeply")
    if isinstance(node, ast.Call):
        if not isinstance(node.func, ast.Name):
            raise ExpressionError(f'"{ast.unparse(node)}" is not allowed; {_allowed()}')
        _known(node.func.id, FUNCTIONS, "function")
        parts: list[ast.AST] = [*node.args, *node.keywords]
    elif isinstance(node, ast.Name):
        _known(node.id, (*COUNTS, *CONSTANTS), "name")
        parts = []
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        parts = []
    elif isinstance(node, _SYNTAX) or type(node) in _OPERATORS:
        parts = list(ast.iter_child_nodes(node))
    else:
        piece = ast.get_source_segment(text.strip(), node) or type(node).__name__
        raise ExpressionError(f'"{piece}" is not allowed in an expression; {_allowed()}')
    for part in parts:
        _check(part, text, depth + 1)


def _known(name: str, known: Collection[str], kind: str) -> None:
    if name not in known:
        guess = did_you_mean(name, known)
        raise ExpressionError(f'no {kind} "{name}"; {guess or _allowed()}')


def _allowed() -> str:
    names = ", ".join((*COUNTS, *CONSTANTS))
    return f"known are numbers, + - * / // % **, {names}, and {', '.join(FUNCTIONS)}"

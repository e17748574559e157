"""The functions and classes of the .py files beside an experiment, found without running them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

LARGEST = 1 << 20  # bytes of a file that is read; a longer one is no loss or schedule


def definitions(folder: Path) -> list[tuple[str, str]]:
    """`losses.py:Dice` with how it is called and the first paragraph of its docstring, by
    file. A file that can't be read, or is no Python, gives none."""
    try:
        files = sorted(folder.glob("*.py"))
    except OSError:
        return []
    return [(f"{file.name}:{name}", help_) for file in files for name, help_ in _of(file)]


def _of(file: Path) -> Iterator[tuple[str, str]]:
    try:
        if file.stat().st_size > LARGEST:
            return
        body = ast.parse(file.read_bytes()).body
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            doc = " ".join((ast.get_docstring(node) or "").partition("\n\n")[0].split())
            yield node.name, "  ".join(filter(None, (_called(node), doc)))


def _called(node: ast.FunctionDef | ast.ClassDef) -> str:
    """`(output, target)`; of a class, its bases and what it is made with: `nn.Module (smooth)`."""
    if isinstance(node, ast.FunctionDef):
        return f"({', '.join(_arguments(node))})"
    bases = ", ".join(ast.unparse(base) for base in node.bases)
    made = next((each for each in node.body if getattr(each, "name", "") == "__init__"), None)
    arguments = _arguments(made)[1:] if isinstance(made, ast.FunctionDef) else []
    return " ".join(filter(None, ("class", bases, f"({', '.join(arguments)})")))


def _arguments(function: ast.FunctionDef) -> list[str]:
    given = function.args
    return [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]

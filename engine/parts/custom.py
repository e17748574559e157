"""One's own code: `target = "losses.py:DiceLoss"`, or `"package.module:Name"` of a library.

A file is loaded under a private module name, so that an experiment's `losses.py` neither hides
nor is hidden by another module of that name. Its folder goes to the end of `sys.path`, for its own
imports; one of those that finds another file than the one beside it is an error.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from engine.contract.problems import InputError, Problem, did_you_mean


def load_target(target: str, folder: Path, key: str) -> Any:
    """What `target` names: a function, a class or any other object.

    A relative file is relative to `folder`, the experiment's own. The same file gives the same
    module each time. This runs the file's code.

    Raises InputError at `key` where there is no such file, module or name, where the code cannot
    be read or raises, and where one of its imports finds another file than its neighbour.
    """
    place, _, name = target.rpartition(":")
    if not place or not name:
        hint = 'write "file.py:name", or "package.module:name" of an installed library'
        raise _problem(key, f'"{target}" names no object in a module', hint)
    if place.endswith(".py"):
        module = _from_file((folder / Path(place).expanduser()).resolve(), key)
    else:
        module = _installed(place, name, folder, key)
    found: Any = module
    for part in name.split("."):
        known = [other for other in dir(found) if not other.startswith("_")]
        if not hasattr(found, part):
            hint = did_you_mean(part, known) or "it has: " + ", ".join(known[:20])
            raise _problem(key, f'{place} has no "{part}"', hint)
        found = getattr(found, part)
    return found


def described(error: BaseException, file: Path | None = None) -> str:
    """The error in one line, with the place in `file` (or else the innermost place) it came from.

    `schedules.py, line 3: ZeroDivisionError: division by zero`
    """
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, SyntaxError) and error.filename:
        return (
            f"{Path(error.filename).name}, line {error.lineno}: {type(error).__name__}: {error.msg}"
        )
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if file is not None and Path(frame.filename) == file]
    if not frames:
        return what
    frame = (own or frames)[-1]
    return f"{Path(frame.filename).name}, line {frame.lineno}: {what}"


def _from_file(path: Path, key: str) -> ModuleType:
    name = f"_ptrain_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    if not path.is_file():
        near = [other.name for other in path.parent.glob("*.py")] if path.parent.is_dir() else []
        hint = did_you_mean(path.name, near) or "a relative path is relative to the experiment file"
        raise _problem(key, f"there is no file {path}", hint)
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    importlib.invalidate_caches()  # a file written a moment ago is to be found
    _no_clash(path, key)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None  # a path that ends in .py always has a loader
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # before it runs, as dataclasses and pickle look themselves up
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise _problem(key, f"cannot be loaded: {described(error, path)}") from error
    return module


def _installed(place: str, name: str, folder: Path, key: str) -> ModuleType:
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        missing = error.name or place
        if not f"{place}.".startswith(f"{missing}."):
            raise _problem(key, f"{place} cannot be loaded: {described(error)}") from error
        file = place.replace(".", "/") + ".py"
        hint = "install it into the Python that runs ptrain, or write a file's name with its .py"
        if (folder / file).is_file():
            hint = f'for the file beside the experiment write "{file}:{name}"'
        raise _problem(key, f'no module "{missing}" is installed', hint) from error
    except (Exception, SystemExit) as error:
        raise _problem(key, f"{place} cannot be loaded: {described(error)}") from error


def _no_clash(path: Path, key: str) -> None:
    """Compare, for each import that a neighbour could answer, where Python would find it."""
    try:
        tree = ast.parse(path.read_bytes(), str(path))
    except (SyntaxError, ValueError) as error:
        raise _problem(key, f"cannot be loaded: {described(error, path)}") from error
    for name, line in _imported(tree):
        beside = [path.parent / f"{name}.py", path.parent / name / "__init__.py"]
        neighbour = next((file for file in beside if file.is_file()), None)
        if neighbour is None or neighbour == path:
            continue
        found = _origin(name)
        if found != neighbour:
            message = (
                f"{path.name}, line {line}: `import {name}` finds {found or 'a built-in module'}, "
                f"not the {neighbour.name} beside it"
            )
            raise _problem(key, message, f"give {neighbour} another name")


def _imported(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """The first part of each absolute import, and its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name.partition(".")[0], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0], node.lineno


def _origin(name: str) -> Path | None:
    """The file that `import name` would give, or has given; None where it is built in."""
    module = sys.modules.get(name)
    if module is not None:
        file = getattr(module, "__file__", None)
    else:
        spec = importlib.util.find_spec(name)
        file = spec.origin if spec is not None and spec.has_location else None
    return Path(file).resolve() if file else None


def _problem(key: str, message: str, hint: str = "") -> InputError:
    return InputError(Problem(message, key=key, hint=hint))

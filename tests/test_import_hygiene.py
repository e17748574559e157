"""What a clean interpreter has loaded: torch costs seconds, and a wall stays only where it is
looked at."""

import importlib.util
import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import engine
from tests.test_processes import environment

LOOK = """
import importlib, json, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""

# As the commands import it: what is there is the collector's no more, which is on again.
UNCOLLECTED = """
import gc
from engine.importing import importing
with importing():
    import engine.check, engine.run
assert gc.isenabled() and gc.get_freeze_count() > 100_000 > len(gc.get_objects())
"""


def loaded_by(*modules: str, first: str = "") -> set[str]:
    """The packages that importing these modules loads, in an interpreter of its own."""
    done = subprocess.run(
        [sys.executable, "-c", first + LOOK, *modules], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "nanobind reports what is not freed at the end"
    return set(json.loads(done.stdout))


def modules_of(package: str) -> list[str]:
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        return []
    walk = pkgutil.walk_packages(found.submodule_search_locations, f"{package}.")
    return [package, *(module.name for module in walk)]


def test_the_shared_vocabulary_loads_neither_torch_nor_the_dashboard() -> None:
    modules = modules_of("engine.contract")
    assert "engine.contract.toml_file" in modules
    assert not loaded_by(*modules) & {"torch", "torchvision", "torchmetrics", "textual", "tui"}


def test_the_dashboard_loads_no_torch() -> None:
    assert not loaded_by(*modules_of("tui")) & {"torch", "torchvision", "torchmetrics"}


def test_the_engine_loads_nothing_of_the_dashboard() -> None:
    modules = modules_of("engine")
    assert {"engine.loop", "engine.parts.losses"} <= set(modules)
    loaded = loaded_by(*modules, first=UNCOLLECTED)
    assert not loaded & {"textual", "tui"}
    assert "torch" in loaded


@pytest.mark.parametrize("heavy", ["torch", "torchvision", "torchmetrics", "textual", "tui"])
def test_what_every_command_loads_is_light(heavy: str, light: set[str]) -> None:
    assert heavy not in light


@pytest.fixture(scope="module")
def light() -> set[str]:
    names = (
        *("cli", "commands", "compare", "tables", "launch", "display"),
        *("forking", "workbench"),
    )
    return loaded_by(*(f"{engine.__name__}.{name}" for name in names))


COMMAND = """
import json, sys
from engine.cli import main
sys.argv[0] = "ptrain"
try:
    main()
except SystemExit:
    names = sorted({name.partition(".")[0] for name in sys.modules})
    print(json.dumps(names), file=sys.stderr)
"""


@pytest.mark.parametrize("command", [["runs"], ["queue"], ["cache"], ["compare", "--help"]])
def test_what_only_shows_what_is_there_knows_no_experiment_and_asks_no_driver(
    command: list[str], tmp_path: Path
) -> None:
    """These would take as long again as the whole command."""
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, *command],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    loaded = set(json.loads(done.stderr.splitlines()[-1]))
    assert "engine" in loaded
    assert not loaded & {"torch", "textual", "pydantic", "pynvml", "tree_sitter"}

"""The benchmarks run, at a size where times mean nothing: what they compare is the same work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_processes import environment
from tests.training import TOP

TINY = "--images 6 --size 32 --epochs 1 --repeats 1 --workers 0 --threads 1"


def tables(folder: Path, parts: str, *more: str) -> dict[str, dict[str, list[str]]]:
    """What `benchmarks/run.py --markdown` writes: title → contender → its cells."""
    file = folder / "tables.md"
    command = [sys.executable, "benchmarks/run.py", "--only", parts, "--markdown", str(file)]
    command += [*TINY.split(), "--without-peers", *more]
    ran = subprocess.run(
        command,
        env=environment(),
        cwd=TOP,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found: dict[str, dict[str, list[str]]] = {}
    for section in file.read_text().split("## ")[1:]:
        title, _, rest = section.partition("\n")
        lines = [line.strip("|").split("|") for line in rest.splitlines() if line.startswith("|")]
        rows = [[cell.strip() for cell in line] for line in lines]
        found[title] = {row[0]: row[1:] for row in rows if row[0] not in ("", "---")}
    return found


@pytest.mark.slow
def test_fine_tuning_is_the_same_work_for_ptrain_as_by_hand(tmp_path: Path) -> None:
    found = tables(tmp_path, "frozen,layer4,views,jpeg")
    assert list(found["Head alone"]) == ["by hand", "ptrain", "ptrain, again"]
    for title in ("Last stage and head", "Head alone, with augmentation"):
        assert list(found[title]) == ["by hand", "ptrain"]
    for title in ("Head alone", "Last stage and head", "Whole network from JPEG files"):
        hand, *others = (float(row[4]) for row in found[title].values())
        assert hand == 0
        assert max(others) < 1e-4, "the curve is another one"


@pytest.mark.slow
def test_a_step_a_peak_and_a_start_are_measured_of_ptrain_and_by_hand(tmp_path: Path) -> None:
    found = tables(tmp_path, "whole,resnet50,memory,start")
    steps = ["by hand, index_select", "by hand, DataLoader", "ptrain"]
    assert list(found["Steps of a whole network"]) == [f"1 ms: {name}" for name in steps]
    assert list(found["resnet50 on the device"]) == ["bare model", "ptrain"]
    assert list(found["Starting"]) == ["by hand", "ptrain", "ptrain, warm"]
    memory = found["Memory"]
    assert [name.partition(": ")[2] for name in memory] == [
        "by hand", "ptrain", "by hand", "ptrain, cache on the disk", "ptrain, cache in memory",
    ]  # fmt: skip
    assert all(min(map(float, row[:3])) > 0 for row in memory.values())

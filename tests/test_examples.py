"""The examples, run as a person runs them, reach what they promise."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from engine.contract.template import write_new
from engine.parts.custom import load_target
from tests.test_processes import PTRAIN, environment
from tests.training import TOP

# name → metrics and what each must at least be
PROMISED = {
    "shapes": {"val/miou": 0.8},
    "gauges": {"val/r2": 0.8, "val/r2/angle": 0.8, "val/r2/radius": 0.8},
    "labels": {"val/f1": 0.9},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PROMISED)
def test_an_example_that_was_copied_by_ptrain_new_reaches_its_figure(tmp_path, name):
    write_new(tmp_path / f"{name}.toml", name)
    ran = subprocess.run(
        [*PTRAIN, "run", f"{name}.toml", "--json", "--device", "cpu"],
        env=environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    events = [json.loads(line) for line in ran.stdout.splitlines()]
    assert events[-1]["type"] == "run_finished"
    reached = events[-1]["metrics"]
    assert {key: reached[key] for key in PROMISED[name] if reached[key] < PROMISED[name][key]} == {}


@pytest.mark.parametrize("name", ["Shapes", "Gauges", "Labels"])
def test_what_is_drawn_depends_on_the_split_and_the_index_alone(name):
    kind = load_target(f"drawn.py:{name}", TOP / "experiments", "data.target")

    def drawn(split: str, index: int) -> list[object]:
        image, target = kind(split=split)[index]
        return [np.asarray(image).tolist(), np.asarray(target).tolist()]

    assert drawn("train", 3) == drawn("train", 3)
    assert drawn("train", 3) != drawn("train", 4)
    assert drawn("train", 3) != drawn("val", 3)


def test_masks_of_the_shapes_have_every_class_and_a_border_that_is_not_known():
    kind = load_target("drawn.py:Shapes", TOP / "experiments", "data.target")
    masks = np.stack([np.asarray(kind()[index][1]) for index in range(20)])
    assert set(np.unique(masks)) == {0, 1, 2, 3, 255}
    neighbours = zip(masks[:, :, :-1].ravel(), masks[:, :, 1:].ravel(), strict=True)
    touching = {(int(a), int(b)) for a, b in neighbours if a != b and 255 not in (a, b)}
    assert touching == set(), "between two classes there is always a border"


@pytest.mark.parametrize("path", sorted((TOP / "experiments").glob("*.toml")), ids=lambda p: p.stem)
def test_an_example_says_how_it_is_run(path: Path):
    assert f"ptrain run experiments/{path.name}" in path.read_text()

"""What may be monitored of a regression is known when its columns are, and told before training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.build import build
from engine.contract.problems import InputError
from engine.contract.toml_file import read

TEXT = """
[data]
dataset = "ImageTable"
root = "table.csv"
targets = {columns}
task = "regression"
image_size = 32
val = 0.25

[model]
backbone = "mnasnet0_5"

[[scheduler]]
name = "ReduceLROnPlateau"
monitor = "{monitor}"
mode = "min"

[train]
epochs = 1
device = "cpu"
"""


def built(folder: Path, columns: list[str], monitor: str) -> None:
    rows = ["image,age,angle"]
    for index in range(8):
        Image.fromarray(np.full((32, 32, 3), 30 * index, np.uint8)).save(folder / f"{index}.png")
        rows.append(f"{index}.png,{index},{10 * index}")
    (folder / "table.csv").write_text("\n".join(rows))
    (folder / "it.toml").write_text(TEXT.format(columns=columns, monitor=monitor))
    file = read(folder / "it.toml")
    build(file.experiment, file.folder).data.close()


@pytest.mark.parametrize(
    ("columns", "monitor"),
    [
        (["age"], "val/mae"),
        (["age"], "val/r2"),
        (["age", "angle"], "val/r2"),
        (["age", "angle"], "val/mae/angle"),
        (["age", "angle"], "val/loss"),
        (["age", "angle"], "train/loss"),
    ],
)
def test_what_is_measured_can_be_monitored(
    tmp_path: Path, columns: list[str], monitor: str
) -> None:
    built(tmp_path, columns, monitor)


@pytest.mark.parametrize(
    ("columns", "monitor", "hint"),
    [
        (["age"], "val/mae/age", 'write "val/mae"'),
        (["age", "angle"], "val/mae", "there are: val/mae/age, val/mae/angle"),
        (["age", "angle"], "val/rmse/length", "there are: val/rmse/age, val/rmse/angle"),
    ],
)
def test_what_nobody_measures_is_told_with_what_there_is(
    tmp_path: Path, columns: list[str], monitor: str, hint: str
) -> None:
    with pytest.raises(InputError) as caught:
        built(tmp_path, columns, monitor)
    (problem,) = caught.value.problems
    assert (problem.key, problem.hint) == ("scheduler.0.monitor", hint)

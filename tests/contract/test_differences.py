"""What differs between experiments, and how it is told in a cell."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.contract.differences import (
    Difference,
    differences,
    read_settings,
    settings_of,
    shown,
)
from engine.contract.problems import InputError
from engine.contract.run_directory import create


def of(*texts: str) -> dict[str, tuple[object, ...]]:
    return dict(differences([settings_of(tomllib.loads(text)) for text in texts]))


def test_what_is_equal_in_all_is_left_out() -> None:
    one = "seed = 1\n[optimizer]\nlr = 0.1\nname = 'SGD'\n"
    assert of(one, one.replace("0.1", "0.2"), one) == {"optimizer.lr": (0.1, 0.2, 0.1)}
    assert of(one, one) == {}


def test_the_tables_of_a_list_are_numbered_and_one_that_is_not_there_is_none() -> None:
    step = "[[scheduler]]\nname = 'StepLR'\ngamma = 0.1\n"
    cosine = "[[scheduler]]\nT_max = 5\nname = 'CosineAnnealingLR'\n"
    assert of(step, step + cosine) == {
        "scheduler.1.name": (None, "CosineAnnealingLR"),
        "scheduler.1.T_max": (None, 5),
    }
    assert list(of("scheduler = []\n", step)) == ["scheduler.0.name", "scheduler.0.gamma"]


def test_a_list_of_values_is_one_value() -> None:
    assert of("[model]\nfreeze = []\n", "[model]\nfreeze = ['*', '!fc']\n") == {
        "model.freeze": ([], ["*", "!fc"])
    }


def test_a_loss_alone_is_called_as_it_is_written_and_several_by_their_numbers() -> None:
    mse, huber = "[[loss]]\nname = 'MSELoss'\n", "[[loss]]\nname = 'HuberLoss'\n"
    assert of(mse, huber) == {"loss.name": ("MSELoss", "HuberLoss")}
    assert of(mse, huber + mse) == {
        "loss.0.name": ("MSELoss", "HuberLoss"),
        "loss.1.name": (None, "MSELoss"),
    }


def test_a_key_of_one_experiment_stands_where_it_is_there_and_the_class_before_its_keys() -> None:
    sgd = "[optimizer]\nlr = 0.1\nmomentum = 0.9\nname = 'SGD'\n[train]\nepochs = 1\n"
    adam = "[optimizer]\nlr = 0.2\neps = 1e-8\nname = 'Adam'\n[train]\nepochs = 2\n"
    keys = ["name", "lr", "eps", "momentum"]
    assert list(of(sgd, adam)) == [*(f"optimizer.{key}" for key in keys), "train.epochs"]


def test_true_is_not_one_and_a_nan_is_a_nan() -> None:
    assert of("a = true\n", "a = 1\n") == {"a": (True, 1)}
    assert of("a = nan\n", "a = nan\n") == {}


KEYS = st.sampled_from("abcde")
TOML = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
TABLES = st.lists(st.dictionaries(KEYS, TOML, max_size=4).map(settings_of), min_size=2, max_size=4)


@given(TABLES)
def test_a_setting_is_told_once_if_and_only_if_it_is_not_the_same_everywhere(
    experiments: list[dict[str, object]],
) -> None:
    found = differences(experiments)
    keys = [key for key, _ in found]
    assert len(keys) == len(set(keys))
    for key in {key for settings in experiments for key in settings}:
        values = [settings.get(key) for settings in experiments]
        told = Difference(key, tuple(values)) in found
        lists_of_tables = [] in values and any(other.startswith(f"{key}.0.") for other in keys)
        same = all(repr(value) == repr(values[0]) for value in values)
        assert told != (same or lists_of_tables)


def test_paths_are_told_from_where_they_part() -> None:
    assert shown(["/data/a/ants", "/data/b/ants", None]) == ["…/a/ants", "…/b/ants", "–"]
    assert shown(["/data/ants", "/data/ants"]) == ["/data/ants", "/data/ants"]
    assert shown(["/data", "/home/me"]) == ["/data", "/home/me"]
    assert shown(["/data", "ants"]) == ["/data", "ants"]
    assert shown(["/home/me/projects/classification/ants"], 12) == ["…cation/ants"]


def test_values_are_told_as_they_are_written_and_shortened_at_their_end() -> None:
    values = [True, 1e-4, [15, 20], [[0.9, 0.999]], "balanced", None]
    assert shown(values) == ["true", "0.0001", "[15, 20]", "[[0.9, 0.999]]", "balanced", "–"]
    assert shown([list(range(20))], 12) == ["[0, 1, 2, 3…"]
    assert shown([{"name": "Pad", "padding": 2}]) == ["{name = Pad, padding = …"]


@pytest.mark.parametrize("content", [b"a = [", b"\xff", b"a = " + b"[" * 5000])
def test_a_damaged_experiment_is_told(tmp_path: Path, content: bytes) -> None:
    run = create(tmp_path, "ants", "", b"")
    run.experiment.write_bytes(content)
    with pytest.raises(InputError, match=r"experiment.toml.* is damaged"):
        read_settings(run)
    run.experiment.unlink()
    with pytest.raises(InputError, match="No such file"):
        read_settings(run)

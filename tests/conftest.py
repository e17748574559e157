"""Fixtures that several files share: the small experiment, and the process that trains it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings

from engine.contract.run_directory import RunDirectory
from tests.training import Zygote, only_run, write_experiment

# How long anything takes is the machine's affair, which may have other work.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")


@pytest.fixture(scope="session", autouse=True)
def own_places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What the dashboard remembers and what frozen layers gave are the user's: tests, and the
    processes that they start, have places of their own for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        patch.setenv("PTRAIN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    zygote = Zygote(tmp_path_factory.mktemp("zygote"))
    yield zygote
    zygote.close()


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Models as small as the tests' are slower with more, and other tests use the other cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """small.toml beside its images; not to be changed."""
    return write_experiment(tmp_path_factory.mktemp("experiment"))


@pytest.fixture(scope="session")
def undisturbed(
    zygote: Zygote, experiment: Path, tmp_path_factory: pytest.TempPathFactory
) -> RunDirectory:
    """The run of that experiment that nobody stopped, asked or filled the disk of."""
    runs = tmp_path_factory.mktemp("undisturbed")
    assert zygote.train(path=experiment, runs=runs) == 0
    return only_run(runs)

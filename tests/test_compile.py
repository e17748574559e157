"""Trainings with [train] compile, told and resumed; torch.compile's backend only runs the graph."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.fx import GraphModule

from engine.contract.events import Compiled, Compiling, Step, Validated, Warned
from engine.contract.follower import Follower
from engine.contract.model import Model, Unfreeze
from engine.contract.optimizer import SGD
from engine.contract.run_directory import RunDirectory
from engine.display import Screen
from engine.job import Job
from engine.loop import train
from engine.parts import compiling
from tests.tiny import FEATURES, in_batches, job_of, parts_of, samples

Backend = Callable[[GraphModule, Sequence[Tensor]], Callable[..., Any]]


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> list[GraphModule]:
    """What was compiled."""
    found: list[GraphModule] = []

    def backend(graph: GraphModule, _: Sequence[Tensor]) -> Callable[..., Any]:
        found.append(graph)
        return graph.forward

    torch.compiler.reset()
    monkeypatch.setattr(compiling, "BACKEND", backend)
    return found


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(FEATURES, 8), nn.Dropout(0.5), nn.ReLU(), nn.Linear(8, 4))


def trained(folder: Path, mode: str) -> Job:
    """Three epochs of three batches, the last one short; the first layer trains from epoch 1 on."""
    parts = parts_of(
        in_batches(*samples(20), 8, 8, 4),
        val=in_batches(*samples(12, seed=1), 8, 4),
        model=model(),
        heads=["3"],
        optimizer=SGD(lr=0.1),
        model_section=Model(
            backbone="resnet18", freeze=["0"], unfreeze=[Unfreeze(epoch=1, layers=["0"])]
        ),
        train_section={"epochs": 3, "compile": mode},
        data={"batch_size": 8},
    )
    folder.mkdir()
    job = job_of(parts, folder)
    torch.manual_seed(1)
    train(job)
    job.recorder.close()
    return job


def events(run: RunDirectory, *kinds: type) -> list[Any]:
    return [event for event in Follower(run.events).events() if isinstance(event, kinds)]


def numbers(run: RunDirectory) -> list[Any]:
    return [
        event.loss if isinstance(event, Step) else event.metrics
        for event in events(run, Step, Validated)
    ]


def test_the_numbers_are_those_of_the_model_and_each_stage_is_compiled_once(tmp_path, graphs):
    plain = trained(tmp_path / "plain", "off")
    assert not graphs
    job = trained(tmp_path / "compiled", "default")
    assert numbers(job.keeper.run) == numbers(plain.keeper.run)
    ours, theirs = job.parts.model.state_dict(), plain.parts.model.state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    # Training and validation, with the first layer frozen and then not.
    assert len(graphs) == 4


def test_the_warm_up_is_told_before_it_and_after_it(tmp_path, graphs):
    run = trained(tmp_path / "run", "default").keeper.run
    told = [(type(e), e.split, e.step, e.epoch) for e in events(run, Compiling, Compiled)]
    assert told == [
        (kind, split, step, epoch)
        for split, step, epoch in (
            ("train", 0, 0), ("val", 3, 0), ("train", 3, 1), ("val", 6, 1),
        )
        for kind in (Compiling, Compiled)
    ]  # fmt: skip
    shown = io.StringIO()
    Screen(run, shown).look()
    assert "train: compiling (default); the first steps take longer" in shown.getvalue()
    assert "val: compiled in 0" in shown.getvalue()


def test_without_a_compiler_the_run_goes_on_and_says_so(tmp_path, monkeypatch):
    def backend(*_: Any) -> Callable[..., Any]:
        raise RuntimeError("Failed to find C compiler. Please specify via CC environment variable.")

    torch.compiler.reset()
    monkeypatch.setattr(compiling, "BACKEND", backend)
    plain = trained(tmp_path / "plain", "off")
    job = trained(tmp_path / "compiled", "default")
    assert numbers(job.keeper.run) == numbers(plain.keeper.run)
    warned = events(job.keeper.run, Warned)
    assert [event.where for event in warned] == ["train.compile"] * 4
    assert "Failed to find C compiler" in warned[0].what
    assert not events(job.keeper.run, Compiled)

"""reduction = "none": what a training keeps of its samples is what torch gives by hand."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.build import Parts
from engine.checkpoint import load
from engine.contract.control import ask
from engine.contract.data import Data
from engine.contract.model import Model
from engine.contract.optimizer import SGD
from engine.contract.samples import EpochSamples, read_samples
from engine.job import HARDEST, Job
from engine.loop import train
from engine.parts.batches import Batch
from engine.snapshot import restore
from tests.tiny import CLASSES, FEATURES, in_batches, job_of, linear, parts_of, samples

LR = 0.2
WEIGHT = torch.tensor([0.5, 2.0, 1.0, 3.0])
SIZES = (4, 4, 4, 4, 2)  # with two batches a step: a short last batch, and a step of that alone


@dataclass
class Case:
    """One task, with all that is known of it by hand.

    `each`: torch's unreduced loss of (output, targets). `count`: the denominator of the mean of
    some targets. `rows`: unreduced losses and targets → (of each sample, sums by class, counts).
    """

    sections: dict[str, Any]
    targets: Tensor
    each: Callable[[Tensor, Tensor], Tensor]
    count: Callable[[Tensor], float]
    rows: Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]
    model: Callable[[], nn.Module] = linear
    inputs: Tensor | None = None


def by_class(each: Tensor, targets: Tensor, ignored: int) -> tuple[Tensor, Tensor, Tensor]:
    """One number a sample or pixel; without any that counts, a sample has no loss."""
    counting = targets != ignored
    found = [
        each[n][counting[n]].mean() if counting[n].any() else torch.tensor(math.nan)
        for n in range(len(each))
    ]
    chosen = [targets == label if label != ignored else targets < 0 for label in range(CLASSES)]
    sums = torch.stack([each[where].sum() for where in chosen])
    return torch.stack(found), sums, torch.tensor([float(where.sum()) for where in chosen])


def by_column(each: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return each.mean(1), each.sum(0), torch.full((each.shape[1],), float(len(each)))


def own(task: str, **more: Any) -> dict[str, Any]:
    return {"data": Data(target="mine.py:build", task=task, **more)}


def classification() -> Case:
    """The third batch and two samples more are ignored."""
    targets = samples(18)[1]
    targets[8:12], targets[[1, 16]] = 2, 2
    return Case(
        {"loss": {"weight": WEIGHT.tolist(), "ignore_index": 2, "reduction": "none"}},
        targets,
        lambda output, t: F.cross_entropy(output, t, WEIGHT, ignore_index=2, reduction="none"),
        lambda t: float(WEIGHT[t[t != 2]].sum()),
        lambda each, t: by_class(each, t, 2),
    )


def multilabel() -> Case:
    targets = (torch.rand(18, CLASSES, generator=torch.Generator().manual_seed(3)) > 0.6).float()
    loss = {"name": "BCEWithLogitsLoss", "pos_weight": WEIGHT.tolist(), "reduction": "none"}
    return Case(
        {"loss": loss, **own("multilabel")},
        targets,
        lambda output, t: F.binary_cross_entropy_with_logits(
            output, t, pos_weight=WEIGHT, reduction="none"
        ),
        lambda t: float(t.numel()),
        by_column,
    )


def one_number_a_sample() -> Case:
    """MultiLabelSoftMarginLoss has one number a sample: a label's are those that have the label."""
    case = multilabel()
    case.sections["loss"] = {"name": "MultiLabelSoftMarginLoss", "reduction": "none"}
    case.each = lambda output, t: F.multilabel_soft_margin_loss(output, t, reduction="none")
    case.count = lambda t: float(len(t))
    case.rows = lambda each, t: (each, (each.unsqueeze(1) * t).sum(0), t.sum(0))
    return case


def regression() -> Case:
    """Two columns of very different units, standardized over the training targets."""
    targets = torch.randn(18, 2, generator=torch.Generator().manual_seed(4))
    targets = targets * torch.tensor([100.0, 0.1]) + torch.tensor([500.0, -1.0])
    mean, std = targets.mean(0), targets.std(0, correction=0)
    return Case(
        {
            "loss": {"name": "SmoothL1Loss", "beta": 0.5, "reduction": "none"},
            **own("regression", standardize=True),
        },
        targets,
        lambda output, t: F.smooth_l1_loss(output, (t - mean) / std, beta=0.5, reduction="none"),
        lambda t: float(t.numel()),
        by_column,
        model=lambda: nn.Linear(FEATURES, 2),
    )


def segmentation() -> Case:
    """Pixels of 255 count nowhere; sample 5 has no other, and neither has the third batch."""
    generator = torch.Generator().manual_seed(5)
    targets = torch.randint(CLASSES, (18, 3, 5), generator=generator)
    targets[torch.rand(18, 3, 5, generator=generator) < 0.3] = 255
    targets[5], targets[8:12] = 255, 255
    loss = {"weight": WEIGHT.tolist(), "ignore_index": 255, "reduction": "none"}
    return Case(
        {
            "loss": loss,
            "model_section": Model(backbone="lraspp_mobilenet_v3_large"),
            **own("segmentation"),
        },
        targets,
        lambda output, t: F.cross_entropy(output, t, WEIGHT, ignore_index=255, reduction="none"),
        lambda t: float(WEIGHT[t[t != 255]].sum()),
        lambda each, t: by_class(each, t, 255),
        model=lambda: nn.Conv2d(FEATURES, CLASSES, 1),
        inputs=torch.randn(18, FEATURES, 3, 5, generator=generator),
    )


CASES = [classification, multilabel, one_number_a_sample, regression, segmentation]


def tiny(case: Case, accumulate: int, epochs: int) -> tuple[Parts, list[Batch], nn.Module]:
    """The parts, their batches, and the model as it is before the training."""
    torch.manual_seed(1)
    model = case.model()
    inputs = samples(18)[0] if case.inputs is None else case.inputs
    batches = in_batches(inputs, case.targets, *SIZES)
    parts = parts_of(
        batches,
        model=copy.deepcopy(model),
        optimizer=SGD(lr=LR),
        train_section={"accumulate": accumulate, "epochs": epochs},
        **case.sections,
    )
    return parts, batches, model


def by_hand(
    case: Case, model: nn.Module, batches: list[Batch], accumulate: int
) -> tuple[Tensor, Tensor, Tensor]:
    """One epoch of plain gradient descent, and what each of its samples lost at its step."""
    found: list[tuple[Tensor, Tensor, Tensor]] = []
    for first in range(0, len(batches), accumulate):
        step = batches[first : first + accumulate]
        count = sum(case.count(batch.targets) for batch in step)
        model.zero_grad()
        for batch in step:
            each = case.each(model(batch.inputs), batch.targets)
            found.append(case.rows(each.detach(), batch.targets))
            if count:
                (each.sum() / count).backward()
        if count:
            with torch.no_grad():
                for parameter in model.parameters():
                    assert parameter.grad is not None
                    parameter -= LR * parameter.grad
    losses, sums, counts = zip(*found, strict=True)
    return torch.cat(losses), torch.stack(sums).sum(0), torch.stack(counts).sum(0)


def assert_kept(epoch: EpochSamples, losses: Tensor, sums: Tensor, counts: Tensor) -> None:
    assert [row.count for row in epoch.classes] == counts.tolist()
    for row, total, count in zip(epoch.classes, sums.tolist(), counts.tolist(), strict=True):
        assert row.loss == (pytest.approx(total / count, rel=1e-5) if count else None)
    finite = {f"train[{n}]": loss for n, loss in enumerate(losses.tolist()) if loss == loss}
    assert [row.loss for row in epoch.hardest] == sorted(
        (row.loss for row in epoch.hardest), reverse=True
    )
    assert {row.sample: row.loss for row in epoch.hardest} == pytest.approx(finite, rel=1e-5)


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("make", CASES)
def test_each_class_and_each_sample_has_the_loss_that_torch_gives_by_hand(
    make: Callable[[], Case], accumulate: int, tmp_path: Path
) -> None:
    case = make()
    parts, batches, model = tiny(case, accumulate, epochs=2)
    job = job_of(parts, tmp_path)
    train(job)
    kept = read_samples(job.keeper.run)
    assert [(each.epoch, each.step) for each in kept] == [
        (0, parts.steps_per_epoch),
        (1, 2 * parts.steps_per_epoch),
    ]
    for epoch in kept:
        assert_kept(epoch, *by_hand(case, model, batches, accumulate))


@pytest.mark.parametrize("make", [classification, segmentation])
@pytest.mark.parametrize("at", [0, 2, 4])
def test_a_run_that_was_stopped_in_an_epoch_keeps_what_came_before_the_stop(
    make: Callable[[], Case], at: int, tmp_path: Path
) -> None:
    whole = job_of(tiny(make(), 1, epochs=1)[0], tmp_path / "whole")
    train(whole)
    stopped = job_of(tiny(make(), 1, epochs=1)[0], tmp_path / "stopped")
    stop_at(stopped, at)
    assert train(stopped).stopped
    run = stopped.keeper.run
    assert read_samples(run) == [], "the epoch has not ended"
    again = job_of(tiny(make(), 1, epochs=1)[0], tmp_path / "again")
    again.keeper.run = run
    restore(again, load(run.checkpoints / "last.pt"))
    assert again.progress.batch == at + 1
    train(again)
    assert read_samples(run) == read_samples(whole.keeper.run)


def stop_at(job: Job, at: int) -> None:
    """Somebody asks for the end while that batch of an epoch is read."""
    read = job.parts.data.train_batches

    def batches(epoch: int, start: int = 0) -> Iterator[Batch]:
        for number, batch in enumerate(read(epoch, start)):
            if number == at:
                ask(job.keeper.run, "stop")
                job.control._next = 0.0  # it is looked at ten times a second
            yield batch

    job.parts.data.train_batches = batches  # type: ignore[method-assign]


def test_a_million_pixels_add_up() -> None:
    """In float32 they add up to 1353.45, which is 1 % less."""
    case = segmentation()
    criterion = tiny(case, 1, epochs=1)[0].criterion
    output = torch.tensor([8.0, 1.0, 1.0, 1.0]).view(1, 4, 1, 1).expand(1, 4, 1000, 1000)
    each = case.each(output[:, :, :1, :1], torch.zeros(1, 1, 1, dtype=torch.int64))
    kept = criterion.samples(output, torch.zeros(1, 1000, 1000, dtype=torch.int64))
    assert kept.class_counts.tolist() == [1e6, 0, 0, 0]
    assert float(kept.class_totals[0]) == pytest.approx(1e6 * float(each), rel=1e-6)


def test_of_many_samples_the_hardest_are_kept(tmp_path: Path) -> None:
    inputs, targets = samples(HARDEST + 30)
    parts = parts_of(
        in_batches(inputs, targets, HARDEST + 30), loss={"reduction": "none"}, optimizer=SGD(lr=LR)
    )
    job = job_of(parts, tmp_path)
    train(job)
    (epoch,) = read_samples(job.keeper.run)
    losses = F.cross_entropy(linear()(inputs), targets, reduction="none")
    hardest = losses.argsort(descending=True)[:HARDEST].tolist()
    assert [row.sample for row in epoch.hardest] == [f"train[{index}]" for index in hardest]
    assert sum(row.count for row in epoch.classes) == HARDEST + 30


def test_a_loss_that_is_reduced_keeps_nothing(tmp_path: Path) -> None:
    job = job_of(parts_of(in_batches(*samples(8), 4, 4)), tmp_path)
    train(job)
    assert not job.keeper.run.samples.exists()


def test_of_several_terms_the_first_that_is_not_reduced_is_kept(tmp_path: Path) -> None:
    inputs, targets = samples(8)
    terms = [{}, {"name": "MultiMarginLoss", "reduction": "none", "scale": 5.0}]
    job = job_of(parts_of(in_batches(inputs, targets, 8), loss=terms), tmp_path)
    train(job)
    (epoch,) = read_samples(job.keeper.run)
    losses = F.multi_margin_loss(linear()(inputs), targets, reduction="none").tolist()
    kept = {row.sample: row.loss for row in epoch.hardest}
    assert kept == pytest.approx({f"train[{n}]": loss for n, loss in enumerate(losses)}, rel=1e-5)


def test_a_full_disk_costs_the_line_and_not_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine import job as module
    from engine.contract.follower import read_state

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "append_samples", full)
    parts = parts_of(in_batches(*samples(8), 8), loss={"reduction": "none"}, train_section={})
    job = job_of(parts, tmp_path)
    train(job)
    (warning,) = read_state(job.keeper.run.events).warnings
    assert "No space left on device" in warning.what
    assert warning.where.endswith("samples.jsonl")

"""One step of the loop, held against a loop written out by hand."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.build import Parts
from engine.contract.events import Step
from engine.contract.follower import Follower
from engine.contract.loss_classes import CrossEntropyLoss
from engine.contract.optimizer import LBFGS, SGD, Adam, AdamW
from engine.contract.problems import RunError
from engine.contract.scheduler import StepLR
from engine.loop import Window, optimizer_step, train, windows
from engine.parts.batches import Batch
from engine.parts.losses import Counts
from tests.tiny import in_batches, job_of, linear, parts_of, samples

WEIGHTS = [0.5, 2.0, 1.0, 1.5]
CROSS_ENTROPY = nn.CrossEntropyLoss(weight=torch.tensor(WEIGHTS), label_smoothing=0.1)
WEIGHTED = CrossEntropyLoss(weight=WEIGHTS, label_smoothing=0.1)


def window(parts: Parts, batches: list[Batch]) -> tuple[Window, Counts]:
    counts = [parts.criterion.counts(batch.targets) for batch in batches]
    of_step = Window(batches, counts)
    return of_step, of_step.denominators


def step(parts: Parts, batches: list[Batch]) -> tuple[Tensor, str | None]:
    loss, skipped = optimizer_step(parts, *window(parts, batches))
    return loss.value, skipped


def weights(model: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def steps_of(run: Any) -> list[Step]:
    return [event for event in Follower(run.events).events() if isinstance(event, Step)]


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_four_batches_of_eight_make_the_step_of_one_of_thirty_two(reduction):
    inputs, targets = samples(32)
    targets[5], targets[8:16] = 3, 3  # 3 is ignored: one batch has nothing that counts
    loss = CrossEntropyLoss(weight=WEIGHTS, ignore_index=3, reduction=reduction)
    given = {"loss": loss, "optimizer": SGD(lr=0.5)}
    apart = parts_of(in_batches(inputs, targets, 8, 8, 8, 8), **given)
    whole = parts_of(in_batches(inputs, targets, 32), **given)
    one, _ = step(apart, apart.data.train)
    other, _ = step(whole, whole.data.train)
    torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-6)
    torch.testing.assert_close(weights(apart.model), weights(whole.model), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_a_step_on_ignored_weighted_and_smoothed_targets_is_torchs(reduction):
    inputs, targets = samples(11)
    loss = CrossEntropyLoss(
        weight=WEIGHTS, ignore_index=1, label_smoothing=0.2, reduction=reduction
    )
    parts = parts_of(in_batches(inputs, targets, 11), loss=loss, optimizer=SGD(lr=0.5))
    model = copy.deepcopy(parts.model)
    kept = targets != 1
    each = F.cross_entropy(
        model(inputs[kept]),
        targets[kept],
        weight=torch.tensor(WEIGHTS),
        label_smoothing=0.2,
        reduction="none",
    )
    denominator = 1 if reduction == "sum" else torch.tensor(WEIGHTS)[targets[kept]].sum()
    (each.sum() / denominator).backward()
    value, _ = step(parts, parts.data.train)
    torch.testing.assert_close(value, (each.sum() / denominator).detach())
    expected = weights(model) - 0.5 * torch.cat([p.grad.flatten() for p in model.parameters()])
    torch.testing.assert_close(weights(parts.model), expected)


def test_clip_norm_is_torchs_clip_grad_norm():
    inputs, targets = samples(16)
    batches = in_batches(inputs, targets, 8, 8)
    section = {"clip_norm": 0.01, "accumulate": 2}
    parts = parts_of(batches, loss=WEIGHTED, optimizer=SGD(lr=1), train_section=section)
    model = copy.deepcopy(parts.model)
    CROSS_ENTROPY(model(inputs), targets).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 0.01)
    torch.optim.SGD(model.parameters(), lr=1).step()
    step(parts, batches)
    torch.testing.assert_close(weights(parts.model), weights(model), atol=1e-7, rtol=1e-5)
    moved = weights(parts.model) - weights(linear())
    assert float(moved.norm()) == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize("sizes", [(12,), (5, 7)])
def test_lbfgs_evaluates_the_whole_window_as_torchs_does(sizes):
    inputs, targets = samples(12)
    section = LBFGS(max_iter=5, line_search_fn="strong_wolfe")
    parts = parts_of(
        in_batches(inputs, targets, *sizes),
        loss=WEIGHTED,
        optimizer=section,
        train_section={"accumulate": len(sizes)},
    )
    model = copy.deepcopy(parts.model)
    theirs = torch.optim.LBFGS(model.parameters(), max_iter=5, line_search_fn="strong_wolfe")
    evaluations = []

    def closure() -> Tensor:
        theirs.zero_grad()
        loss: Tensor = CROSS_ENTROPY(model(inputs), targets)
        loss.backward()
        evaluations.append(loss.detach())
        return loss

    theirs.step(closure)  # type: ignore[arg-type]
    loss, skipped = step(parts, parts.data.train)
    assert len(evaluations) > 2
    assert skipped is None
    torch.testing.assert_close(loss, evaluations[0])
    torch.testing.assert_close(weights(parts.model), weights(model), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("clip_norm", [None, 0.1])
@pytest.mark.parametrize("optimizer", [SGD(lr=0.5, momentum=0.9), AdamW(lr=0.05, fused=True)])
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_trains_as_the_loop_in_torchs_documentation(precision, optimizer, clip_norm):
    inputs, targets = samples(24)
    section = {"precision": precision, "clip_norm": clip_norm}
    parts = parts_of(in_batches(inputs, targets, 24), optimizer=optimizer, train_section=section)
    dtype = torch.bfloat16 if precision == "bf16" else torch.float16
    model = copy.deepcopy(parts.model)
    theirs = getattr(torch.optim, optimizer.name)(model.parameters(), **optimizer.keywords())
    scaler = torch.amp.GradScaler("cpu", enabled=precision == "fp16")
    losses = []
    for _ in range(5):
        loss, skipped = step(parts, parts.data.train)
        assert skipped is None
        losses.append(float(loss))
        theirs.zero_grad()
        with torch.autocast("cpu", dtype):
            expected = F.cross_entropy(model(inputs), targets)
        scaler.scale(expected).backward()
        if clip_norm is not None:
            scaler.unscale_(theirs)
            torch.nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
        scaler.step(theirs)
        scaler.update()
        assert torch.equal(loss, expected.detach())
        assert torch.equal(weights(parts.model), weights(model))
    assert losses[-1] < losses[0]
    assert {p.dtype for p in parts.model.parameters()} == {torch.float32}


def test_an_overflowed_fp16_step_moves_neither_the_weights_nor_a_per_batch_scheduler(tmp_path):
    inputs, targets = samples(24)
    parts = parts_of(
        in_batches(inputs, targets, 8, 8, 8),
        loss=CrossEntropyLoss(reduction="sum"),
        optimizer=SGD(lr=0.125),
        scheduler=[StepLR(step_size=1, gamma=0.5, interval="step")],
        train_section={"precision": "fp16"},
    )
    # The first loss overflows, scaled by this; the scale after it is an ordinary one.
    parts.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127, backoff_factor=2.0**-120)
    first = weights(parts.model)
    _, skipped = step(parts, parts.data.train[:1])
    assert skipped is not None
    assert torch.equal(weights(parts.model), first)

    parts.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127, backoff_factor=2.0**-120)
    job = job_of(parts, tmp_path)
    train(job)
    events = steps_of(job.keeper.run)
    assert [event.lr for event in events] == [[0.125], [0.125], [0.0625]]
    assert [event.skipped is not None for event in events] == [True, False, False]
    assert all(event.loss is not None for event in events)
    assert not torch.equal(weights(parts.model), first)


def overflowing_at_first(backoff: float) -> torch.amp.GradScaler:
    return torch.amp.GradScaler("cpu", init_scale=2.0**127, backoff_factor=backoff)


@pytest.mark.parametrize("optimizer", [SGD(lr=0.125), AdamW(lr=0.125, fused=True)], ids=str)
def test_without_a_per_batch_scheduler_a_skipped_fp16_step_is_told_without_waiting_for_it(
    tmp_path, optimizer, monkeypatch
):
    given = {
        "loss": CrossEntropyLoss(reduction="sum"),
        "optimizer": optimizer,
        "train_section": {"precision": "fp16"},
    }
    batches = in_batches(*samples(24), 8, 8, 8)
    waiting = parts_of(batches, **given)
    waiting.scaler = overflowing_at_first(2.0**-120)
    expected = [step(waiting, [batch]) for batch in batches]

    parts = parts_of(batches, **given)
    parts.scaler = overflowing_at_first(2.0**-120)
    job = job_of(parts, tmp_path)
    known = []
    monkeypatch.setattr(torch.amp.GradScaler, "get_scale", lambda _: known.append(1) or 1.0)
    train(job)
    assert len(known) == 1, "the checkpoint at the end asks for the scale, no step does"
    events = steps_of(job.keeper.run)
    assert [event.skipped for event in events] == ["fp16 gradients overflowed", None, None]
    assert [(event.loss, event.skipped) for event in events] == [
        (float(loss), skipped) for loss, skipped in expected
    ]
    assert torch.equal(weights(parts.model), weights(waiting.model))
    assert job.progress.scaler_skipped == 1


@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_fp16_gradients_that_overflow_however_they_are_scaled_end_the_run(tmp_path, interval):
    parts = parts_of(
        in_batches(*samples(24), 8, 8, 8),
        loss=CrossEntropyLoss(reduction="sum"),
        scheduler=[StepLR(step_size=9, interval=interval)],
        train_section={"precision": "fp16"},
    )
    parts.scaler = overflowing_at_first(2.0**-142)
    with pytest.raises(RunError, match="however small"):
        train(job_of(parts, tmp_path))


def test_a_window_without_a_target_that_counts_is_left_out_and_counted(tmp_path):
    inputs, targets = samples(32)
    targets[8:24] = 3
    batches = in_batches(inputs, targets, 8, 8, 8, 8)
    given = {
        "loss": CrossEntropyLoss(ignore_index=3),
        "optimizer": Adam(lr=0.1),
        "scheduler": [StepLR(step_size=1, gamma=0.5, interval="step")],
    }
    job = job_of(parts_of(batches, **given), tmp_path)
    ending = train(job)
    without = parts_of([batches[0], batches[3]], **given)
    first, _ = step(without, [batches[0]])
    without.schedule.step()
    without.schedule.apply(without.optimizer)
    second, _ = step(without, [batches[3]])
    assert torch.equal(weights(job.parts.model), weights(without.model))
    assert job.progress.all_ignored == 2
    events = steps_of(job.keeper.run)
    assert [event.loss for event in events] == [float(first), None, None, float(second)]
    assert [event.lr for event in events] == [[0.1], [0.05], [0.05], [0.05]]
    assert events[1].skipped == "no target counts"
    counts = [int((batches[n].targets != 3).sum()) for n in (0, 3)]
    mean = (float(first) * counts[0] + float(second) * counts[1]) / sum(counts)
    assert ending.metrics["train/loss"] == pytest.approx(mean)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_the_epochs_train_loss_is_the_mean_over_all_targets_that_count(tmp_path, reduction):
    inputs, targets = samples(21)
    parts = parts_of(
        in_batches(inputs, targets, 8, 8, 5),
        loss=CrossEntropyLoss(
            weight=WEIGHTS, ignore_index=0, label_smoothing=0.1, reduction=reduction
        ),
        optimizer=SGD(lr=0),
        train_section={"accumulate": 2},
    )
    whole = nn.CrossEntropyLoss(torch.tensor(WEIGHTS), ignore_index=0, label_smoothing=0.1)
    expected = float(whole(linear()(inputs), targets).detach())
    ending = train(job_of(parts, tmp_path))
    assert ending.metrics["train/loss"] == pytest.approx(expected)


def test_the_last_window_of_an_epoch_takes_what_is_left(tmp_path: Path):
    batches = in_batches(*samples(20), 8, 8, 4)
    job = job_of(parts_of(batches, train_section={"accumulate": 2}), tmp_path)
    assert [(len(w.batches), w.counts) for w in windows(job)] == [(2, [(8,), (8,)]), (1, [(4,)])]
    job.recorder.close()


def test_the_loss_of_a_step_is_the_one_before_it(tmp_path: Path):
    inputs, targets = samples(8)
    parts = parts_of(in_batches(inputs, targets, 8), optimizer=SGD(lr=0.1))
    before = F.cross_entropy(parts.model(inputs), targets).detach()
    loss, _ = step(parts, parts.data.train)
    assert torch.equal(loss, before)
    assert not loss.requires_grad
    assert math.isfinite(loss)

"""One real batch through the model, the loss and one step of the optimizer, and some samples
through validation; afterwards everything is as before."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from engine.build import Parts
from engine.check_custom import refused, shaped, watch
from engine.check_memory import too_large
from engine.check_validation import validation_problems
from engine.contract.backbones import BACKBONES
from engine.contract.problems import Problem, RunError, few
from engine.loop import StepLoss, Window, optimizer_step
from engine.parts.backbones import main_and_auxiliary
from engine.parts.batches import Batch
from engine.trial import Trial, same, tensors_of, trial

LOOKED_THROUGH = 4  # batches, for one that has a target that counts
VALIDATED = 16  # samples: enough for every metric, and read in this process
NAMED = 4  # parameters that a message names


def step_problems(parts: Parts) -> list[Problem]:
    """Every error and warning of the first batch and the first validation samples."""
    try:
        batches = parts.data.first_batches(1)
        found = _unreadable(parts, batches, "train")
        if not _counting(parts, batches):
            batches = parts.data.first_batches(LOOKED_THROUGH)
        val = parts.data.first_val_samples(VALIDATED)
    except RunError as failed:
        return [Problem(failed.message, "data", failed.remedy)]
    found += _unreadable(parts, [val] if val is not None else [], "val")
    counting = _counting(parts, batches)
    if any(problem.severity == "error" for problem in found):
        return found
    if not any(len(batch.targets) for batch in batches):
        message = f"none of the first {_count(len(batches), 'batch')} has an image that can be read"
        hint = "repair them, or look whether they are images at all"
        return [*found, Problem(message, _data_key(parts), hint)]
    if not counting:
        found.append(_nothing_counts(batches))
    with trial(parts) as tried:
        if counting:
            watch(tried.parts.criterion, parts.folder)
            found += _Step(tried, counting[0]).problems()
        if val is not None and len(val.targets) and not any(p.severity == "error" for p in found):
            found += validation_problems(tried.parts, val)
    return found


def _counting(parts: Parts, batches: list[Batch]) -> list[Batch]:
    return [batch for batch in batches if any(parts.criterion.counts(batch.targets))]


def _data_key(parts: Parts) -> str:
    return "data.root" if parts.experiment.data.target is None else "data.target"


def _unreadable(parts: Parts, batches: list[Batch], split: str) -> list[Problem]:
    bad = [one for batch in batches for one in batch.unreadable]
    if not bad:
        return []
    more = f", and {len(bad) - 1} more of the first samples" if len(bad) > 1 else ""
    skipped = parts.experiment.data.skip_unreadable
    message = f"{bad[0].name} can't be read as an image ({split}): {bad[0].error}{more}"
    hint = "repair or delete it"
    hint += "" if skipped else "; or write skip_unreadable = true to go on without such files"
    severity: Any = "warning" if skipped else "error"
    return [Problem(message, _data_key(parts), hint, severity=severity)]


def _nothing_counts(batches: list[Batch]) -> Problem:
    return Problem(
        f"no target of the first {_count(len(batches), 'batch')} counts: every one is ignored or "
        "weighs 0",
        "loss.0.ignore_index",
        "such steps are left out; a larger batch_size has fewer of them",
        severity="warning",
    )


class _Step:
    """The step, and where it was when it failed."""

    def __init__(self, tried: Trial, batch: Batch) -> None:
        self.tried, self.parts, self.batch = tried, tried.parts, batch
        self.output: Tensor | None = None  # of the last forward that came to its end

    def problems(self) -> list[Problem]:
        parts, batch = self.parts, self.batch
        parts.freezing.train_mode(parts.model)
        for group in parts.optimizer.param_groups:
            if "max_iter" in group:  # L-BFGS would go on to evaluate the loss 20 times
                group["max_iter"] = 1
        hook = parts.model.register_forward_hook(self._seen)
        count = parts.criterion.counts(batch.targets)
        try:
            loss, skipped = optimizer_step(parts, Window([batch], [count]), count)
            found = self._after(loss, skipped is not None)
            return [*found, *_last_of_one(parts, batch)]
        except torch.OutOfMemoryError:
            return [too_large(parts)]
        except (RunError, RuntimeError, ValueError, IndexError, TypeError) as error:
            return refused(error) or [self._failed(error)]
        finally:
            hook.remove()

    def _seen(self, _model: object, _inputs: object, output: Any) -> None:
        self.output = main_and_auxiliary(output)[0].detach()

    def _failed(self, error: Exception) -> Problem:
        """In the model, whose forward gave nothing, or in the loss."""
        row = BACKBONES[self.parts.experiment.model.backbone]
        inputs = self.parts.data.inputs(self.batch)
        message = error.message if isinstance(error, RunError) else str(error)
        if "deterministic" in message:
            hint = "write deterministic = false under [train], or train on the CPU"
            return Problem(message.splitlines()[0], "train.deterministic", hint)
        if "Expected more than 1 value per channel" in message:
            return _one_sample("data.batch_size", "write batch_size = 2 or more")
        if isinstance(error, RunError):
            return Problem(message, self._key_of(message), error.remedy)
        if self.output is None:
            told = f"{row.name} can't take the first batch, {shaped(inputs)}: {message}"
            return Problem(
                told, "data.image_size", f"{row.name} takes images from {row.smallest} px on"
            )
        told = (
            f"the loss can't take the outputs {shaped(self.output)} with the targets "
            f"{shaped(self.batch.targets)}: {message}"
        )
        return Problem(told, "loss", "choose a loss for such targets, or look at model.outputs")

    def _key_of(self, message: str) -> str:
        """A term says its name where it has something of a wrong shape."""
        titles = self.parts.criterion.titles
        named = (n for n, title in enumerate(titles) if message.startswith(f"{title} "))
        position = next(named, None)
        return "train" if position is None else f"loss.{position}.target"

    def _after(self, loss: StepLoss, skipped: bool) -> list[Problem]:
        assert self.output is not None
        value = float(loss.value)
        if not math.isfinite(value):
            return [self._non_finite(value, loss.terms)]
        if skipped:  # fp16 gradients overflowed, as they may until their scale has settled
            return []
        return [*self._gradients(), *self._moved()]

    def _non_finite(self, value: float, terms: Tensor | None) -> Problem:
        assert self.output is not None
        if not bool(self.output.isfinite().all()):
            hint = 'write precision = "fp32" under [train], or look at the weights file'
            key = (
                "train.precision"
                if self.parts.experiment.train.precision != "fp32"
                else "model.weights"
            )
            return Problem("the outputs for the first batch are not finite", key, hint)
        each = [value] if terms is None else terms.tolist()
        position = next((n for n, one in enumerate(each) if not math.isfinite(one)), 0)
        title = self.parts.criterion.titles[position]
        message = f"{title} of the first batch is {each[position]}, though the outputs are finite"
        hint = "look at the targets: are they too large, or not what this loss is for?"
        return Problem(message, f"loss.{position}", hint)

    def _gradients(self) -> Iterator[Problem]:
        """Of what trains from the first epoch on."""
        trained = {
            name: parameter
            for name, parameter in self.parts.model.named_parameters()
            if parameter.requires_grad
        }
        without = [name for name, parameter in trained.items() if parameter.grad is None]
        if without:
            yield Problem(
                f"no gradient reaches {few(without, NAMED)}: the loss does not depend on them",
                "model.freeze",
                "freeze them, or choose a loss that uses every output",
            )
        grads = {name: p.grad for name, p in trained.items() if p.grad is not None}
        bad = [name for name, grad in grads.items() if not bool(grad.isfinite().all())]
        if bad:
            yield Problem(
                f"the loss is finite and its gradient is not: {few(bad, NAMED)}",
                "loss",
                "look for a root of 0 in the loss, whose slope is infinite: add an eps inside it",
            )
        elif not any(bool(grad.any()) for grad in grads.values()):
            yield Problem(
                "every gradient of the first batch is 0: nothing would be learned from it",
                "loss",
                "look at the loss: is it flat for such outputs, or scaled by 0?",
                severity="warning",
            )

    def _moved(self) -> Iterator[Problem]:
        """What is frozen and has changed all the same."""
        parts = self.parts
        still = set(parts.freezing.evaluating)
        frozen = {name for name, p in parts.model.named_parameters() if not p.requires_grad}
        for prefix, module in parts.model.named_modules():
            if module in still:
                own = (name for name, _ in module.named_buffers(recurse=False))
                frozen |= {f"{prefix}.{name}" if prefix else name for name in own}
        now = tensors_of(parts.model)
        moved = [n for n in now if n in frozen and not same(now[n].cpu(), self.tried.before[n])]
        if moved:
            hint = "this is a mistake of ptrain's: please tell its authors"
            yield Problem(
                f"frozen, and changed by a step: {few(moved, NAMED)}", "model.freeze", hint
            )


def _last_of_one(parts: Parts, batch: Batch) -> Iterator[Problem]:
    """An epoch whose last batch has one sample: BatchNorm can't train on it where nothing but the
    channels is left of an image."""
    section = parts.experiment.data
    if parts.data.train_samples % section.batch_size != 1 or section.drop_last:
        return
    try:
        inputs = parts.data.inputs(batch, parts.device)[:1]
        with torch.no_grad(), parts.autocast:
            parts.model(inputs)
    except ValueError as error:
        if "Expected more than 1 value per channel" not in str(error):
            raise
        other = section.batch_size + 1
        hint = f"write drop_last = true, or another batch_size such as {other}"
        yield _one_sample("data.drop_last", hint, f" ({parts.data.train_samples} samples)")


def _one_sample(key: str, hint: str, of: str = "") -> Problem:
    where = "the last batch of an epoch" if of else "a batch"
    return Problem(f"{where} has one sample{of}, which BatchNorm can't train on", key, hint)


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}es"

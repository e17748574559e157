"""Runs of a made experiment, true to themselves: the learning rates are the real schedulers', the
best is the least of what was validated, and the checkpoints are those that would have been kept.
"""

from __future__ import annotations

import json
import math
import random
from functools import cache
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from engine.contract.events import (
    CheckpointSaved,
    Event,
    Parameters,
    RunFailed,
    RunFinished,
    RunStarted,
    Step,
    Validated,
)
from engine.contract.run_directory import Holder, RunDirectory, create
from engine.contract.toml_file import read, resolved_text
from tests.contract.good_files import CHAIN
from tests.tui.board import FakeLauncher, append
from tui.launching import Answer

# 1,797 digits, a fifth of them for validation: 45 batches of 32 in an epoch, the last of 30.
TRAIN, VAL, BATCH, PER_EPOCH, EPOCHS = 1438, 359, 32, 45, 25
PARAMETERS = Parameters(total=11_181_642, trainable=8_398_858)  # resnet18's, layer4 and the head
BEGAN, SAMPLES_A_SECOND, VALIDATING = 1.79e9, 412.0, 0.5  # seconds
KEPT = 3  # [checkpoint] keep

EXPERIMENT = f"""name = "digits"

[data]
dataset = "digits"       # bundled
val = 0.2

[model]
backbone = "resnet18"
weights = "DEFAULT"
freeze = ["*", "!layer4"]

[optimizer]
name = "SGD"
lr = 0.01

{CHAIN}
[train]
epochs = {EPOCHS}
"""


def ptrain(arguments: tuple[str, ...], text: str | None = None) -> Answer:
    """What that command answers, in this process."""
    from engine.cli import app

    result = CliRunner().invoke(app, list(arguments), input=text)
    return Answer(result.exit_code, result.stdout, result.stderr)


class Planner(FakeLauncher):
    """A launcher whose planned learning rates are the engine's."""

    async def ask(self, *arguments: str, text: str | None = None) -> Answer:
        if arguments[0] == "lr":
            return ptrain(arguments, text)
        return await super().ask(*arguments, text=text)


@cache
def rates(text: str) -> list[list[float]]:
    """The learning rate of each group at each step, as `ptrain lr` tells it."""
    answer = ptrain(("lr", "digits.toml", "--stdin", "--json"), text)
    return [point["lr"] for point in json.loads(answer.out)["points"]]


def experiment(text: str = EXPERIMENT, name: str = "digits") -> Path:
    Path("experiments").mkdir(exist_ok=True)
    path = Path("experiments", f"{name}.toml")
    path.write_text(text)
    return path


class MadeRun:
    """`number` is in its id and its dice; its loss falls to about `final`."""

    def __init__(self, number: int, *, final: float, lr: float = 0.01) -> None:
        self._final, self._lr, self._dice = final, lr, random.Random(number)
        self._text = EXPERIMENT.replace("lr = 0.01", f"lr = {lr:g}")
        self._now, self._losses, self._best = BEGAN, list[float](), list[tuple[float, int]]()
        resolved = resolved_text(read(Path("digits.toml"), [], self._text.encode()).experiment)
        made = create(Path("runs"), "digits", resolved, self._text.encode())
        self.run = RunDirectory(
            made.path.rename(made.path.with_name(f"2026112{number}-071400-a{number}b{number}"))
        )
        append(self.run, beginning())

    def train(self, epochs: int) -> MadeRun:
        """So many epochs, each validated."""
        for epoch in range(epochs):
            for step in range(epoch * PER_EPOCH, (epoch + 1) * PER_EPOCH):
                self._step(step, epoch)
            self._validate(epoch)
        return self

    def _step(self, step: int, epoch: int) -> None:
        noise = self._dice.gauss(0, 0.1) * (0.2 + self._falling(step))
        loss = self._final + (math.log(10) - self._final) * self._falling(step) + noise
        samples = TRAIN - BATCH * (PER_EPOCH - 1) if (step + 1) % PER_EPOCH == 0 else BATCH
        self._now += samples / SAMPLES_A_SECOND
        self._tell(
            Step(
                time=self._now, step=step, epoch=epoch, loss=max(loss, 0.01),
                lr=rates(self._text)[step], samples_per_second=SAMPLES_A_SECOND,
            )
        )  # fmt: skip

    def _falling(self, step: int) -> float:
        """From 1 to 0, the faster the larger the learning rate is."""
        return math.exp(-step * self._lr * 0.8)

    def _validate(self, epoch: int) -> None:
        done = (epoch + 1) * PER_EPOCH
        loss = self._final + 2.2 * self._falling(done) + self._dice.uniform(0.02, 0.08)
        self._losses.append(loss)
        self._now += VALIDATING
        self._tell(
            Validated(
                time=self._now, step=done, epoch=epoch, seconds=VALIDATING, metrics=self._metrics
            )
        )
        self._save(epoch + 1)

    @property
    def _metrics(self) -> dict[str, float | None]:
        return {"val/loss": self._losses[-1], "val/accuracy": 1 - 0.38 * self._losses[-1]}

    def _save(self, epochs: int) -> None:
        """`last`, the best, and the best few, as the engine keeps them."""
        loss = self._losses[-1]
        is_best = loss == min(self._losses)
        self._best = sorted([*self._best, (loss, epochs)])[:KEPT]
        names = {"epoch": f"epoch-{epochs:04d}.pt"} if (loss, epochs) in self._best else {}
        names |= {"last": "last.pt"} | ({"best": "best.pt"} if is_best else {})
        for kind, name in names.items():
            (self.run.checkpoints / name).touch()
            self._tell(
                CheckpointSaved(
                    time=self._now, step=epochs * PER_EPOCH, epoch=epochs, kind=kind,
                    path=f"checkpoints/{name}", metric=loss, sha256="", bytes=45_000_000,
                )
            )  # fmt: skip
        kept = {f"epoch-{epoch:04d}.pt" for _, epoch in self._best}
        for path in self.run.checkpoints.glob("epoch-*.pt"):
            if path.name not in kept:
                path.unlink()

    def _tell(self, event: Event) -> None:
        append(self.run, event)

    def goes_on(self) -> None:
        """Held by this very process."""
        self.run.lock.write_text(json.dumps(vars(Holder.this_process())))

    def finish(self) -> None:
        best = min(self._losses)
        self._tell(RunFinished(**self._end(), best=best, metrics=dict(self._metrics)))

    def fail(self, error: str, remedy: str) -> None:
        self._tell(RunFailed(**self._end(), error=error, remedy=remedy))
        self.run.console.write_text(f"{error}\n")

    def _end(self) -> dict[str, Any]:
        epochs = len(self._losses)
        return {
            "time": self._now, "step": epochs * PER_EPOCH, "epochs": float(epochs),
            "seconds": self._now - BEGAN,
        }  # fmt: skip


def beginning() -> RunStarted:
    count = PARAMETERS
    share = count.trainable / count.total
    return RunStarted(
        time=BEGAN, version="0", pid=1, host="box7", device="cuda:0 NVIDIA H200", name="digits",
        steps_per_epoch=PER_EPOCH, epochs=EPOCHS, planned_end=PER_EPOCH * EPOCHS,
        groups=["default"], parameters=count, train_samples=TRAIN, val_samples=VAL,
        classes=[str(digit) for digit in range(10)], workers=8, precision="fp32",
        frozen=["conv1", "bn1", "layer1", "layer2", "layer3"], monitor="val/loss",
        report=[f"trains {count.trainable:,} of {count.total:,} parameters ({share:.1%}): "
                "layer4, fc"],
    )  # fmt: skip

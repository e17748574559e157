"""PyTorch Lightning on a `Work`, with the loaders and the start of the loop by hand."""

from __future__ import annotations

import logging
import tempfile
import time
import warnings

import lightning
import torch
import torch.nn.functional as F
from by_hand import loaders, start, train_mode
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor
from work import Prepared, Result, Work

warnings.filterwarnings("ignore", module="lightning")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


class Module(lightning.LightningModule):  # type: ignore[misc,unused-ignore]
    def __init__(self, work: Work, prepared: Prepared) -> None:
        super().__init__()
        self.work = work
        self.model, self.optimizer = start(work, prepared)
        self.seconds: list[float] = []
        self.val_losses: list[float] = []
        self.began = 0.0

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.optimizer

    def on_train_epoch_start(self) -> None:
        train_mode(self.model, self.work)

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        loss = F.cross_entropy(self.model(batch[0]), batch[1])
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], index: int) -> None:
        outputs = self.model(batch[0])
        self.log("val_loss", F.cross_entropy(outputs, batch[1]), batch_size=len(batch[1]))
        accuracy = (outputs.argmax(1) == batch[1]).float().mean()
        self.log("val_accuracy", accuracy, batch_size=len(batch[1]))

    def on_train_epoch_end(self) -> None:
        """After the validation."""
        now = time.perf_counter()
        self.seconds.append(now - self.began)
        self.began = now
        self.val_losses.append(float(self.trainer.callback_metrics["val_loss"]))


def run(work: Work, prepared: Prepared) -> Result:
    if work.threads:
        torch.set_num_threads(work.threads)
    sides = loaders(work, prepared)
    module = Module(work, prepared)
    with tempfile.TemporaryDirectory() as folder:
        best = ModelCheckpoint(folder, monitor="val_accuracy", mode="max")
        trainer = lightning.Trainer(
            accelerator="gpu" if work.device == "cuda" else "cpu",
            devices=1,
            max_epochs=work.by_hand_epochs,
            logger=CSVLogger(folder),
            callbacks=[best],
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        module.began = time.perf_counter()
        trainer.fit(module, sides["train"], sides["val"])
    return Result(module.seconds, module.val_losses)

"""PyTorch Lightning's loop on the work of steps.py."""

from __future__ import annotations

import logging
import tempfile
import time
import warnings
from collections.abc import Iterator

import lightning
import torch
import torch.nn.functional as F
from lightning.pytorch.loggers import CSVLogger
from steps import LR, MOMENTUM, begun, network, selected, timed
from torch import Tensor
from torch.utils.data import DataLoader
from work import StepWork, Timed

warnings.filterwarnings("ignore", module="lightning")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


def with_lightning(work: StepWork) -> Timed:
    """Logs each step's loss to a CSV file; no progress bar, no checkpoint."""
    digits = begun(work)

    class Batches(torch.utils.data.IterableDataset[tuple[Tensor, Tensor]]):
        epoch = 0

        def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
            self.epoch += 1
            return selected(digits, self.epoch - 1)

    class Module(lightning.LightningModule):  # type: ignore[misc,unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.model = network(work.depth)
            self.steps: list[float] = []
            self.epochs: list[float] = []

        def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
            loss = F.cross_entropy(self.model(batch[0]), batch[1])
            self.log("loss", loss)
            return loss

        def on_train_batch_end(self, *_: object) -> None:
            self.steps.append(time.time())

        def on_train_epoch_end(self) -> None:
            if self.device.type == "cuda":
                torch.cuda.synchronize()
            self.epochs.append(time.time())

        def configure_optimizers(self) -> object:
            optimizer = torch.optim.SGD(self.parameters(), lr=LR, momentum=MOMENTUM)
            return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.9)]

    module = Module()
    with tempfile.TemporaryDirectory() as folder:
        lightning.Trainer(
            accelerator="gpu" if work.device == "cuda" else "cpu",
            devices=1,
            max_epochs=work.epochs,
            logger=CSVLogger(folder),
            log_every_n_steps=1,
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
        ).fit(module, DataLoader(Batches(), batch_size=None))
    return timed(module.steps, module.epochs, module.model)

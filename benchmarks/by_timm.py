"""timm on a `Work`: its loader and optimizer, and the epochs of its train.py.

timm's loader brings the images to the device as bytes and normalizes them there. Its order of the
samples is its own, and it leaves the short last batch of training out, so its validation curve is
another one, and it has up to a batch less to do.
"""

from __future__ import annotations

import time
from pathlib import Path

import torch
from by_hand import start, train_mode
from timm.data import ImageDataset, create_loader
from timm.optim import create_optimizer_v2
from timm.utils import AverageMeter, accuracy
from torch import nn
from torchvision import transforms
from work import LR, MOMENTUM, Prepared, Result, Work


def loaders(work: Work, prepared: Prepared) -> dict[str, torch.utils.data.DataLoader]:
    size = prepared.image_size
    plain = [transforms.Resize(prepared.resize_size), transforms.CenterCrop(size)]
    augmented = [transforms.RandomResizedCrop(size), transforms.RandomHorizontalFlip()]
    sides = {}
    for phase in ("train", "val"):
        dataset = ImageDataset(str(Path(work.root) / phase))
        sides[phase] = create_loader(
            dataset,
            input_size=(3, size, size),
            batch_size=work.batch,
            is_training=phase == "train",
            no_aug=True,
            mean=prepared.mean,
            std=prepared.std,
            num_workers=work.workers,
            persistent_workers=work.workers > 0,
            pin_memory=work.device == "cuda",
            device=torch.device(work.device),
        )
        steps = augmented if work.augment and phase == "train" else plain
        dataset.transform = transforms.Compose([*steps, transforms.PILToTensor()])
    return sides


def run(work: Work, prepared: Prepared) -> Result:
    if work.threads:
        torch.set_num_threads(work.threads)
    sides = loaders(work, prepared)
    model, _ = start(work, prepared)
    # timm's "sgd" is Nesterov's.
    optimizer = create_optimizer_v2(model, "momentum", lr=LR, momentum=MOMENTUM)
    seconds, val_losses = [], []
    for _ in range(work.by_hand_epochs):
        began = time.perf_counter()
        train_one_epoch(model, sides["train"], optimizer, work)
        val_losses.append(validate(model, sides["val"]))
        seconds.append(time.perf_counter() - began)
    return Result(seconds, val_losses)


def train_one_epoch(
    model: nn.Module,
    loader: torch.utils.data.DataLoader,
    optimizer: torch.optim.Optimizer,
    work: Work,
) -> None:
    criterion = nn.CrossEntropyLoss()
    losses = AverageMeter()
    train_mode(model, work)
    for inputs, targets in loader:
        loss = criterion(model(inputs), targets)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.update(loss.item(), inputs.size(0))


@torch.inference_mode()
def validate(model: nn.Module, loader: torch.utils.data.DataLoader) -> float:
    criterion = nn.CrossEntropyLoss()
    losses, top1 = AverageMeter(), AverageMeter()
    model.eval()
    for inputs, targets in loader:
        output = model(inputs)
        losses.update(criterion(output, targets).item(), inputs.size(0))
        top1.update(accuracy(output, targets)[0].item(), inputs.size(0))
    return float(losses.avg)

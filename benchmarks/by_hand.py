"""The loop of PyTorch's transfer-learning tutorial on a `Work`.

https://pytorch.org/tutorials/beginner/transfer_learning_tutorial.html: an epoch of training, one of
validation, the running sums of loss and accuracy with `.item()` at each batch, the best weights to
a file. Better than there: the workers stay from one epoch to the next, and are as many as is
fastest here; memory is pinned for a GPU. What is frozen stays in evaluation mode, and order and
first weights are ptrain's, so that it is the same training.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, Sampler
from torchvision import models, transforms
from torchvision.datasets import ImageFolder
from torchvision.transforms._presets import ImageClassification
from work import LR, MOMENTUM, SEED, Prepared, Result, Work

from engine.parts.randomness import generator


class InOrder(Sampler[int]):
    """ptrain's order of the samples, so that the numbers can be compared."""

    def __init__(self, samples: int) -> None:
        self.samples, self.epoch = samples, 0

    def __iter__(self) -> Iterator[int]:
        order = torch.randperm(self.samples, generator=generator(SEED, "shuffle", self.epoch))
        self.epoch += 1
        return iter(order.tolist())

    def __len__(self) -> int:
        return self.samples


def loaders(work: Work, prepared: Prepared) -> dict[str, DataLoader]:
    plain = ImageClassification(
        crop_size=prepared.image_size,
        resize_size=prepared.resize_size,
        mean=prepared.mean,
        std=prepared.std,
    )
    augmented = transforms.Compose(
        [
            transforms.RandomResizedCrop(prepared.image_size),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(prepared.mean, prepared.std),
        ]
    )
    root = Path(work.root)
    train = ImageFolder(str(root / "train"), augmented if work.augment else plain)
    val = ImageFolder(str(root / "val"), plain)
    keywords = {
        "batch_size": work.batch,
        "num_workers": work.workers,
        "persistent_workers": work.workers > 0,
        "pin_memory": work.device == "cuda",
    }
    return {
        "train": DataLoader(train, sampler=InOrder(len(train)), **keywords),
        "val": DataLoader(val, **keywords),
    }


def start(work: Work, prepared: Prepared) -> tuple[nn.Module, torch.optim.Optimizer]:
    """The model with its new head, frozen, as it begins, and what trains the rest."""
    model = models.get_model(work.backbone, num_classes=len(prepared.classes))
    model.load_state_dict(torch.load(prepared.start, weights_only=True))
    for name, parameter in model.named_parameters():
        parameter.requires_grad = work.trains(name)
    model = model.to(work.device)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return model, torch.optim.SGD(trained, lr=LR, momentum=MOMENTUM)


def train_mode(model: nn.Module, work: Work) -> None:
    """Of what trains: the rest keeps its statistics, and drops nothing out."""
    model.train("" in work.trained)
    for name, module in model.named_modules():
        if work.trained and name and name.startswith((work.head, *work.trained)):
            module.train()


def run(work: Work, prepared: Prepared) -> Result:
    if work.threads:
        torch.set_num_threads(work.threads)
    sides = loaders(work, prepared)
    model, optimizer = start(work, prepared)
    criterion = nn.CrossEntropyLoss()
    device = torch.device(work.device)
    best, seconds, val_losses = 0.0, [], []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(work.by_hand_epochs):
            began = time.perf_counter()
            for phase, loader in sides.items():
                if phase == "train":
                    train_mode(model, work)
                else:
                    model.eval()
                running_loss, running_corrects = 0.0, 0
                for inputs, labels in loader:
                    inputs, labels = inputs.to(device), labels.to(device)
                    optimizer.zero_grad()
                    with torch.set_grad_enabled(phase == "train"):
                        outputs = model(inputs)
                        _, preds = torch.max(outputs, 1)
                        loss = criterion(outputs, labels)
                        if phase == "train":
                            loss.backward()
                            optimizer.step()
                    running_loss += loss.item() * inputs.size(0)
                    running_corrects += torch.sum(preds == labels.data)
            val_losses.append(running_loss / len(loader.dataset))
            accuracy = float(running_corrects) / len(loader.dataset)
            if accuracy > best:
                best = accuracy
                torch.save(model.state_dict(), Path(folder) / "best_model_params.pt")
            seconds.append(time.perf_counter() - began)
    return Result(seconds, val_losses)


def first_step(work: Work, prepared: Prepared) -> float:
    """When it is done, in seconds since the epoch."""
    sides = loaders(work, prepared)
    model, optimizer = start(work, prepared)
    train_mode(model, work)
    inputs, labels = next(iter(sides["train"]))
    loss = nn.functional.cross_entropy(model(inputs.to(work.device)), labels.to(work.device))
    loss.backward()
    optimizer.step()
    loss.item()
    return time.time()

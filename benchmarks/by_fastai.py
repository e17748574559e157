"""fastai's Learner on a `Work`, with the loaders and the start of the loop by hand."""

from __future__ import annotations

import time
from functools import partial
from itertools import pairwise

import torch
from by_hand import loaders, start, train_mode
from fastai.callback.core import Callback
from fastai.callback.progress import ProgressCallback
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from fastai.metrics import accuracy
from fastai.optimizer import SGD
from torch import nn
from work import LR, MOMENTUM, Prepared, Result, Work


class Watch(Callback):
    """The time of each epoch; what is frozen in evaluation mode."""

    order = 100  # after everybody else's

    def __init__(self, work: Work) -> None:
        super().__init__()
        self.work, self.ends = work, [0.0]

    def before_fit(self) -> None:
        self.ends[0] = time.perf_counter()

    def before_train(self) -> None:
        train_mode(self.model, self.work)

    def after_epoch(self) -> None:
        self.ends.append(time.perf_counter())


def run(work: Work, prepared: Prepared) -> Result:
    if work.threads:
        torch.set_num_threads(work.threads)
    sides = loaders(work, prepared)
    model, _ = start(work, prepared)
    watch = Watch(work)
    learner = Learner(
        DataLoaders(sides["train"], sides["val"], device=torch.device(work.device)),
        model,
        nn.CrossEntropyLoss(),
        opt_func=partial(SGD, mom=MOMENTUM),
        metrics=accuracy,
        cbs=watch,
        moms=(MOMENTUM, MOMENTUM, MOMENTUM),
    )
    learner.remove_cb(ProgressCallback)
    with learner.no_logging():
        learner.fit(work.by_hand_epochs, LR)
    seconds = [after - before for before, after in pairwise(watch.ends)]
    return Result(seconds, [float(row[1]) for row in learner.recorder.values])

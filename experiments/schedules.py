"""Schedules of one's own, for `[[scheduler]] target = "schedules.py:adjust_learning_rate"`.

A schedule is a function `f(optimizer, epoch)`. It is called before each epoch with its number, from
0 (with `interval = "step"` before each optimizer step, with that number), and sets
`param_group["lr"]` of each group. A group has its `name`, its `lr` as it was left the last time,
and the `initial_lr` that the experiment gives it.

`ptrain lr FILE` shows what comes of it, before any training.
"""

import math


def adjust_learning_rate(optimizer, epoch):
    """Down by 10 every 30 epochs, as in PyTorch's ImageNet example."""
    for param_group in optimizer.param_groups:
        param_group["lr"] = param_group["initial_lr"] * (0.1 ** (epoch // 30))


def head_first(optimizer, epoch):
    """The head alone for two epochs; then the rest comes in along half a cosine, within five.

    Needs an [[optimizer.group]] with name = "head".
    """
    share = min(max(epoch - 2, 0) / 5, 1.0)
    for param_group in optimizer.param_groups:
        factor = 1.0 if param_group["name"] == "head" else (1 - math.cos(math.pi * share)) / 2
        param_group["lr"] = param_group["initial_lr"] * factor

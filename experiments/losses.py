"""Losses of one's own, for `[loss] target = "losses.py:focal_loss"`, in the two usual forms: a
function `f(output, target)`, and an nn.Module class with arguments. `args` under [loss] are the
function's keywords at each call, and the class's when it is made.

`output` is what the model gives, raw: (batch, classes), or (batch, classes, H, W) for a
segmentation. `target` is what the data gives: (batch,) or (batch, H, W) int64, the classes.
"""

import torch
import torch.nn.functional as F
from torch import nn


def focal_loss(output, target, gamma=2.0, ignore_index=-100):
    """Cross entropy that looks away from what is easy: the mean of (1 - p)^gamma * -log(p), p the
    probability of the right class. With gamma = 0 it is CrossEntropyLoss.

    Equation 4 of T.-Y. Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, for any number
    of classes.
    """
    surprise = F.cross_entropy(output, target, reduction="none", ignore_index=ignore_index)
    each = (1 - torch.exp(-surprise)) ** gamma * surprise  # 0 where the target is ignored
    return each.sum() / (target != ignore_index).sum().clamp(min=1)


class DiceLoss(nn.Module):
    """1 - the Dice coefficient, 2 |P ∩ T| / (|P| + |T|), with the probabilities as P: a class that
    covers few pixels counts as much as one that covers many. The mean over the classes.

    `smooth` is added above and below, so that a class which is nowhere costs nothing if it is not
    predicted. Pixels whose target is `ignore_index` are in none of the three.

    After F. Milletari et al., V-Net, 3DV 2016, section 3, with |P| as a sum and not of squares, as
    C. H. Sudre et al., Generalised Dice overlap, DLMIA 2017, section 2.2, write it.
    """

    def __init__(self, smooth=1.0, ignore_index=-100):
        super().__init__()
        self.smooth, self.ignore_index = smooth, ignore_index

    def forward(self, output, target):
        counts = target != self.ignore_index
        truth = F.one_hot(target.where(counts, 0), output.shape[1]).movedim(-1, 1)
        known = counts.unsqueeze(1)
        probabilities, truth = output.softmax(1) * known, truth * known
        over = [dimension for dimension in range(output.ndim) if dimension != 1]
        both = (probabilities * truth).sum(over)
        sizes = probabilities.sum(over) + truth.sum(over)
        return (1 - (2 * both + self.smooth) / (sizes + self.smooth)).mean()

"""Whether less or more of the monitored metric is the best, where the file doesn't say."""

from __future__ import annotations

import pytest
import torchmetrics

from engine.contract.training import Checkpoint


@pytest.mark.parametrize(
    ("monitor", "better"),
    [
        ("val/loss", "min"),
        ("train/loss", "min"),
        ("val/loss/DiceLoss", "min"),
        ("val/mae", "min"),
        ("val/rmse/angle", "min"),
        ("val/r2", "max"),
        ("val/r2/error", "max"),  # of a column that is called "error"
        ("val/miou", "max"),
    ],
)
def test_less_of_a_loss_or_an_error_is_better_and_more_of_the_others(monitor, better):
    assert Checkpoint(monitor=monitor).better == better


def said_by_torchmetrics() -> dict[str, bool]:
    """Name → higher_is_better, of the metrics that give one number and tell."""
    kinds = [
        getattr(module, name)
        for module in (torchmetrics.classification, torchmetrics.regression)
        for name in module.__all__
    ]
    told = {kind.__name__: getattr(kind, "higher_is_better", None) for kind in kinds}
    several = ("BinaryFairness", "BinaryGroupStatRates")
    return {name: more for name, more in told.items() if more is not None and name not in several}


def test_of_torchmetrics_classes_it_is_what_torchmetrics_says():
    said = said_by_torchmetrics()
    assert len(said) > 50
    modes = {name: Checkpoint(monitor=f"val/{name}").better for name in said}
    assert modes == {name: "max" if more else "min" for name, more in said.items()}

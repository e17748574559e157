"""Writes `engine/contract/backbones.json` from the installed torchvision.

`python -m engine.parts.backbone_table` takes a minute or two; every model is built on the
meta device, so it needs no memory and no network.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torchvision import models

import engine.contract.backbones as contract
from engine.contract.backbones import Backbone
from engine.parts.builders import skeleton
from engine.parts.presets import sizes_of
from engine.parts.weights import fingerprint

# How much an auxiliary loss counts: Szegedy et al. 2015 (1409.4842, 0.3), the value that
# torchvision's own training of Inception v3 uses (0.4), and that of its references/segmentation.
AUX_WEIGHT = {"googlenet": 0.3, "inception_v3": 0.4, "fcn": 0.5, "deeplabv3": 0.5}
# The keyword that fixes the image size, for models that take one size only.
SIZE_ARGUMENT = {"vit": "image_size", "maxvit": "input_size"}


TASKS = {"classification": models, "segmentation": models.segmentation}


def rows() -> list[dict[str, Any]]:
    """The table, one row for each model of the installed torchvision that can be fine-tuned."""
    named = ((task, name) for task in TASKS for name in models.list_models(TASKS[task]))
    return [row(name, task) for task, name in named]


def row(name: str, task: str) -> dict[str, Any]:
    pretrained = models.get_model_weights(name)
    default = pretrained["DEFAULT"]
    size, resized = sizes_of(default.transforms())
    argument = SIZE_ARGUMENT.get(name.split("_")[0])
    model = skeleton(
        name, {**args(name), **({"image_size": size} if argument == "image_size" else {})}
    )
    values: dict[str, Any] = {
        "name": name,
        "task": task,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "image_size": size,
        "resize_size": resized,
        "smallest": size if argument else smallest(model),
        "size_argument": argument,
        "heads": heads(name),
        "aux_weight": aux_weight(name),
        "default": default.name,
        "weights": {weights.name: weights_row(weights) for weights in pretrained},
    }
    told = Backbone(**{**values, "entries": 0, "elements": 0})
    entries, elements = fingerprint(model.state_dict(), told)
    return {**values, "entries": entries, "elements": elements}


def args(name: str) -> dict[str, Any]:
    """With the auxiliary branches, and without anything that would be downloaded or drawn."""
    if name in models.list_models(models.segmentation):
        return {"weights_backbone": None} | ({"aux_loss": True} if aux_weight(name) else {})
    return {"aux_logits": True, "init_weights": False} if aux_weight(name) else {}


def aux_weight(name: str) -> float:
    return AUX_WEIGHT.get(name, AUX_WEIGHT.get(name.split("_")[0], 0.0))


def weights_row(weights: Any) -> dict[str, Any]:
    size, resized = sizes_of(weights.transforms())
    return {
        "image_size": size,
        "resize_size": resized,
        "file": weights.url.rsplit("/", 1)[1],
    }


def heads(name: str) -> list[str]:
    """The layers that have as many outputs as there are classes, the main one first: it comes after
    the auxiliary ones in classification models, and before in those for segmentation."""
    classes = 1009  # a prime that is no layer's width
    model = skeleton(name, {**args(name), "num_classes": classes})
    found = [
        key
        for key, module in model.named_modules()
        if (isinstance(module, nn.Linear) and module.out_features == classes)
        or (isinstance(module, nn.Conv2d) and module.out_channels == classes)
    ]
    return found if "weights_backbone" in args(name) else [found[-1], *found[:-1]]


def smallest(model: nn.Module) -> int:
    """The smallest image, in pixels from 8, that a batch of two passes in training: tried."""
    if passes(model, 8):
        return 8
    sizes = range(9, 600)
    return sizes[bisect_left(sizes, True, key=lambda size: passes(model, size))]


def passes(model: nn.Module, size: int) -> bool:
    """Whether a model on the meta device takes images of this size in training."""
    model.train()
    try:
        model(torch.empty(2, 3, size, size, device="meta"))
    except (RuntimeError, ValueError, AssertionError):
        return False
    return True


def main() -> None:
    lines = ",\n".join(json.dumps(row) for row in rows())
    path = Path(contract.__file__).with_name("backbones.json")
    path.write_text(f"[\n{lines}\n]\n", "utf-8")
    print(f"wrote {path}")


if __name__ == "__main__":
    main()

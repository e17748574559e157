"""Modules as `ptrain layers --json` prints them, made in the test or by the real command."""

from __future__ import annotations

import contextlib
import io
import json
from functools import cache

from torch import nn

from engine.layers import print_layers
from engine.parts.freezing import NORM_LAYERS
from tui.freeze_tree import ModuleTree


@cache
def printed(named: str) -> str:
    """What the command prints of a backbone or file."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        print_layers(named, [], None, json=True)
    return out.getvalue()


def of_backbone(name: str) -> ModuleTree:
    return ModuleTree(printed(name))


def of_model(model: nn.Module, heads: list[str]) -> ModuleTree:
    """Of any model, without the forward that the command needs for the shapes."""
    layers = [
        {
            "name": name,
            "type": type(module).__name__,
            "depth": name.count(".") + bool(name),
            "parameters": sum(p.numel() for p in module.parameters()),
            "own": {each: p.numel() for each, p in module.named_parameters(recurse=False)},
            "norm": isinstance(module, NORM_LAYERS),
            "groups": [],
        }
        for name, module in model.named_modules()
    ]
    return ModuleTree(json.dumps({"backbone": "made", "heads": heads, "layers": layers}))

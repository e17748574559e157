"""Choosing a value for a key of the form from those that there are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from textual.screen import Screen

from tui.form_model import Row
from tui.offers import offered
from tui.screens.choose import ChooseScreen
from tui.screens.choose_backbone import BackboneDialog
from tui.toml_edit import meant, toml_value


async def ask_for_value(
    screen: Screen[Any], row: Row, values: Mapping[str, Any], file: Path
) -> str | None:
    """As TOML; None when it was left. `values` is what the experiment in `file` says now."""
    if row.offers == "backbones":
        name = await screen.app.push_screen_wait(BackboneDialog(row.toml))
        return None if name is None else toml_value(name)
    choices = offered(row, values, file.parent)
    if not choices:
        words = f"no function or class was found in a .py file in {file.parent}; write one there"
        screen.notify(words, severity="warning", markup=False)
        return None
    asked = ChooseScreen(f"{row.label} = {row.toml}", choices, narrowed=True)
    chosen = await screen.app.push_screen_wait(asked)
    if chosen is None:
        return None
    return meant(chosen) if row.kind == "text" and row.offers is None else toml_value(chosen)

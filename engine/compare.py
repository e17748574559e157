"""`ptrain compare`: runs beside each other, how they went and what differs in their experiments."""

from __future__ import annotations

import json as json_module
import math
from collections.abc import Sequence
from typing import Any

from rich.text import Text

from engine.contract.differences import differences, read_settings, shown, words
from engine.contract.follower import read_state
from engine.contract.outcome import Outcome, outcome_of, outcome_rows
from engine.contract.problems import InputError, Problem
from engine.contract.run_directory import RunDirectory
from engine.contract.runs import status
from engine.display import duration
from engine.tables import print_table, table


def compare_runs(runs: Sequence[RunDirectory], *, json: bool) -> None:
    """Print the comparison. Raises InputError where there are not two runs."""
    runs = list({run.path.resolve(): run for run in runs}.values())
    if len(runs) < 2:
        hint = "`ptrain runs` lists what there is"
        raise InputError(Problem("that is one run; a comparison takes two or more", "RUN", hint))
    found = differences([read_settings(run) for run in runs])
    outcomes = [outcome_of(read_state(run.events), status(run)) for run in runs]
    if json:
        told = [_as_json(run, outcome) for run, outcome in zip(runs, outcomes, strict=True)]
        settings = {key: [_plain(value) for value in values] for key, values in found}
        print(json_module.dumps({"runs": told, "settings": settings}, default=str))
        return
    rows = table("", *(f"{run.name}\n{run.id}" for run in runs))
    for title, cells in outcome_rows(outcomes, duration):
        rows.add_row(Text(title), *map(Text, cells))
    rows.add_row()
    for difference in found:
        rows.add_row(Text(difference.key), *map(Text, shown(difference.values)))
    if not found:
        rows.add_row(Text("their experiments are the same"))
    print_table(rows)


def _plain(value: Any) -> Any:
    """JSON has no word for inf and nan: such a setting is told as it is written."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return words(value) if isinstance(value, float) and not math.isfinite(value) else value


def _as_json(run: RunDirectory, outcome: Outcome) -> dict[str, object]:
    return {"run": run.id, "experiment": run.name, "path": str(run.path), **vars(outcome)}

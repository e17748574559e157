"""The target columns of a table → classes and numbers, for each task.

Every function raises InputError, which names the line, the column and the value.
"""

from __future__ import annotations

import re

import numpy as np
import torch
from torch import Tensor

from engine.contract.problems import InputError, Problem, did_you_mean, first
from engine.parts.table_file import Table

SEPARATORS = ("|", ";", ",")  # between the labels of one cell; else blanks
MANY = 10  # so many values of their own that they hardly are classes, if most rows have another
_WHOLE = re.compile(r"[+-]?\d{1,18}")
_LARGEST = float(torch.finfo(torch.float32).max)
_LABELS = {"0": 0.0, "1": 1.0, "0.0": 0.0, "1.0": 1.0, "false": 0.0, "true": 1.0}


def class_targets(
    table: Table, column: str, chosen: list[str] | None, ignore_index: int
) -> tuple[list[str], Tensor]:
    """The names of the classes, and (N,) int64. Names are sorted as ImageFolder sorts them, whole
    numbers as numbers; `chosen` fixes both.

    A whole number that is `ignore_index`, and could be no class's number, means "don't know".
    """
    cells = table.column(column)
    _refuse_empty(table, [column])
    names = sorted(set(cells))
    whole = all(_WHOLE.fullmatch(name) for name in names)
    ignored = ""
    if whole:
        names = sorted({str(int(name)) for name in names}, key=int)
        cells = [str(int(cell)) for cell in cells]
        rest = [name for name in names if name != str(ignore_index)]
        if len(rest) < len(names) and not 0 <= ignore_index < len(rest):
            names, ignored = rest, str(ignore_index)
    if chosen is None:
        _refuse_numbers(table, column, names, cells)
    classes = names if chosen is None else chosen
    numbers = {name: index for index, name in enumerate(classes)}
    numbers |= {ignored: ignore_index} if ignored else {}
    unknown = [(row, column, f'"{cell}"') for row, cell in enumerate(cells) if cell not in numbers]
    if unknown:
        near = did_you_mean(cells[unknown[0][0]], classes)
        wrong = [(row, name, f"{cell} is no class") for row, name, cell in unknown]
        table.refuse(wrong, near or f"the classes are: {first(classes, 10)}")
    return classes, torch.tensor([numbers[cell] for cell in cells], dtype=torch.int64)


def label_targets(
    table: Table, columns: list[str], chosen: list[str] | None
) -> tuple[list[str], Tensor]:
    """The names of the labels, and (N, labels) float32 of 0 and 1: from a column for each label, or
    from one that lists them."""
    if len(columns) == 1 and not _only_labels(table.column(columns[0])):
        return _listed_labels(table, columns[0], chosen)
    _refuse_empty(table, columns)
    if chosen is not None and len(chosen) != len(columns):
        message = f"{len(chosen)} names for {len(columns)} columns of labels"
        raise InputError(Problem(message, "data.classes", f"the columns are: {', '.join(columns)}"))
    cells = [[cell.lower() for cell in table.column(name)] for name in columns]
    wrong = [
        (row, name, f'"{cell}" is not 0 or 1')
        for name, column in zip(columns, cells, strict=True)
        for row, cell in enumerate(column)
        if cell not in _LABELS
    ]
    table.refuse(wrong, "each column is a label, 1 where the image has it; data.targets chooses")
    values = [[_LABELS[cell] for cell in column] for column in cells]
    return chosen or columns, torch.tensor(values, dtype=torch.float32).T.contiguous()


def number_targets(table: Table, columns: list[str]) -> Tensor:
    """(N, numbers) float32."""
    _refuse_empty(table, columns)
    wrong: list[tuple[int, str, str]] = []
    values = np.zeros((len(table.rows), len(columns)))
    for place, name in enumerate(columns):
        for row, cell in enumerate(table.column(name)):
            number = _number(cell)
            if number is None:
                wrong.append((row, name, f'"{cell}" is not a number'))
            elif not abs(number) <= _LARGEST:
                wrong.append((row, name, f'"{cell}" is not finite, or too large'))
            else:
                values[row, place] = number
    hint = "data.targets chooses the columns that are targets"
    if wrong and re.fullmatch(r'"[+-]?\d+,\d+" is not a number', wrong[0][2]):
        hint = "write the decimals with a point, such as 3.5"
    table.refuse(wrong, hint)
    return torch.from_numpy(values).float()


def _listed_labels(table: Table, column: str, chosen: list[str] | None) -> tuple[list[str], Tensor]:
    """An empty cell is an image with none of the labels."""
    cells = table.column(column)
    mark = next((mark for mark in SEPARATORS if any(mark in cell for cell in cells)), None)
    lists = [[label.strip() for label in cell.split(mark) if label.strip()] for cell in cells]
    classes = chosen or sorted({label for labels in lists for label in labels})
    places = {name: place for place, name in enumerate(classes)}
    wrong = [
        (row, column, f'"{label}" is no label')
        for row, labels in enumerate(lists)
        for label in labels
        if label not in places
    ]
    table.refuse(wrong, "the labels are: " + ", ".join(classes[:10]))
    if not classes:
        raise InputError(Problem(f"{table.file}: column {column} names no label", table.key))
    targets = torch.zeros(len(lists), len(classes))
    for row, labels in enumerate(lists):
        targets[row, [places[label] for label in labels]] = 1.0
    return classes, targets


def _refuse_empty(table: Table, columns: list[str]) -> None:
    wrong = [
        (row, name, "the cell is empty")
        for name in columns
        for row, cell in enumerate(table.column(name))
        if not cell
    ]
    table.refuse(wrong, "fill it in, or take the line out")


def _refuse_numbers(table: Table, column: str, names: list[str], cells: list[str]) -> None:
    """Where a classification was hardly meant. A few hundred values of thousands of rows may be
    either, and pass."""
    fraction = next((name for name in names if not _WHOLE.fullmatch(name)), "")
    numbers = all(_number(name) is not None for name in names)
    several = len(names) > MANY and 2 * len(names) > len(cells)
    where = f"{table.file}, column {column}"
    if numbers and (fraction or several):
        what = f"{fraction} is a number" if fraction else f"{len(names)} different numbers"
        message = f"{where}: {what}, where a classification has the name of a class"
        hint = 'write task = "regression" under [data], or a loss of a regression such as MSELoss'
        raise InputError(Problem(message, "data.task", hint))
    if several:
        message = f"{where}: {len(names)} different values in {len(cells)} rows are hardly classes"
        hint = f"choose the column by targets = [...]; there are: {', '.join(table.columns)}"
        raise InputError(Problem(message, "data.targets", hint))


def _only_labels(cells: list[str]) -> bool:
    return all(cell.lower() in _LABELS for cell in cells)


def _number(cell: str) -> float | None:
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None

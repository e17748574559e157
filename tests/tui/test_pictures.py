"""How the dashboard looks in six states, at three sizes: cell by cell as in tests/tui/pictures.

A picture that has become another one on purpose: `uv run python -m tests.tui.states`, and look.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tui.states import SIZES, STATES, file_of, taken


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", STATES)
def test_it_looks_as_in_its_picture(name: str, size: tuple[int, int], tmp_path: Path) -> None:
    rows, _ = taken(STATES[name], size, tmp_path)
    assert rows == file_of(name, size).read_text().splitlines()

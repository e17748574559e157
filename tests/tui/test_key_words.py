"""A key as the form says it."""

from __future__ import annotations

import pytest

from tui.key_words import counted


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("", ""),
        ("name", "name"),
        ("model.backbone", "model.backbone"),
        ("scheduler.0", "scheduler 1"),
        ("scheduler.0.start_factor", "scheduler 1: start_factor"),
        ("optimizer.group.1.match.0", "optimizer.group 2: match 1"),
        ("data.args.b2.c", "data.args.b2.c"),
        ('data.args."a.0".b', 'data.args."a.0".b'),
    ],
)
def test_members_of_a_list_are_counted_from_one(key: str, words: str) -> None:
    assert counted(key) == words

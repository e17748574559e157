"""The line of keys: the most needed of where one is, and none of them cut."""

from __future__ import annotations

import asyncio

import pytest
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.widgets import Button, Input

from tui.widgets.key_line import KeyLine, ShownKey, character_of, fitting

KEYS = [ShownKey(key, key, "word", key) for key in "abcd"]  # six columns each, and two between


@pytest.mark.parametrize(
    ("width", "expected"), [(40, "abcd"), (30, "abcd"), (29, "abd"), (21, "ad"), (6, "d"), (5, "")]
)
def test_what_is_always_there_is_dropped_last_and_the_order_stays(
    width: int, expected: str
) -> None:
    assert "".join(key.key for key in fitting(KEYS, ("d",), width)) == expected


@pytest.mark.parametrize(
    ("key", "types"),
    [("g", "g"), ("question_mark", "?"), ("plus", "+"), ("slash", "/"), ("f7", None), ("up", None)],
)
def test_what_a_key_types(key: str, types: str | None) -> None:
    assert character_of(key) == types


class Keyed(App[None]):
    BINDINGS = [Binding("question_mark", "help", "Help"), Binding("f2", "more", "More"),
                Binding("x", "hidden", "Hidden", show=False)]  # fmt: skip

    def compose(self) -> ComposeResult:
        yield Button("b")
        yield Input()
        yield KeyLine()


def test_an_entry_takes_the_letters_so_that_they_are_not_offered_there() -> None:
    async def look() -> None:
        app = Keyed()
        async with app.run_test(size=(80, 24)) as pilot:
            app.query_one(Button).focus()
            await pilot.pause()
            assert "? Help" in app.query_one(KeyLine).keys
            app.query_one(Input).focus()
            await pilot.pause()
            keys = app.query_one(KeyLine).keys
            assert "? Help" not in keys
            assert "f2 More" in keys
            await pilot.resize_terminal(8, 24)
            await pilot.pause()
            assert app.query_one(KeyLine).keys == ["f2 More"]

    asyncio.run(look())

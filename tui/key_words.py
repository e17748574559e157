"""A key as the form says it. Pure."""

from __future__ import annotations

import re

_PART = re.compile(r'"(?:[^"\\]|\\.)*"|[^.]+')  # a quoted name may have dots and digits in it


def counted(key: str) -> str:
    """`scheduler 2: gamma` of `scheduler.1.gamma`: the form counts members from 1, as a person
    does; dotted keys, which `--set` takes, count them from 0."""
    words, joint = "", ""
    for part in _PART.findall(key):
        member = bool(words) and part.isdecimal()
        words += f" {int(part) + 1}" if member else f"{joint}{part}"
        joint = ": " if member else "."
    return words

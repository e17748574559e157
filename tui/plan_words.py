"""What `ptrain lr` answered where it drew nothing, or had something to say beside it. Pure."""

from __future__ import annotations

import re

from tui.key_words import counted
from tui.launching import Answer, read_outcome


def data_trouble(answer: Answer) -> str:
    """Why the data can't be read, where that is what is wrong."""
    errors = read_outcome(answer).errors if answer.code != 0 else []
    told = [error.message for error in errors if error.key.partition(".")[0] == "data"]
    return told[0] if told and len(told) == len(errors) else ""


def why_not(answer: Answer) -> str:
    """There is no plan, in a line."""
    outcome = read_outcome(answer)
    told = [f"{counted(error.key)}: {error.message}" for error in outcome.errors]
    return [*told, *outcome.words.splitlines()[-1:], "the engine can't say"][0]


def warnings(answer: Answer) -> str:
    """What `ptrain lr` said beside the plan: a line each, without the file's name and the hints."""
    lines = [line for line in answer.err.splitlines() if line.startswith("warning: ")]
    return "\n".join(_as_in_the_form(line.removeprefix("warning: ")) for line in lines)


def _as_in_the_form(line: str) -> str:
    """`line 13: scheduler 2: never acts` of `it.toml:13: scheduler.1: never acts`."""
    found = re.fullmatch(r".*?:(\d+): (\S+): (.*)", line)
    return f"line {found[1]}: {counted(found[2])}: {found[3]}" if found else line

"""A text that is no TOML: what is wrong with it, where, and what to write instead.

tomllib names the place and the rule of its grammar; here that becomes the mistake behind it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_WORDS_IN_QUOTES = 'words stand in quotes: {key} = "…"'
_NO_QUOTE = 'Expected "\'"'  # tomllib's words at a single quote that is not closed
_NO_END = rf"""{_NO_QUOTE}|Expected "'{{3}}"|Expected '"{{3}}'"""
_OPEN_QUOTE = re.compile(r"[=,\[]\s*'[^']*$")
_THREE_QUOTES = re.compile(r"\"{3}|'{3}")
_LISTS = (
    "loss", "metric", "scheduler", "optimizer.group", "model.unfreeze", "data.augment",
    "data.preprocess",
)  # fmt: skip
_HEADER = re.compile(r"""\s*(\[\[?)\s*([\w.\-\s"']+?)\s*\]?\]?\s*(#.*)?""")
_KEY = re.compile(r"""\s*((?:"[^"]*"|'[^']*'|[\w.\- ])+?)\s*[=:]""")
SYNTAX = "(syntax)"  # stands for a key where there is none


@dataclass(frozen=True)
class Mistake:
    """`line` counts from 1; `key` is the dotted key that the line belongs to."""

    message: str
    hint: str
    line: int
    key: str


def explain(text: str, error: str) -> Mistake:
    """What a ValueError of tomllib means."""
    lines = text.split("\n")
    line = _line(text, lines, error)
    written = lines[line - 1].strip()
    message, hint = _told(re.sub(r"\s*\(at .*\)$", "", error), written, lines[: line - 1])
    return Mistake(message, hint, line, key_at(lines, line))


def _line(text: str, lines: list[str], error: str) -> int:
    found = re.search(r"\(at line (\d+)", error)
    if found:
        return min(int(found[1]), len(lines))
    digits = re.search(r"\d{4000}", text.replace("_", ""))  # too long a number has no place
    if digits:
        return text.replace("_", "")[: digits.start()].count("\n") + 1
    opening = _OPEN_QUOTE if error.startswith(_NO_QUOTE) else _THREE_QUOTES
    if error.startswith("Unterminated") or re.match(_NO_END, error):
        begun = [number for number, row in enumerate(lines, 1) if opening.search(row)]
        if begun:
            return begun[-1]  # what follows is inside the text that begins here
    return max(1, len(text.rstrip().split("\n")))  # the end of the document


def _told(error: str, written: str, above: list[str]) -> tuple[str, str]:
    """The message and the hint."""
    shown = written if len(written) <= 80 else written[:79] + "…"
    again = re.match(r"Cannot (declare|mutate immutable namespace) \(([^)]*)\)", error)
    if again:
        table = ".".join(re.findall(r"""['"]([^'"]*)['"]""", again[2]))
        more = f"write [[{table}]] for one more, or " if table in _LISTS else ""
        return f"[{table}] is there already", f"{more}write all its keys in one place"
    if "integer string conversion" in error:
        return "a number of thousands of digits", "write a number of usual length"
    several = re.match(r"\[\[\s*([\w.]+)\s*\]\]", written)
    if error == "Cannot overwrite a value" and several and several[1] in _LISTS:
        table = several[1]
        return f"[{table}] is there already", f"write [[{table}]] there too, once for each"
    if error == "Cannot overwrite a value":
        return "this key is there already", f"keep one of the two: {shown}"
    if "\\" in written and ("string" in error or "hex" in error or "Unicode" in error):
        wrong = 'in "…" a backslash begins an escape such as \\n'
        return wrong, "write paths with / or in single quotes: 'C:\\data'"
    if "character '\\n'" in error or re.match(f"Unterminated|{_NO_END}", error):
        return "a text that begins here has no end", f"close the quote: {shown}"
    if "character '\\" in error:
        return "a control character", "delete it, or write it as an escape such as \\t in quotes"
    return f"is not TOML: {error[:1].lower()}{error[1:]}", _hint(written, shown, above)


def _hint(written: str, shown: str, above: list[str]) -> str:
    value = written.partition("=")[2].strip()
    key = written.partition("=")[0].strip()
    if not written or (re.match(r"\[|[\w.-]+\s*=", written) and _open(above)):
        return "something above is not closed: a quote, a bracket or a brace"
    if written.startswith("{") and not "".join(above).strip():
        return "an experiment is TOML, not JSON: name = …"
    if re.match(r"[\w.-]+\s*:", written):
        return f"TOML has = between key and value: {written.partition(':')[0].strip()} = …"
    if "=" in written and not value:
        return f"write a value: {key} = …"
    if value in ("True", "False"):
        return f"write {key} = {value.lower()}"
    if value in ("None", "null", "nil"):
        return f"TOML has no {value}: leave the key out"
    if re.match(r"[+-]?(\.\d|\d+\.(\D|$))", value):
        return "a number has digits before and after its point: 0.5"
    if re.match(r"[A-Za-z_./~]", value) and not re.match(r"(true|false|inf|nan)\b", value):
        return _WORDS_IN_QUOTES.format(key=key)
    return f"look at: {shown}"


def _open(above: list[str]) -> bool:
    """Whether the last key above begins an array, table or text that it does not end."""
    for row in reversed(above):
        value = row.partition("=")[2].strip()
        if value or row.lstrip().startswith("["):
            opened = sum(map(value.count, "[{")) - sum(map(value.count, "]}"))
            return opened > 0 or value.count('"""') % 2 == 1
    return False


def key_at(lines: list[str], line: int) -> str:
    """The dotted key that a line (from 1) of a text that does not parse belongs to."""
    return _key_at(lines, line).strip(" .") or SYNTAX


def _key_at(lines: list[str], line: int) -> str:
    header = _HEADER.fullmatch(lines[line - 1])
    if header:
        return _table(lines[:line], header)
    own = _KEY.match(lines[line - 1])
    key = own[1].strip() if own else ""
    for number in range(line - 1, 0, -1):
        header = _HEADER.fullmatch(lines[number - 1])
        if header:
            table = _table(lines[:number], header)
            return f"{table}.{key}" if key else table
    return key


def _table(lines: list[str], header: re.Match[str]) -> str:
    name = re.sub(r"\s*\.\s*", ".", header[2])
    if header[1] == "[":
        return name
    same = re.compile(rf"\s*\[\[\s*{re.escape(header[2])}\s*\]\]")
    return f"{name}.{max(0, sum(1 for row in lines if same.match(row)) - 1)}"

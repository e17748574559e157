"""Which runs are asked for: `val/accuracy > 0.9 and backbone = resnet*`. Pure.

filter   terms, all of which have to hold; `and` may stand between them
term     a word that the name or the id holds, or: [best] key operator value
key      state, name, id, epoch, best; a setting's dotted key, or a metric, or the unique end of
         one: `lr`, `accuracy`. Without the numbers of a list it is any of its tables.
operator = != < <= > >= and ~, contains. `=` knows * and ?; no case counts in texts.
"""

from __future__ import annotations

import fnmatch
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, get_args

from engine.contract.differences import Settings, words
from engine.contract.problems import did_you_mean, few
from engine.contract.runs import State
from engine.contract.training import Checkpoint

TOKEN = re.compile(r'"[^"]*"?|\[[^\]]*\]?|!=|<=|>=|==|[=<>~]|(?:(?!!=)[^\s=<>~"])+')
OPERATORS = ("=", "==", "!=", "<", "<=", ">", ">=", "~")
OWN = ("state", "name", "id", "epoch", "best")
TEXTS = ("state", "name", "id")
STATES = get_args(State)

Metrics = Mapping[str, float | None]  # None: not finite


class FilterError(ValueError):
    """What is wrong with a filter, in words."""


@dataclass(frozen=True)
class Facts:
    """What a run is asked about. `validated`: the metrics of each validation, in order."""

    name: str
    id: str
    state: str
    epoch: int = 0  # done
    best: float | None = None
    validated: Sequence[Metrics] = ()
    settings: Callable[[], Settings] = field(default=dict)


class Vocabulary(Protocol):
    """What any of the runs has. Only what a filter has need of is asked for."""

    @property
    def names(self) -> Collection[str]: ...  # and ids
    @property
    def settings(self) -> Collection[str]: ...  # dotted keys
    @property
    def metrics(self) -> Collection[str]: ...


Test = Callable[[Facts], bool]


@dataclass(frozen=True)
class Filter:
    """All terms have to hold; without one, every run is shown. `open`: it ends with a word, which
    may yet become a key."""

    tests: tuple[Test, ...] = ()
    open: bool = False

    def __call__(self, facts: Facts) -> bool:
        return all(test(facts) for test in self.tests)


def parse(text: str, vocabulary: Vocabulary) -> Filter:
    """Raises FilterError."""
    tokens, tests, word = TOKEN.findall(text), list[Test](), False
    while tokens:
        first, word = tokens.pop(0), False
        following = [*tokens[:2], "", ""]
        if first in OPERATORS:
            raise FilterError(f"{first} needs a key in front of it, as in state {first} failed")
        if following[0] in OPERATORS:
            tests.append(_comparison(first, tokens, vocabulary, best=False))
        elif first == "best" and following[1] in OPERATORS:
            tests.append(_comparison(tokens.pop(0), tokens, vocabulary, best=True))
        elif first.lower() == "or":
            raise FilterError("there is no `or`: all terms have to hold; * stands for anything")
        elif first.lower() != "and":
            tests.append(_called(_unquoted(first), vocabulary))
            word = True
    return Filter(tuple(tests), open=word)


def _unquoted(token: str) -> str:
    return token.strip('"') if token.startswith('"') else token


def _called(word: str, vocabulary: Vocabulary) -> Test:
    """While a key is being typed it is still a word, and no run may be called so."""
    part = word.casefold()
    if not any(part in name.casefold() for name in vocabulary.names):
        raise FilterError(f'no run\'s name or id has "{word}" in it; a key is {word} = value')
    return lambda facts: part in facts.name.casefold() or part in facts.id.casefold()


def _comparison(key: str, tokens: list[str], vocabulary: Vocabulary, *, best: bool) -> Test:
    """Takes the operator and the value off the tokens."""
    operator = tokens.pop(0).replace("==", "=")
    values = _values(_unquoted(key), vocabulary, best=best)
    if not tokens or tokens[0] in OPERATORS:
        raise FilterError(f"{key} {operator} needs a value behind it")
    wanted = _unquoted(tokens.pop(0))
    if key == "state" and operator in ("=", "!=") and not any(_like(s, wanted) for s in STATES):
        hint = did_you_mean(wanted, STATES) or f"one of {', '.join(STATES)}"
        raise FilterError(f'no run is "{wanted}"; {hint}')
    if operator == "!=":
        return lambda facts: not any(_equal(value, wanted) for value in values(facts))
    if operator in "=~":
        holds = _equal if operator == "=" else _contains
        return lambda facts: any(holds(value, wanted) for value in values(facts))
    bound = _number(wanted)
    if key in TEXTS or bound is None:
        said = key if key in TEXTS else f'"{wanted}"'
        raise FilterError(f"{operator} compares numbers, and {said} is none; = and ~ are for texts")
    compare = _ORDERS[operator]
    return lambda facts: any(
        compare(float(value), bound)
        for value in values(facts)
        if isinstance(value, int | float) and not isinstance(value, bool)
    )


_ORDERS: dict[str, Callable[[float, float], bool]] = {
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
}

Values = Callable[[Facts], Iterable[Any]]


def _values(key: str, vocabulary: Vocabulary, *, best: bool) -> Values:
    """What a key means. Raises FilterError where it is none, or could be several."""
    if key in OWN and not best:
        return lambda facts: [] if getattr(facts, key) is None else [getattr(facts, key)]
    settings = {plain(setting) for setting in vocabulary.settings} | set(vocabulary.settings)
    known = set(vocabulary.metrics) if best else {*settings, *vocabulary.metrics}
    found = _meant(key, known)
    if len(found) > 1:
        raise FilterError(f"{key} could be {few(found, 5)}: write which")
    if not found:
        raise FilterError(_unknown(key, known, best=best))
    name = found[0]
    if name in vocabulary.metrics:
        return _best(name) if best else lambda facts: _last(facts, name)
    return lambda facts: _setting(facts.settings(), name)


def _unknown(key: str, known: Collection[str], *, best: bool) -> str:
    parts = len(_ends(key))
    ends = {end for name in known for end in _ends(name) if len(_ends(end)) == parts}
    hint = did_you_mean(key, ends if best else {*ends, *OWN})
    told = f'no run has a {"metric" if best else "setting or metric"} "{key}"'
    return f"{told}; {hint}" if hint else told


def plain(key: str) -> str:
    """Without the numbers of its lists: scheduler.0.gamma is a scheduler.gamma."""
    return ".".join(part for part in key.split(".") if not part.isdecimal())


def _ends(name: str) -> list[str]:
    """`model.backbone` and `backbone`; `val/loss` and `loss`."""
    cuts = [found.end() for found in re.finditer(r"[./]", name)]
    return [name, *(name[cut:] for cut in cuts)]


def _meant(key: str, known: Collection[str]) -> list[str]:
    """The name itself, else those that end so; of those the one that is nearest to the file's top,
    where there is one: `lr` is optimizer.lr before it is optimizer.group.lr."""
    if key in known:
        return [key]
    found = sorted(name for name in known if name.endswith((f".{key}", f"/{key}")))
    found = [name for name in found if plain(name) == name] or found
    depths = [len(_ends(name)) for name in found]
    nearest = [name for name, depth in zip(found, depths, strict=True) if depth == min(depths)]
    return nearest if len(nearest) == 1 else found


def _setting(settings: Settings, name: str) -> list[Any]:
    if name in settings:
        return [settings[name]]
    end = name[name.rfind(".") + 1 :]
    return [value for key, value in settings.items() if key.endswith(end) and plain(key) == name]


def _last(facts: Facts, name: str) -> list[float]:
    told = facts.validated[-1] if facts.validated else {}
    return [_finite(told[name])] if name in told else []


def _best(name: str) -> Values:
    better = min if Checkpoint(monitor=name).better == "min" else max

    def values(facts: Facts) -> list[float]:
        told = [metrics.get(name) for metrics in facts.validated]
        numbers = [number for number in told if number is not None]
        return [better(numbers)] if numbers else []

    return values


def _finite(value: float | None) -> float:
    return math.nan if value is None else value


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _equal(value: Any, wanted: str) -> bool:
    """A number also as it is shown; a path also by its last part; a list by an item too."""
    if isinstance(value, list) and any(_equal(item, wanted) for item in value):
        return True
    text = words(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = _number(wanted)
        near = number is not None and math.isclose(value, number, rel_tol=1e-9)
        return near or wanted.lower() in (text, f"{value:.4g}")
    if isinstance(value, str) and "/" in value and "/" not in wanted:
        text = value.rstrip("/").rpartition("/")[2]
    if isinstance(value, list | dict):
        return text.replace(" ", "") == wanted.replace(" ", "")
    return _like(text, wanted)


def _like(text: str, pattern: str) -> bool:
    text, pattern = text.casefold(), pattern.casefold()
    if not {*"*?"} & {*pattern}:
        return text == pattern
    return fnmatch.fnmatchcase(text, pattern.replace("[", "[[]"))


def _contains(value: Any, wanted: str) -> bool:
    return wanted.casefold() in words(value).casefold()

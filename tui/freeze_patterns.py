"""The shortest `model.freeze` for what is to be frozen. Pure.

Shortest is: the fewest patterns, where one with a wildcard counts as two and a half. So a person
reads `["*", "!layer4"]` and `["layer1", "layer2"]`, and `["layer[1-3]"]` in the place of three
names or more; of equally many, those with the fewest letters.

How it is found: a walk over the tree works out for each module, and for each decision that what is
around it may have come to, the cheapest way to write the rest. A module is named, or taken out
again, or left as what is around it; or siblings whose names differ in the last character are named
together. The walk is exact but for two things: siblings are only grouped where that is shorter by
itself, and of patterns across the tree (`*.bn1`) one is tried at a time, before all others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Literal

from engine.contract.freezing import takes
from tui.freeze_tree import ModuleTree, Node

WILDCARD = 2.5  # as many names: two names are easier to read than a glob, three are not
ACROSS = 3  # fewer modules of one name are not worth a pattern across the tree
TRIED = 6  # words across the tree; each costs a walk, 40 ms in the largest backbone
ENOUGH = 4  # patterns that are short enough not to look for one across the tree
Decided = Literal["base", True, False]  # what the patterns before have come to, about all inside


@dataclass(frozen=True)
class Written:
    """Patterns in their order, and what they count."""

    cost: float = 0.0
    patterns: tuple[str, ...] = ()

    def __add__(self, other: Written) -> Written:
        return Written(self.cost + other.cost, self.patterns + other.patterns)

    @property
    def rank(self) -> tuple[float, int]:
        return self.cost, sum(map(len, self.patterns))


IMPOSSIBLE = Written(float("inf"))
NOTHING = Written()


def shortest(tree: ModuleTree, frozen: Collection[str]) -> list[str]:
    """Patterns that freeze exactly these leaves: `tree.frozen_by` of them gives `frozen`."""
    allowed = _allowed(tree, frozen)
    best = _walk(tree, allowed, ())
    if best.cost > ENOUGH:
        for base in _across(tree, frozen):
            best = min(best, _walk(tree, allowed, base), key=lambda each: each.rank)
    return list(best.patterns)


def _allowed(tree: ModuleTree, frozen: Collection[str]) -> dict[str, tuple[bool | None, ...]]:
    """The decisions that each end of the tree may come to.

    A parameter that trains is named by no pattern, or taken out. A module without parameters is
    different where all the parameters around it are frozen: it is then as still as they are,
    unless it is taken out in so many words; and one that does nothing (ReLU) must not be, since
    that would take the stillness from what is around it.
    """
    allowed: dict[str, tuple[bool | None, ...]] = {}

    def visit(node: Node, around_frozen: bool, around_still: bool) -> None:
        parameters = [leaf.name in frozen for leaf in node.leaves if leaf.is_parameter]
        if node.name and parameters and all(parameters):
            around_frozen = True
            around_still = around_still or all(leaf.name in frozen for leaf in node.leaves)
        for child in node.children:
            visit(child, around_frozen, around_still)
        if node.children or not node.name:
            return
        if node.is_parameter:
            allowed[node.name] = (True,) if node.name in frozen else (None, False)
        elif not node.leaves:
            allowed[node.name] = (None, True) if around_still else (None, True, False)
        elif node.name in frozen:
            allowed[node.name] = (None, True) if around_still else (True,)
        else:
            allowed[node.name] = (False,) if around_frozen else (None, False)

    visit(tree.root, around_frozen=False, around_still=False)
    return allowed


def _across(tree: ModuleTree, frozen: Collection[str]) -> Iterator[tuple[str, ...]]:
    """Patterns across the tree that do a good part of it: by the last names that come often."""
    gains, modules = Counter[str](), Counter[str]()
    for node in tree.root.walk():
        if not node.leaves or not node.name or node.last_name.isdecimal():
            continue
        count = sum(leaf.name in frozen for leaf in node.leaves)
        for word in (node.last_name, f"{node.last_name[:-1]}?"):
            gains[word] += (2 * count > len(node.leaves)) - (2 * count < len(node.leaves))
            modules[word] += 1
    often = [word for word, count in modules.items() if count >= ACROSS and len(word) > 1]
    often.sort(key=lambda word: (-abs(gains[word]), len(word)))
    for word in often[:TRIED]:
        for glob in (f"*.{word}", f"*{word}"):
            yield (glob,) if gains[word] > 0 else ("*", f"!{glob}")


def _walk(
    tree: ModuleTree, allowed: dict[str, tuple[bool | None, ...]], base: tuple[str, ...]
) -> Written:
    """The cheapest patterns behind these."""
    decided = tree.decisions(base) if base else {}

    @cache
    def inside(node: Node, now: Decided) -> Written:
        """The cheapest way to write what is in a module that has come to `now`."""
        if not node.children:
            decision = decided.get(node.name) if now == "base" else now
            return NOTHING if decision in allowed[node.name] else IMPOSSIBLE
        return _siblings(node.children, now)

    @cache
    def at(node: Node, now: Decided) -> Written:
        """The same with the module itself."""
        if tree.is_head(node):
            now = "base"  # what is around it takes no head
        named = Written(1, (node.name,)) + inside(node, True)
        taken_out = Written(1, (f"!{node.name}",)) + inside(node, False)
        return min(inside(node, now), named, taken_out, key=lambda each: each.rank)

    def _siblings(nodes: Sequence[Node], now: Decided) -> Written:
        total = NOTHING
        for family in _families(tree, nodes):
            singly = sum((at(node, now) for node in family), NOTHING)
            together = (_together(family, nodes, now, to) for to in (True, False))
            total += min([singly, *together], key=lambda each: each.rank)
        return total

    def _together(family: Sequence[Node], nodes: Sequence[Node], now: Decided, to: bool) -> Written:
        """With one glob for those of a family among its siblings that are cheaper then."""
        gains = {node: at(node, now).cost - inside(node, to).cost for node in family}
        chosen = [node for node in family if gains[node] > 0]
        if len(chosen) < 2:
            return IMPOSSIBLE
        # Those that it does not matter for (ReLU) make a range of what has gaps.
        places = [place for place, node in enumerate(family) if gains[node] > 0]
        between = family[places[0] : places[-1] + 1]
        ranged = [node for node in between if gains[node] >= 0]
        glob = min(_glob(chosen, nodes), _glob(ranged, nodes), key=len)
        taken = [node for node in family if takes(glob, node.name, tree.heads)]
        rest = [inside(node, to) if node in taken else at(node, now) for node in family]
        return sum(rest, Written(WILDCARD, (glob if to else f"!{glob}",)))

    whole = Written(sum(map(_cost, base)), base) + _siblings(tree.root.children, "base")
    if base:
        return whole
    star = Written(1, ("*",)) + _siblings(tree.root.children, True)
    return min(whole, star, key=lambda each: each.rank)


def _cost(pattern: str) -> float:
    return 1 if pattern == "*" or not set("*?[") & set(pattern) else WILDCARD


def _families(tree: ModuleTree, nodes: Sequence[Node]) -> list[list[Node]]:
    """Siblings that differ in the last character alone; each head is by itself."""

    def stem(node: Node) -> str:
        return node.name if tree.is_head(node) or node.is_parameter else node.name[:-1]

    ordered = sorted(nodes, key=lambda node: (len(node.name), stem(node)))
    families = [list(group) for _, group in groupby(ordered, lambda n: (len(n.name), stem(n)))]
    for family in families:
        family.sort(key=lambda node: node.name)
    place = {node: number for number, node in enumerate(nodes)}
    return sorted(families, key=lambda family: min(place[node] for node in family))


def _glob(chosen: Sequence[Node], siblings: Sequence[Node]) -> str:
    """`layer[1-3]`; for all that there are of that length `features.?`, and of any `layer*`."""
    stem, length = chosen[0].name[:-1], len(chosen[0].name)
    alike = [node.name for node in siblings if node.name.startswith(stem)]
    if len(alike) == len(chosen):
        return f"{stem}*"
    if sum(len(name) == length for name in alike) == len(chosen):
        return f"{stem}?"
    return f"{stem}[{''.join(_ranges([node.name[-1] for node in chosen]))}]"


def _ranges(characters: Sequence[str]) -> Iterator[str]:
    """Of ascending characters: 1, 2, 3, 5 as 1-3 and 5."""
    runs = groupby(enumerate(characters), key=lambda each: ord(each[1]) - each[0])
    for _, run in runs:
        found = [character for _, character in run]
        yield f"{found[0]}-{found[-1]}" if len(found) > 2 else "".join(found)

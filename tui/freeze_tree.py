"""A model's modules as `ptrain layers --json` tells of them, and what `model.freeze` makes of each.

Pure. What can be frozen or not is a leaf: a parameter, or a module without any that acts
otherwise in training than in evaluation (dropout, stochastic depth). A person freezes leaves, a
module's at once; `tui.freeze_patterns` writes what they froze.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from engine.contract.freezing import is_still, matches, takes

ACTING = ("Dropout", "StochasticDepth", "RReLU", "Norm")  # in class names: modules that train mode
# makes act otherwise, and that can have no parameter of their own
State = Literal["trains", "frozen", "part", ""]  # "" where there is nothing to freeze


@dataclass(eq=False)
class Node:
    """A module, or a parameter that one holds itself."""

    name: str
    """Dotted; empty for the model itself."""
    kind: str
    parameters: int
    groups: Sequence[str] = ()
    norm: bool = False
    is_parameter: bool = False
    children: list[Node] = field(default_factory=list)
    leaves: list[Node] = field(default_factory=list)
    """What can be frozen in it, itself if it is such a one."""

    @property
    def last_name(self) -> str:
        return self.name.rpartition(".")[2]

    def walk(self) -> Iterator[Node]:
        yield self
        for child in self.children:
            yield from child.walk()


class _Layer(msgspec.Struct):
    name: str
    type: str
    depth: int
    parameters: int
    own: dict[str, int] = {}
    norm: bool = False
    groups: list[str] = []


class _Printed(msgspec.Struct):
    backbone: str
    layers: list[_Layer]
    heads: list[str] = []


_decoder = msgspec.json.Decoder(_Printed)


class ModuleTree:
    """Raises ValueError for what `ptrain layers --json` does not print."""

    def __init__(self, printed: str) -> None:
        try:
            told = _decoder.decode(printed)
        except msgspec.MsgspecError as error:
            raise ValueError(f"this is no module tree: {error}") from None
        if not told.layers or told.layers[0].name:
            raise ValueError("this is no module tree: it has no root")
        self.backbone, self.heads = told.backbone, told.heads
        self.by_name: dict[str, Node] = {}
        for layer in told.layers:
            self._add(layer)
        self.root = self.by_name[""]
        _gather(self.root)

    def _add(self, layer: _Layer) -> None:
        if layer.name in self.by_name:  # a parameter that its module has told of already
            return
        node = Node(layer.name, layer.type, layer.parameters, layer.groups, layer.norm)
        self._hang(node)
        for last, count in layer.own.items():
            name = f"{layer.name}.{last}" if layer.name else last
            self._hang(Node(name, "Parameter", count, layer.groups, layer.norm, is_parameter=True))

    def _hang(self, node: Node) -> None:
        self.by_name[node.name] = node
        if node.name:
            self.by_name[node.name.rpartition(".")[0]].children.append(node)

    def is_head(self, node: Node) -> bool:
        """Whether it is a new head, which `*` does not freeze."""
        return node.name in self.heads

    def in_head(self, name: str) -> bool:
        return any(name == head or name.startswith(f"{head}.") for head in self.heads)

    @property
    def leaves(self) -> list[Node]:
        return self.root.leaves

    # What patterns make of it

    def decisions(self, patterns: Sequence[str]) -> dict[str, bool | None]:
        """Of every module and parameter, by name. What takes a module takes what is inside, so that
        each name is only looked at by itself; 4 ms a pattern for the largest backbone."""
        decided: dict[str, bool | None] = {}

        def visit(node: Node, around: Sequence[bool]) -> None:
            by = around
            if node.name:
                inherits = not self.is_head(node)
                by = [
                    (inherits and above) or takes(pattern, node.name, self.heads)
                    for pattern, above in zip(patterns, around, strict=True)
                ]
                last = next((n for n in reversed(range(len(by))) if by[n]), None)
                decided[node.name] = None if last is None else not patterns[last].startswith("!")
            for child in node.children:
                visit(child, by)

        visit(self.root, [False] * len(patterns))
        return decided

    def frozen_by(self, patterns: Sequence[str]) -> frozenset[str]:
        """The leaves that these patterns freeze, exactly as the engine would; without what
        freeze_norm = false spares."""
        decided = self.decisions(patterns)
        still: set[str] = set()
        for node in self.root.walk():
            if node.name and node.name not in still and _still(node, decided):
                still |= {inside.name for inside in node.walk()}
        return frozenset(
            leaf.name
            for leaf in self.leaves
            if (decided[leaf.name] if leaf.is_parameter else leaf.name in still)
        )

    def unmatched(self, patterns: Iterable[str]) -> list[str]:
        """The patterns that take nothing at all, which the engine refuses."""
        ends = [node.name for node in self.root.walk() if node.name and not node.children]
        return [
            pattern
            for pattern in patterns
            if not any(takes(pattern, name, self.heads) for name in ends)
        ]

    def matching(self, word: str) -> list[Node]:
        """The modules and parameters whose name has the word in it, or that a glob names."""
        return [
            node
            for node in self.root.walk()
            if node.name and (word in node.name or matches(word, node.name))
        ]


def _gather(node: Node) -> list[Node]:
    for child in node.children:
        node.leaves += _gather(child)
    acts = not node.children and any(word in node.kind for word in ACTING)
    if node.is_parameter or acts:
        node.leaves.append(node)
    return node.leaves


def _still(node: Node, decided: Mapping[str, bool | None]) -> bool:
    inside = list(node.walk())
    ends = [each for each in inside if not each.children]
    return not node.is_parameter and is_still(
        [decided[each.name] for each in ends if each.is_parameter],
        [decided[each.name] for each in ends if not each.is_parameter],
        decided[node.name],
    )


# What a person sees of it


def state(node: Node, frozen: Collection[str]) -> State:
    """How much of it is frozen."""
    if not node.leaves:
        return ""
    count = sum(leaf.name in frozen for leaf in node.leaves)
    return "frozen" if count == len(node.leaves) else "part" if count else "trains"


def toggled(node: Node, frozen: frozenset[str]) -> frozenset[str]:
    """All of it frozen, or if it was, all of it training."""
    inside = {leaf.name for leaf in node.leaves}
    return frozen - inside if inside <= frozen else frozen | inside


def all_but_heads(tree: ModuleTree) -> frozenset[str]:
    return frozenset(leaf.name for leaf in tree.leaves if not tree.in_head(leaf.name))


@dataclass(frozen=True)
class Share:
    """How many of the parameters train from the first epoch on."""

    trains: int
    total: int

    @property
    def words(self) -> str:
        if not self.trains:
            return f"nothing is left to train: all {self.total:,} parameters are frozen"
        percent = 100 * self.trains / self.total
        return f"trains {short(self.trains)} of {short(self.total)} parameters, {percent:.3g} %"


def share(tree: ModuleTree, frozen: Collection[str], *, freeze_norm: bool) -> Share:
    parameters = [leaf for leaf in tree.leaves if leaf.is_parameter]
    trains = (
        leaf.parameters
        for leaf in parameters
        if leaf.name not in frozen or (leaf.norm and not freeze_norm)
    )
    return Share(sum(trains), sum(leaf.parameters for leaf in parameters))


def short(count: int) -> str:
    """11,689,512 as 11.7 M."""
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= size:
            number = count / size
            return f"{number:.3g} {letter}" if number < 999.5 else f"{number:.0f} {letter}"
    return str(count)


def begins(
    tree: ModuleTree, patterns: Sequence[str], stages: Sequence[tuple[int, Sequence[str]]]
) -> dict[str, int]:
    """The leaves that [[model.unfreeze]] lets train later, each with its epoch. `stages`: the
    epoch and the layers of each."""
    before, later = tree.frozen_by(patterns), {}
    written = list(patterns)
    for epoch, layers in stages:
        written += [f"!{layer}" for layer in layers]
        after = tree.frozen_by(written)
        later.update(dict.fromkeys(before - after, epoch))
        before = after
    return later

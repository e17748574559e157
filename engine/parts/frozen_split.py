"""A network in two: what depends only on the input and on what is frozen, and the rest.

    inputs ──prefix──▶ features ──tail──▶ outputs

torch.fx writes down the calls of one forward, in the mode that each module is in. A call is fixed
where everything it is given is, and where it does the same each time: no parameter that trains, no
running statistics that move, no random numbers. The features are the values at the border. Prefix
and tail call the model's own modules in the model's own order, so that the two together give the
same bits, and draw the same random numbers, as the model does.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Graph, GraphModule, Node
from torchvision.models.feature_extraction import NodePathTracer
from torchvision.ops import StochasticDepth

# Modules without parameters and buffers that draw random numbers while they train.
RANDOM = (nn.modules.dropout._DropoutNd, StochasticDepth, nn.RReLU, nn.FractionalMaxPool2d)
# What gives numbers, not tensors, of tensors.
SIZES = {"size", "dim", "shape", "ndim"}
OF_NUMBERS: set[Any] = {
    operator.getitem, operator.floordiv, operator.mul, operator.add, operator.sub, operator.eq,
    getattr, torch._assert,
}  # fmt: skip


class UnsplitError(Exception):
    """Why there is nothing to be computed once; for a person."""


@dataclass(frozen=True, eq=False)
class FrozenSplit:
    """`prefix` takes the inputs (batch, 3, H, W) and gives a tuple: first the `features`, each
    (batch, …), then tensors of which the tail wants to know only the shape. `tail` takes these
    and gives what the model gives.

    Both hold the model's own modules and are good for the mode that the model was in.
    """

    prefix: GraphModule
    tail: GraphModule
    features: int
    last: Sequence[str]
    """The modules that the features come from, by their dotted names."""


def split_frozen(model: nn.Module) -> FrozenSplit:
    """Split where the part that trains begins, with the modules in the mode they are in now.

    Raises UnsplitError where it can't be told, or where no weights are in what is fixed.
    """
    before = set(vars(model))
    try:
        tracer = NodePathTracer()
        graph = tracer.trace(model)
        return _split(model, graph, tracer.node_to_qualname, set(vars(model)) - before)
    except UnsplitError:
        raise
    except Exception as error:  # whatever a model does that can't be written down
        raise UnsplitError(f"torch.fx can't trace the model: {error}") from error
    finally:
        for name in set(vars(model)) - before:  # constants, which the two halves have taken over
            delattr(model, name)


def _split(
    model: nn.Module, graph: Graph, names: Mapping[Node, str], constants: set[str]
) -> FrozenSplit:
    fixed = _fixed(graph, model, constants)
    border = _border(graph, fixed)
    prefix = _prefix(graph, border)
    tail = _tail(graph, fixed, border)
    last = [names.get(node, node.name) for node in border.tensors]
    split = FrozenSplit(
        GraphModule(model, prefix, "Prefix"),
        GraphModule(model, tail, "Tail"),
        len(border.tensors),
        last,
    )
    if not border.tensors or not any(prefix_tensors(split)):
        # Flattened or turned around, say: to take that from where it is kept costs as much.
        raise UnsplitError("what comes first trains, or has no weights")
    return split


@dataclass(frozen=True)
class _Border:
    """`tensors`: fixed, and used by what is not. `shapes`: fixed, and only asked for their shape.
    `again`: fixed and cheap, computed in the tail once more: numbers, and what no input is in."""

    tensors: list[Node]
    shapes: list[Node]
    again: set[Node]


def _fixed(graph: Graph, model: nn.Module, constants: set[str]) -> set[Node]:
    """`constants`: what the tracer put onto the model, of tensors that no input is in."""
    fixed: set[Node] = set()
    for node in graph.nodes:
        if node.op == "output" or not fixed.issuperset(node.all_input_nodes):
            continue
        if (node.op == "get_attr" and node.target in constants) or _is_still(node, model):
            fixed.add(node)
    return fixed


def _is_still(node: Node, model: nn.Module) -> bool:
    """Whether the call does the same each time, given the same."""
    match node.op:
        case "placeholder":
            return True
        case "get_attr":
            return _is_constant(model, str(node.target))
        case "call_module":
            return all(map(_is_still_module, model.get_submodule(str(node.target)).modules()))
        case "call_function":
            return not _trains(node.target, node.args, node.kwargs)  # type: ignore[arg-type]
    return True


def _is_constant(model: nn.Module, name: str) -> bool:
    """A parameter that is frozen, or a buffer of a module that is not in training mode."""
    owner, _, last = name.rpartition(".")
    value = getattr(model.get_submodule(owner), last)
    if isinstance(value, nn.Parameter):
        return not value.requires_grad
    return not model.get_submodule(owner).training


def _is_still_module(module: nn.Module) -> bool:
    if any(parameter.requires_grad for parameter in module.parameters(recurse=False)):
        return False
    if not module.training:
        return True
    stateless = not module._parameters and not module._buffers
    known = type(module).__module__.startswith(("torch.nn.", "torchvision."))
    return stateless and known and not isinstance(module, RANDOM)


def _trains(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    """Dropout and its like are told by an argument whether they act."""
    try:
        given = inspect.signature(function).bind(*args, **kwargs)
    except (ValueError, TypeError):  # of torch's own in C, none of which draws
        return False
    given.apply_defaults()
    return bool(given.arguments.get("training", False))


def _border(graph: Graph, fixed: set[Node]) -> _Border:
    needs_input: set[Node] = set()
    for node in graph.nodes:
        if node.op == "placeholder" or needs_input.intersection(node.all_input_nodes):
            needs_input.add(node)
    wanted = [
        node for node in graph.nodes if node in fixed and any(u not in fixed for u in node.users)
    ]
    tensors: list[Node] = []
    shapes: list[Node] = []
    again: set[Node] = set()

    def take(node: Node, *, whole: bool) -> None:
        if node in needs_input and not _is_number(node):
            places = tensors if whole else shapes
            if node not in places:
                places.append(node)
        elif node not in again:
            again.add(node)
            for before in node.all_input_nodes:
                take(before, whole=not _asks_shape(node))

    for node in wanted:
        take(node, whole=True)
    return _Border(tensors, [node for node in shapes if node not in tensors], again)


def _asks_shape(node: Node) -> bool:
    if node.op == "call_method":
        return node.target in SIZES
    return node.op == "call_function" and node.target is getattr and node.args[1] in SIZES


def _is_number(node: Node) -> bool:
    """Or several, or a check of them."""
    if _asks_shape(node):
        return True
    if node.op != "call_function" or node.target not in OF_NUMBERS:
        return False
    return bool(node.all_input_nodes) and all(map(_is_number, node.all_input_nodes))


def _prefix(graph: Graph, border: _Border) -> Graph:
    outputs = [*border.tensors, *border.shapes]
    needed = _with_inputs(outputs)
    made, copies = Graph(), dict[Node, Node]()
    for node in graph.nodes:
        if node in needed or node.op == "placeholder":
            copies[node] = made.node_copy(node, copies.__getitem__)
    made.output(tuple(copies[node] for node in outputs))
    return made


def _with_inputs(nodes: Sequence[Node]) -> set[Node]:
    needed: set[Node] = set()
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if node not in needed:
            needed.add(node)
            waiting += node.all_input_nodes
    return needed


def _tail(graph: Graph, fixed: set[Node], border: _Border) -> Graph:
    made, copies = Graph(), dict[Node, Node]()
    for number, node in enumerate([*border.tensors, *border.shapes]):
        copies[node] = made.placeholder(f"feature_{number}")
    for node in graph.nodes:
        if node in copies:
            continue
        if node not in fixed or node in border.again:
            copies[node] = made.node_copy(node, copies.__getitem__)
    return made


def shape_only(shape: Sequence[int]) -> Tensor:
    """A tensor of that shape without memory, for a tail that asks only for the shape."""
    return torch.empty(tuple(shape), device="meta")


def prefix_tensors(split: FrozenSplit) -> Iterator[tuple[str, Tensor]]:
    """Every parameter and buffer that the prefix computes with, by a name of its own."""
    yield from split.prefix.named_parameters()
    yield from split.prefix.named_buffers()

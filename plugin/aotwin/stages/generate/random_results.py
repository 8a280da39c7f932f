"""Which results of a program depend on random numbers. Part of the stage `generate`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import Graph, Node


def random_results(program: ExportedProgram) -> frozenset[str]:
    """Names of nodes that no two calls need to give alike, results among them.

    A buffer that random numbers are written to makes whatever reads it random, in the next call.
    """
    signature = program.graph_signature
    placeholders = {name: node for node, name in signature.inputs_to_buffers.items()}
    known: set[str] = set()
    while True:
        found = _tainted(program.graph, known)
        for result, buffer in signature.buffers_to_mutate.items():
            if result in found and buffer in placeholders:
                found.add(placeholders[buffer])
        if found == known:
            return frozenset(found)
        known = found


def writes_in_place(graph: Graph) -> bool:
    """Whether a graph has an operator that writes its argument, or runs another graph."""
    import torch

    return any(
        _is_mutable(node)
        or (node.op == "call_function" and isinstance(node.target, torch._ops.HigherOrderOperator))
        for node in graph.nodes
    )


def _tainted(graph: Graph, known: set[str]) -> set[str]:
    """Names of nodes that depend on random numbers or on what is known to, and `known`."""
    found = set(known)
    for node in graph.nodes:
        if _is_random(node) or any(each.name in found for each in node.all_input_nodes):
            found.add(node.name)
            if _is_mutable(node):
                found.update(each.name for each in _written(node))
    return found


def _is_random(node: Node) -> bool:
    """Whether a node draws random numbers, itself or in a graph that it runs."""
    import torch

    if node.op == "get_attr":
        inner = getattr(node.graph.owning_module, str(node.target), None)
        graph = inner.graph if isinstance(inner, torch.fx.GraphModule) else None
        return graph is not None and any(_is_random(each) for each in graph.nodes)
    tags = getattr(node.target, "tags", ())
    if node.op != "call_function" or torch.Tag.nondeterministic_seeded not in tags:
        return False
    return not _is_switched_off(node)


def _is_switched_off(node: Node) -> bool:
    """Dropout as it is in evaluation: the operator is there, and does nothing."""
    for argument, value in _arguments(node):
        if argument.name in ("train", "training") and value in (False, None):
            return True
        if argument.name == "dropout_p" and value == 0:
            return True
    return False


def _is_mutable(node: Node) -> bool:
    schema = getattr(node.target, "_schema", None)
    return node.op == "call_function" and schema is not None and bool(schema.is_mutable)


def _written(node: Node) -> Iterator[Node]:
    """What a node writes, and what that is a view of."""
    for argument, value in _arguments(node):
        if argument.alias_info is None or not argument.alias_info.is_write:
            continue
        written = value
        while hasattr(written, "op"):
            yield written
            written = written.args[0] if written.args and _gives_alias(written) else None


def _gives_alias(node: Node) -> bool:
    schema = getattr(node.target, "_schema", None)
    return schema is not None and any(each.alias_info is not None for each in schema.returns)


def _arguments(node: Node) -> Iterator[tuple[Any, Any]]:
    """The schema's arguments of a node with their values."""
    schema: Any = getattr(node.target, "_schema", None)
    for position, argument in enumerate(schema.arguments if schema is not None else ()):
        given = node.args[position] if position < len(node.args) else argument.default_value
        yield argument, node.kwargs.get(argument.name, given)

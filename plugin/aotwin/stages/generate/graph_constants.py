"""Constants of a program's graph: what they are, new ones, what can be computed from them alone.

Part of the stage `generate`: torch is imported in functions only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor
    from torch.fx import GraphModule, Node
    from torch.nn import Module


def is_constant(node: Any) -> bool:
    """Whether a node reads a parameter or buffer."""
    from torch.fx import Node

    return isinstance(node, Node) and node.op == "get_attr"


def _place(module: GraphModule, target: str) -> tuple[Module, str]:
    """The module that has what a node reads, and the attribute that it is."""
    owner, _, name = target.rpartition(".")
    return module.get_submodule(owner), name


def is_written(constant: Node) -> bool:
    """Whether the program writes a constant, or may."""
    schemas: list[Any] = [getattr(user.target, "_schema", None) for user in constant.users]
    return any(schema is None or schema.is_mutable for schema in schemas)


def read_by(constant: Node) -> set[Node]:
    """What reads a constant, by whatever node."""
    return {
        user
        for node in constant.graph.nodes
        if node.op == "get_attr" and node.target == constant.target
        for user in node.users
    }


def value_of(module: GraphModule, constant: Node) -> Tensor:
    """What a constant is before the program runs."""
    place, name = _place(module, str(constant.target))
    value: Tensor = getattr(place, name).detach()
    return value


def replace_value(module: GraphModule, constant: Node, value: Tensor) -> None:
    """Give a constant another value, or other strides, under its name."""
    from torch.nn import Parameter

    place, name = _place(module, str(constant.target))
    delattr(place, name)
    setattr(place, name, Parameter(value, requires_grad=False))


def new_constant(
    module: GraphModule, beside: Node, ending: str, value: Tensor, before: Node
) -> Node:
    """A constant named like another one, and the node that reads it."""
    from torch.nn import Parameter

    place, name = _place(module, str(beside.target))
    while hasattr(place, name + ending):
        ending += "_"
    setattr(place, name + ending, Parameter(value, requires_grad=False))
    with module.graph.inserting_before(before):
        node = module.graph.get_attr(f"{beside.target}{ending}")
    node.meta["val"] = value.to("meta")
    return node


def evaluate(module: GraphModule, node: Node, made: dict[Node, Any]) -> bool:
    """Compute what a node stands for, if it depends on constants alone, and what it needs."""
    import operator

    import torch

    if node in made:
        return True
    if is_constant(node):
        if is_written(node):
            return False
        made[node] = value_of(module, node)
        return True
    schema = getattr(node.target, "_schema", None)
    tags = getattr(node.target, "tags", ())
    pure = (
        schema is not None
        and not schema.is_mutable
        and torch.Tag.nondeterministic_seeded not in tags
    )
    if node.op != "call_function" or not (pure or node.target is operator.getitem):
        return False
    inputs = node.all_input_nodes
    if not inputs or not all(evaluate(module, one, made) for one in inputs):
        return False
    args, kwargs = torch.fx.node.map_arg((node.args, node.kwargs), made.__getitem__)
    with torch.no_grad():
        target: Any = node.target
        made[node] = target(*args, **kwargs)
    return True


def drop_unread(module: GraphModule, readers: list[Node]) -> None:
    """Constants that were replaced would be written into the blob."""
    for node in readers:
        module.graph.erase_node(node)
    read = {node.target for node in module.graph.nodes if node.op == "get_attr"}
    for target in sorted({str(node.target) for node in readers} - read):
        delattr(*_place(module, target))

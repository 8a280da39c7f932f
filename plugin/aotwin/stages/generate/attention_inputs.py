"""Queries, keys and values are read where they lie, where a program would copy them first.

Part of the stage `generate`: torch is imported in functions only. Many models make the heads that
they have transposed contiguous before attention. Neither run time needs that, and as results lie
as queries do, the copy that turns them back is not needed either.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node


def attend_in_place(module: GraphModule) -> None:
    """Rewrite a program in place; what it computes stays the same.

    Args:
        module: of an exported program, its parameters and buffers as attributes.
    """
    import torch

    for node in list(module.graph.nodes):
        if node.target != torch.ops.aten.scaled_dot_product_attention.default:
            continue
        for index, given in enumerate(node.args[:3]):
            if _is_needless(given) and (index > 0 or _is_turned_back(node)):
                node.update_arg(index, given.args[0])
                if not given.users:
                    module.graph.erase_node(given)
    module.recompile()


def _is_needless(given: Any) -> bool:
    """Whether it is a copy of what nobody writes, and whose rows are contiguous."""
    import torch

    aten = torch.ops.aten
    if getattr(given, "target", None) not in (aten.contiguous.default, aten.clone.default):
        return False
    value = given.args[0].meta.get("val")
    if value is None or value.stride(-1) != 1:
        return False
    return all(
        node.op == "call_function" and not any(map(_may_write, (node, *node.users)))
        for node in _viewed(given.args[0])
    )


def _may_write(node: Node) -> bool:
    schema: Any = getattr(node.target, "_schema", None)
    return node.op == "call_function" and (schema is None or schema.is_mutable)


def _viewed(node: Node) -> Iterator[Node]:
    """A node, and those whose memory it may share, up to the one that made it."""
    yield node
    schema: Any = getattr(node.target, "_schema", None)
    shares = schema is None or any(one.alias_info is not None for one in schema.returns)
    if node.op == "call_function" and shares and node.all_input_nodes:
        yield from _viewed(node.all_input_nodes[0])


def _is_turned_back(node: Node) -> bool:
    """Whether results are read as [batch, queries, heads, size] only, as queries were made."""
    import torch

    aten = torch.ops.aten
    turned = (aten.transpose.int, aten.permute.default)
    dimensions = ((1, 2), ([0, 2, 1, 3],))
    return bool(node.users) and all(
        (user.target in turned and user.args[1:] in dimensions)
        or (user.target == aten.reshape.default and _is_same_shape(user) and _is_turned_back(user))
        for user in node.users
    )


def _is_same_shape(node: Node) -> bool:
    before: Any = node.args[0]
    one, other = (each.meta.get("val") for each in (node, before))
    return one is not None and other is not None and one.shape == other.shape

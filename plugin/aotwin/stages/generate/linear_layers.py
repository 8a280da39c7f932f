"""Weights of linear layers that are [in, out] are written as [out, in].

Part of the stage `generate`: torch is imported in functions only. GPT-2's layers, and products with
a parameter that a module spells out, have such weights. A layer then reads rows that follow each
other, and is a linear layer as all others are. The weight has a name of its own, as its shape is
another one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from aotwin.stages.generate.graph_constants import (
    drop_unread,
    is_constant,
    is_written,
    new_constant,
    read_by,
    value_of,
)

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node

#: appended to the name of a weight whose two dimensions have changed places
_TRANSPOSED = "_transposed"


def arrange_linear_layers(module: GraphModule, dtypes: Collection[str]) -> None:
    """Rewrite a program in place; what it computes stays the same.

    Args:
        module: of an exported program, its parameters and buffers as attributes.
        dtypes: names of those whose weights are arranged: "float32", "bfloat16", "float16".
    """
    import torch

    named = (*module.named_parameters(remove_duplicate=False), *module.named_buffers())
    names = Counter(tensor.untyped_storage().data_ptr() for _, tensor in named)
    replaced: list[Node] = []
    for node in [*module.graph.nodes]:
        weight = _weight(node)
        if weight is None or is_written(weight) or read_by(weight) != {node}:
            continue
        value = value_of(module, weight)
        # the module may have turned it itself
        dense = value.is_contiguous() or value.t().is_contiguous()
        plain = value.device.type == "cpu" and dense
        # what has another name is in the blob once
        alone = names[value.untyped_storage().data_ptr()] <= 1
        if plain and alone and str(value.dtype).removeprefix("torch.") in dtypes:
            new = new_constant(module, weight, _TRANSPOSED, value.t().contiguous(), node)
            with module.graph.inserting_before(node):
                turned = module.graph.call_function(torch.ops.aten.permute.default, (new, [1, 0]))
            turned.meta["val"] = new.meta["val"].t()
            node.replace_input_with(weight, turned)
            replaced.append(weight)
    drop_unread(module, replaced)
    module.recompile()


def _weight(node: Node) -> Node | None:
    """The constant [in, out] by which a product multiplies, if it is one."""
    import torch

    aten = torch.ops.aten
    target: Any = node.target
    place = {aten.addmm.default: 2, aten.mm.default: 1, aten.matmul.default: 1}.get(target)
    if place is None or len(node.args) <= place:
        return None
    weight: Any = node.args[place]
    if not is_constant(weight) or weight in node.args[:place] or "val" not in weight.meta:
        return None
    shape = weight.meta["val"].shape
    return weight if len(shape) == 2 and min(shape) > 1 else None

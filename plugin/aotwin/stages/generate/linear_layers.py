"""Weights of linear layers that lie as [in, out] are written as [out, in].

Part of the stage `generate`: torch is imported in functions only. GPT-2's layers, and products with
a parameter that a module spells out, have such weights. A layer then reads rows that follow each
other, and torch's operator for a layer with its activation takes them as they are. Names and shapes
stay; the strides are those of a transposed matrix.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from aotwin.stages.generate.graph_constants import (
    is_constant,
    is_written,
    read_by,
    replace_value,
    value_of,
)

if TYPE_CHECKING:
    from torch.fx import GraphModule, Node


def arrange_linear_layers(module: GraphModule, dtypes: Collection[str]) -> None:
    """Rewrite a program's constants in place; what it computes stays the same.

    Args:
        module: of an exported program, its parameters and buffers as attributes.
        dtypes: names of those whose weights are arranged: "float32", "bfloat16", "float16".
    """
    named = (*module.named_parameters(remove_duplicate=False), *module.named_buffers())
    names = Counter(tensor.untyped_storage().data_ptr() for _, tensor in named)
    for node in module.graph.nodes:
        weight = _weight(node)
        if weight is None or is_written(weight) or read_by(weight) != {node}:
            continue
        value = value_of(module, weight)
        plain = value.device.type == "cpu" and value.is_contiguous()
        # what has another name is in the blob once
        alone = names[value.untyped_storage().data_ptr()] <= 1
        if plain and alone and str(value.dtype).removeprefix("torch.") in dtypes:
            replace_value(module, weight, value.t().contiguous().t())


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

"""Activations that follow linear layers become part of them.

Part of the stage `generate`: torch is imported in functions only. Inductor writes `gelu(linear(x))`
as a product and a loop over its results. The run time can do the activation while a tile of results
is in the cache, through an operator that torch has for the same purpose, mkldnn::_linear_pointwise
(torch/_inductor/fx_passes/mkldnn_fusion.py uses it for packed weights; plain ones are as good).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from typing import Any

#: the product's results, in patterns
_X = "x"
_HALF = ("mul", _X, 0.5)
#: what Inductor's decompositions, or modules that spell them out, leave of an activation:
#: (attribute and algorithm of the operator, pattern)
_PATTERNS: tuple[tuple[tuple[str, str], Any], ...] = (
    (("gelu", "none"), ("mul", _HALF, ("add", ("erf", ("mul", _X, math.sqrt(0.5))), 1))),
    *(
        (
            ("gelu", "tanh"),
            (
                "mul",
                _HALF,
                (
                    "add",
                    (
                        "tanh",
                        (
                            "mul",
                            ("add", _X, ("mul", cube, 0.044715)),
                            math.sqrt(2 / math.pi),
                        ),
                    ),
                    1,
                ),
            ),
        )
        for cube in (("mul", ("mul", _X, _X), _X), ("pow", _X, 3))
    ),
    (("swish", ""), ("div", _X, ("add", ("exp", ("neg", _X)), 1))),
    (("swish", ""), ("mul", _X, ("sigmoid", _X))),
    (("relu", ""), ("relu", _X)),
)
_COMMUTES = frozenset({"add", "mul"})
#: between the product and the last operation of the longest pattern
_FARTHEST = 8


def fused_activations(dtypes: Collection[str]) -> Any:
    """Return the pass over Inductor's graph that does it, for `post_grad_custom_post_pass`.

    Args:
        dtypes: names of those that layers may have: "float32", "bfloat16", "float16".
    """
    from torch._inductor.custom_graph_pass import CustomGraphPass, get_hash_for_files

    class FusedActivations(CustomGraphPass):  # type: ignore[misc, unused-ignore]
        def __call__(self, graph: Any) -> None:
            fuse_activations(graph, dtypes)

        def uuid(self) -> Any:
            return get_hash_for_files((__file__,), " ".join(dtypes))

    return FusedActivations()


def fuse_activations(graph: Any, dtypes: Collection[str]) -> None:
    """Replace each linear layer whose results go to an activation only.

    Args:
        graph: a torch.fx.Graph of ATen operators, as Inductor's last passes see it.
        dtypes: names of those that layers may have.
    """
    import torch

    if not torch._C._has_mkldnn:
        return
    aten = torch.ops.aten
    for node in [*graph.nodes]:
        if node.target not in (aten.addmm.default, aten.mm.default):
            continue
        layer = _linear_layer(node, dtypes)
        if layer is not None:
            _fuse(graph, node, layer)


def _linear_layer(node: Any, dtypes: Collection[str]) -> tuple[Any, Any, Any] | None:
    """Input, weight and bias of a product that is a linear layer over plain weights.

    The weight is [out, in]; or what the product itself multiplies by, where that lies in this way.
    """
    import torch

    aten = torch.ops.aten
    if node.kwargs:
        return None
    bias, rows, weight = (None, *node.args) if len(node.args) == 2 else node.args
    turned = weight.target is aten.permute.default and [*weight.args[1]] == [1, 0]
    constant = weight.args[0] if turned else weight
    value = constant.meta.get("val")
    if constant.op not in ("placeholder", "get_attr") or value is None or value.dim() != 2:
        return None
    dtype = str(value.dtype).removeprefix("torch.")
    by_rows = (value if turned else value.t()).is_contiguous()
    if value.device.type != "cpu" or dtype not in dtypes or not by_rows:
        return None
    if 0 in value.shape or (bias is not None and bias.meta["val"].dim() != 1):
        return None
    return rows, constant, bias


def _fuse(graph: Any, product: Any, layer: tuple[Any, Any, Any]) -> None:
    import torch

    aten, prims = torch.ops.aten, torch.ops.prims
    shaped = _only_user(product, aten.reshape.default, aten.view.default) or product
    widened = _only_user(shaped, prims.convert_element_type.default) or shaped
    if widened is not shaped and widened.args[1] != torch.float32:
        return
    for (attribute, algorithm), pattern in _PATTERNS:
        last = _matched(pattern, widened)
        if last is None:
            continue
        if widened is not shaped:
            last = _only_user(last, prims.convert_element_type.default)
            if last is None or last.args[1] != product.meta["val"].dtype:
                return
        with graph.inserting_before(last):
            rows, weight, bias = layer
            if weight is product.args[-1]:
                weight = _turned(graph, weight)
            new = graph.call_function(
                torch.ops.mkldnn._linear_pointwise.default,
                (rows, weight, bias, attribute, [], algorithm),
            )
            new.meta.update(product.meta)
            if shaped is not product:
                new = graph.call_function(shaped.target, (new, *shaped.args[1:]))
                new.meta.update(last.meta)
        last.replace_all_uses_with(new)
        graph.eliminate_dead_code()
        return


def _turned(graph: Any, weight: Any) -> Any:
    """[in, out] as [out, in]."""
    import torch

    node = graph.call_function(torch.ops.aten.permute.default, (weight, [1, 0]))
    node.meta["val"] = weight.meta["val"].t()
    return node


def _only_user(node: Any, *targets: Any) -> Any:
    """The node's user, where it has one only and that is a call of one of `targets`."""
    users = [*node.users]
    return users[0] if len(users) == 1 and users[0].target in targets else None


def _matched(pattern: Any, x: Any) -> Any:
    """The operation that ends `pattern` over `x`, where x and what is between have no other use."""
    for candidate in _behind(x):
        inner: set[Any] = set()
        if _fits(pattern, candidate, x, inner):
            inner.discard(candidate)
            if all(user in inner or user is candidate for one in (x, *inner) for user in one.users):
                return candidate
    return None


def _behind(x: Any) -> Iterator[Any]:
    """What depends on `x`, within the reach of a pattern."""
    seen, edge = {x}, [x]
    for _ in range(_FARTHEST):
        edge = [user for node in edge for user in node.users if user not in seen]
        edge = [*dict.fromkeys(edge)]
        seen.update(edge)
        yield from edge


def _operation(node: Any) -> str:
    """The name that patterns have for a node; empty for others."""
    import torch

    aten = torch.ops.aten
    names = {
        aten.mul.Tensor: "mul",
        aten.add.Tensor: "add",
        aten.div.Tensor: "div",
        aten.pow.Tensor_Scalar: "pow",
        aten.erf.default: "erf",
        aten.exp.default: "exp",
        aten.neg.default: "neg",
        aten.relu.default: "relu",
        aten.sigmoid.default: "sigmoid",
        aten.tanh.default: "tanh",
    }
    return "" if node.kwargs else names.get(node.target, "")


def _fits(pattern: Any, value: Any, x: Any, inner: set[Any]) -> bool:
    """Compare an operand with a pattern; adds the operations that fit to `inner`."""
    if pattern == _X:
        return value is x
    if not isinstance(pattern, tuple):
        return isinstance(value, (int, float)) and math.isclose(value, pattern, rel_tol=1e-6)
    if not hasattr(value, "users") or _operation(value) != pattern[0]:
        return False
    orders = [value.args]
    if pattern[0] in _COMMUTES:
        orders.append(value.args[::-1])
    for operands in orders:
        tried = set(inner)
        if len(operands) == len(pattern) - 1 and all(
            _fits(part, operand, x, tried)
            for part, operand in zip(pattern[1:], operands, strict=True)
        ):
            inner |= {*tried, value}
            return True
    return False

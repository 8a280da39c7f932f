"""Activations behind linear layers, as Inductor's decompositions leave them.

Part of the stage `generate`: torch is imported in functions only. Inductor writes `gelu(linear(x))`
as a product and a loop over its results. The run time can do the activation while a tile of results
is in the cache, through the operator by which `layer_operators` calls layers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Activation:
    """What alone reads a product's results."""

    attribute: str
    algorithm: str
    #: reshapes the product before the activation; the product itself where nothing does
    shaped: Any
    #: gives the activation's results
    last: Any


def activation_behind(product: Any) -> Activation | None:
    """The activation to which a product's results go, if they go nowhere else."""
    import torch

    aten, prims = torch.ops.aten, torch.ops.prims
    shaped = _only_user(product, aten.reshape.default, aten.view.default) or product
    widened = _only_user(shaped, prims.convert_element_type.default) or shaped
    if widened is not shaped and widened.args[1] != torch.float32:
        return None
    for (attribute, algorithm), pattern in _PATTERNS:
        last = _matched(pattern, widened)
        if last is None:
            continue
        if widened is not shaped:
            last = _only_user(last, prims.convert_element_type.default)
            if last is None or last.args[1] != product.meta["val"].dtype:
                return None
        return Activation(attribute, algorithm, shaped, last)
    return None


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

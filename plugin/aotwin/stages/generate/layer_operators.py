"""Linear layers are called by the operator that the run time knows best.

Part of the stage `generate`: torch is imported in functions only. The operator is
mkldnn::_linear_pointwise, which torch has for weights that are packed
(torch/_inductor/fx_passes/mkldnn_fusion.py); plain ones are as good. It does the activation behind
a layer as well. And it reads a weight by nothing but its handle, so that our own run time may have
it in blocks (weights_layout.py): layers without an activation become it for that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aotwin.stages.generate.fused_activations import Activation, activation_behind
from aotwin.weights_layout import can_lie_in_blocks

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class _Layer:
    """A product that is a linear layer over a weight [out, in] that is a constant."""

    #: the node that multiplies
    product: Any
    #: the node that reads the weight
    weight: Any

    @property
    def operands(self) -> tuple[Any, Any, Any]:
        """Bias (or None), rows, and the weight as [in, out]; nodes, as they are now."""
        *bias, rows, turned = self.product.args
        return (*bias, rows, turned) if bias else (None, rows, turned)


def layer_operators(dtypes: Collection[str], in_blocks: list[Tensor]) -> Any:
    """Return the pass over Inductor's graph that does it, for `post_grad_custom_post_pass`.

    Args:
        dtypes: names of those that layers may have: "float32", "bfloat16", "float16".
        in_blocks: gets the weights that nothing but such operators reads, and that can lie in
            blocks.
    """
    from torch._inductor.custom_graph_pass import CustomGraphPass, get_hash_for_files

    class LayerOperators(CustomGraphPass):  # type: ignore[misc, unused-ignore]
        def __call__(self, graph: Any) -> None:
            in_blocks.extend(call_layers(graph, dtypes))

        def uuid(self) -> Any:
            return get_hash_for_files((__file__,), " ".join(dtypes))

    return LayerOperators()


def call_layers(graph: Any, dtypes: Collection[str]) -> list[Tensor]:
    """Replace linear layers: with an activation behind, or with weights that can lie in blocks.

    Args:
        graph: a torch.fx.Graph of ATen operators, as Inductor's last passes see it.
        dtypes: names of those that layers may have.

    Returns:
        The weights that can lie in blocks, as all that read them is the operator.
    """
    import torch

    if not torch._C._has_mkldnn:
        return []
    found = [_layer(node, dtypes) for node in graph.nodes]
    layers = [layer for layer in found if layer is not None]
    in_blocks = _weights_for_blocks(graph, layers)
    for layer in layers:
        activation = activation_behind(layer.product)
        if activation is None and layer.weight in in_blocks:
            activation = Activation("none", "", layer.product, layer.product)
        if activation is not None:
            _call(graph, layer, activation)
    graph.eliminate_dead_code()
    return [*in_blocks.values()]


def _layer(node: Any, dtypes: Collection[str]) -> _Layer | None:
    import torch

    aten = torch.ops.aten
    if node.target not in (aten.addmm.default, aten.mm.default) or node.kwargs:
        return None
    bias, _, turned = _Layer(node, None).operands
    if turned.target is not aten.permute.default or [*turned.args[1]] != [1, 0]:
        return None
    weight = turned.args[0]
    value = weight.meta.get("val")
    if weight.op not in ("placeholder", "get_attr") or value is None or value.dim() != 2:
        return None
    dtype = str(value.dtype).removeprefix("torch.")
    if value.device.type != "cpu" or dtype not in dtypes or not value.is_contiguous():
        return None
    if 0 in value.shape or (bias is not None and [*bias.meta["val"].shape] != [value.shape[0]]):
        return None
    return _Layer(node, weight)


def _weights_for_blocks(graph: Any, layers: Iterable[_Layer]) -> dict[Any, Tensor]:
    """Nodes that read a weight -> the weight, of those that nothing else reads."""
    import torch

    read = [node for node in graph.nodes if node.op == "get_attr" and node.users]
    values = {node: _attribute(graph, node.target) for node in read}
    readers: dict[int, list[Any]] = {}
    for node, value in values.items():
        if isinstance(value, torch.Tensor):
            readers.setdefault(value.untyped_storage().data_ptr(), []).append(node)
    # All layers, whatever their rows: models of one build share weights that lie the same way.
    turned = {layer.product: layer.operands[2] for layer in layers if _is_weight_only(layer)}
    found: dict[Any, Tensor] = {}
    for nodes in readers.values():
        value = values[nodes[0]]
        users = [user for node in nodes for user in node.users]
        if (
            len({node.target for node in nodes}) == 1
            and _is_plain(value)
            and all(turned.get(product) is user for user in users for product in user.users)
            and all(user.target is torch.ops.aten.permute.default for user in users)
        ):
            found |= dict.fromkeys(nodes, value)
    return found


def _is_weight_only(layer: _Layer) -> bool:
    """Whether a layer does not take its weight for its rows or bias as well."""
    bias, rows, turned = layer.operands
    return turned not in (bias, rows)


def _attribute(graph: Any, target: str) -> Any:
    value = graph.owning_module
    for name in target.split("."):
        value = getattr(value, name, None)
    return value


def _is_plain(value: Tensor) -> bool:
    """Whether a tensor is all of its storage, rows of float32 that can become blocks."""
    import torch

    return (
        value.dtype == torch.float32
        and value.is_contiguous()
        and can_lie_in_blocks(value.shape)
        and value.dim() == 2
        and value.numel() * value.element_size() == value.untyped_storage().nbytes()
    )


def _call(graph: Any, layer: _Layer, activation: Activation) -> None:
    """Put the operator in the place of a layer and of the activation behind it."""
    import torch

    bias, rows, _ = layer.operands
    shaped, last = activation.shaped, activation.last
    with graph.inserting_before(last):
        new = graph.call_function(
            torch.ops.mkldnn._linear_pointwise.default,
            (rows, layer.weight, bias, activation.attribute, [], activation.algorithm),
        )
        new.meta.update(layer.product.meta)
        if shaped is not layer.product:
            new = graph.call_function(shaped.target, (new, *shaped.args[1:]))
            new.meta.update(last.meta)
    last.replace_all_uses_with(new)

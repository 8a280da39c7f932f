"""Convolutions of a program, brought into the form in which the target computes them fastest.

Part of the stage `generate`: torch is imported in functions only. What is done here depends on the
program alone, never on the build host's CPU. A batch normalisation is multiplied into the weights
before it. Weights lie with their channels last, as generated code wants them, so that no call
copies them, or by terms (kernel, channels, results), by which our own run time multiplies without
laying them out anew; where there are several blocks of 32 results, one block after the other. And
the operator becomes the one to which Inductor's own fusions add what follows, an activation or the
sum with a residual; they ask for no packed weights.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from aotwin.stages.generate.graph_constants import (
    drop_unread,
    evaluate,
    is_constant,
    is_written,
    new_constant,
    read_by,
    replace_value,
    value_of,
)
from aotwin.weights_layout import BLOCK, can_lie_in_blocks, strides_in_blocks

if TYPE_CHECKING:
    from torch import Tensor
    from torch.fx import GraphModule, Node

#: appended to the name of what is no longer what was trained
_FOLDED = "_normalized"
#: appended to a name, for a weight that was computed from constants by that name and others
_COMPUTED = "_computed"
#: appended to the name of a weight whose one place dimension became two
_AS_IMAGE = "_2d"


@dataclass(frozen=True)
class _Convolution:
    """A convolution, not transposed, of one or two place dimensions, over constants."""

    node: Node
    input: Node
    weight: Node
    bias: Node | None
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int


@dataclass(frozen=True)
class _Normalization:
    """A batch normalisation by statistics that are constants; weight and bias may be missing."""

    node: Node
    constants: tuple[Node | None, Node | None, Node, Node]
    epsilon: float


def arrange_convolutions(module: GraphModule, dtypes: Collection[str] = ()) -> None:
    """Rewrite a program in place; what it computes stays the same but for rounding.

    Args:
        module: of an exported program, its parameters and buffers as attributes.
        dtypes: names of those whose convolutions our own run time alone will compute: "float32",
            whose weights are laid out by terms where they are one group, "bfloat16", "float16".
    """
    readers = [node for node in module.graph.nodes if node.op == "get_attr" and node.users]
    for node in list(module.graph.nodes):
        _compute_weight(module, node)
        convolution = _convolution(node)
        if convolution is None:
            continue
        normalization = _following_normalization(convolution)
        if normalization is not None:
            convolution = _folded(module, convolution, normalization)
        _arrange(module, convolution, dtypes)
    drop_unread(module, [node for node in readers if not node.users])
    module.recompile()


def _compute_weight(module: GraphModule, node: Node) -> None:
    """Compute at the build what is made of constants, as weight norm's weights are."""
    import torch

    aten = torch.ops.aten
    kinds = (aten.conv1d, aten.conv2d, aten.convolution)
    weight = node.args[1] if len(node.args) > 1 else None
    if getattr(node.target, "overloadpacket", None) not in kinds or is_constant(weight):
        return
    made: dict[Node, Any] = {}
    if not isinstance(weight, torch.fx.Node) or not evaluate(module, weight, made):
        return
    first = next(one for one in made if is_constant(one))
    constant = new_constant(module, first, _COMPUTED, made[weight].detach().clone(), node)
    node.replace_input_with(weight, constant)
    for each in reversed(made):
        if not each.users and not is_constant(each):
            module.graph.erase_node(each)


def _convolution(node: Node) -> _Convolution | None:
    import torch

    aten = torch.ops.aten
    args: Any = node.args
    named = (aten.conv1d.default, aten.conv2d.default, aten.conv2d.padding)
    if node.target in named and len(args) >= 2:
        given: Any = (*args, *(None, 1, 0, 1, 1)[len(args) - 2 :])
        _, weight, bias, stride, padding, dilation, groups = given
    elif node.target == aten.convolution.default and len(args) == 9:
        _, weight, bias, stride, padding, dilation, transposed, _, groups = args
        if transposed:
            return None
    else:
        return None
    constants = [weight] if bias is None else [weight, bias]
    told = all("val" in each.meta for each in (args[0], weight))
    if node.kwargs or not told or not all(map(is_constant, constants)):
        return None
    kernel = weight.meta["val"].shape[2:]
    places = len(kernel)
    # without a batch dimension: left to Inductor
    if places not in (1, 2) or args[0].meta["val"].dim() != places + 2:
        return None
    dilation = _spread(dilation, places)
    if isinstance(padding, str):
        beyond = [by * (size - 1) for by, size in zip(dilation, kernel, strict=True)]
        if padding == "same" and any(more % 2 for more in beyond):
            return None
        padding = [more // 2 if padding == "same" else 0 for more in beyond]
    return _Convolution(
        node,
        args[0],
        weight,
        bias,
        _spread(stride, places),
        _spread(padding, places),
        dilation,
        groups,
    )


def _spread(numbers: Any, places: int) -> tuple[int, ...]:
    """One number for each place dimension, of a list or of one for all."""
    listed = tuple(numbers) if isinstance(numbers, (list, tuple)) else (numbers,)
    return listed if len(listed) == places else listed * places


def _following_normalization(convolution: _Convolution) -> _Normalization | None:
    """The one reader of a convolution, if it can be multiplied into its weights."""
    import torch

    aten = torch.ops.aten
    if len(convolution.node.users) != 1 or read_by(convolution.weight) != {convolution.node}:
        return None
    node = next(iter(convolution.node.users))
    args: Any = node.args
    if node.kwargs or not args or args[0] is not convolution.node:
        return None
    if node.target == aten.batch_norm.default:
        _, weight, bias, mean, variance, training, _, epsilon, _ = args
    elif node.target == aten._native_batch_norm_legit_no_training.default:
        _, weight, bias, mean, variance, _, epsilon = args
        training = any(user.args[1:] != (0,) for user in node.users)
    else:
        return None
    given = [constant for constant in (weight, bias, mean, variance) if constant is not None]
    dtype = convolution.weight.meta["val"].dtype
    if training or mean is None or variance is None or not all(map(is_constant, given)):
        return None
    if any(is_written(constant) or constant.meta["val"].dtype != dtype for constant in given):
        return None
    return _Normalization(node, (weight, bias, mean, variance), epsilon)


def _folded(
    module: GraphModule, convolution: _Convolution, normalization: _Normalization
) -> _Convolution:
    """The convolution with a normalisation in its weights, in whose place it stands."""
    import torch

    weight = value_of(module, convolution.weight)
    channels = weight.shape[0]
    scale, shift, mean, variance = (
        torch.full((channels,), missing, dtype=torch.float64)
        if constant is None
        else value_of(module, constant).double()
        for constant, missing in zip(normalization.constants, (1.0, 0.0, 0.0, 1.0), strict=True)
    )
    scale = scale / torch.sqrt(variance + normalization.epsilon)
    bias = 0 if convolution.bias is None else value_of(module, convolution.bias).double()
    by_channel = scale.reshape(-1, *[1] * (weight.dim() - 1))
    node = convolution.node
    folded = replace(
        convolution,
        weight=new_constant(
            module, convolution.weight, _FOLDED, (weight.double() * by_channel).to(weight), node
        ),
        bias=new_constant(
            module,
            convolution.bias or normalization.constants[1] or normalization.constants[2],
            _FOLDED,
            (shift + (bias - mean) * scale).to(weight),
            node,
        ),
    )
    node.args = (folded.input, folded.weight, folded.bias, *node.args[3:])
    after = normalization.node
    if "batch_norm_legit" in str(after.target):
        for taken in list(after.users):
            taken.replace_all_uses_with(node)
            module.graph.erase_node(taken)
    else:
        after.replace_all_uses_with(node)
    module.graph.erase_node(after)
    return folded


def _arrange(module: GraphModule, convolution: _Convolution, dtypes: Collection[str]) -> None:
    """Lay the weight out, and call the operator that Inductor's fusions know."""
    import torch

    value = convolution.weight.meta["val"]
    # with one channel, strides do not tell whether channels are last: the operator would not know
    if value.shape[1] * convolution.groups == 1:
        return
    if read_by(convolution.weight) != {convolution.node}:
        return
    if not value.dtype.is_floating_point or is_written(convolution.weight):
        return
    image = convolution if len(convolution.stride) == 2 else _as_image(module, convolution)
    weight = value_of(module, image.weight)
    # the operator of torch's own DLL refuses the halves on CPUs without instructions for them, and
    # float64 everywhere
    dtype = str(value.dtype).removeprefix("torch.")
    fusible = dtype == "float32" or dtype in dtypes
    if dtype == "float32" and dtype in dtypes and image.groups == 1:
        laid_out = _by_terms(weight)
    else:
        laid_out = torch.empty_like(weight, memory_format=torch.channels_last).copy_(weight)
    replace_value(module, image.weight, laid_out)
    if fusible:
        _call_fusible(module, image)


def _by_terms(weight: Tensor) -> Tensor:
    """A weight in the order kernel, channels, results; several blocks of results one by one."""
    results = weight.shape[0]
    by_terms = weight.permute(2, 3, 1, 0)
    if not can_lie_in_blocks(weight.shape):
        return by_terms.contiguous().permute(3, 2, 0, 1)
    blocks = by_terms.reshape(-1, results // BLOCK, BLOCK).transpose(0, 1).contiguous()
    return blocks.view(-1).as_strided(weight.shape, strides_in_blocks(weight.shape))


def _as_image(module: GraphModule, convolution: _Convolution) -> _Convolution:
    """The same of one row: only two place dimensions can have their channels last."""
    import torch

    aten = torch.ops.aten
    node = convolution.node
    weight = value_of(module, convolution.weight).unsqueeze(2)
    new = new_constant(module, convolution.weight, _AS_IMAGE, weight, node)
    with module.graph.inserting_before(node):
        row = module.graph.call_function(aten.unsqueeze.default, (convolution.input, 2))
        args = (
            row,
            new,
            convolution.bias,
            [1, *convolution.stride],
            [0, *convolution.padding],
            [1, *convolution.dilation],
            convolution.groups,
        )
        image = module.graph.call_function(aten.conv2d.default, args)
    # Behind the activation, so that nothing stands between the two when they are fused.
    activation = _activation_of(node)
    made = activation or image
    node.replace_all_uses_with(image)
    with module.graph.inserting_after(made):
        squeezed = module.graph.call_function(aten.squeeze.dim, (made, 2))
    # A convolution that follows asks for its shape.
    squeezed.meta.update((activation or node).meta)
    made.meta.clear()
    made.replace_all_uses_with(squeezed, lambda user: user is not squeezed)
    module.graph.erase_node(node)
    return _Convolution(
        image,
        row,
        new,
        convolution.bias,
        (1, *convolution.stride),
        (0, *convolution.padding),
        (1, *convolution.dilation),
        convolution.groups,
    )


def _activation_of(node: Node) -> Node | None:
    """The activation, element by element, that alone reads a node."""
    import torch

    aten = torch.ops.aten
    kinds = (aten.gelu, aten.relu, aten.silu, aten.sigmoid, aten.tanh, aten.leaky_relu)
    if len(node.users) != 1:
        return None
    reader = next(iter(node.users))
    kind = getattr(reader.target, "overloadpacket", None)
    return reader if kind in kinds and reader.args[0] is node else None


def _call_fusible(module: GraphModule, convolution: _Convolution) -> None:
    import torch

    node = convolution.node
    with module.graph.inserting_before(node):
        fusible = module.graph.call_function(
            torch.ops.mkldnn._convolution_pointwise.default,
            (
                convolution.input,
                convolution.weight,
                convolution.bias,
                list(convolution.padding),
                list(convolution.stride),
                list(convolution.dilation),
                convolution.groups,
                "none",
                [],
                "",
            ),
        )
    fusible.meta.update(node.meta)
    node.replace_all_uses_with(fusible)
    module.graph.erase_node(node)

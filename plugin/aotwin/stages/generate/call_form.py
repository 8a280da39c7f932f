"""How an exported program is called, and where AOTInductor's library differs from it.

Part of the stage `generate`. The library takes and gives tensors only: other arguments are baked
into its code, other results come back as 0-d tensors or not at all. What the loader needs to give
users the exported module's call form back is written down here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from aotwin.errors import ProgramError
from aotwin.values import TensorSpec

if TYPE_CHECKING:
    from torch.export import ExportedProgram


@dataclass(frozen=True)
class CallForm:
    """Arguments and results, flat, in the order of the program's tree specs."""

    #: tensors among the arguments: the library's inputs
    inputs: tuple[TensorSpec, ...]
    #: all results, those that are no tensors with an empty dtype
    outputs: tuple[TensorSpec, ...]
    #: position among the flat arguments -> value that is baked into the code
    fixed_inputs: Mapping[int, object]
    #: position among the flat results -> constant that the exported module gives
    fixed_outputs: Mapping[int, object]
    #: positions of results that the exported module gives as Python numbers
    number_outputs: tuple[int, ...]
    warnings: tuple[str, ...]


def call_form(program: ExportedProgram) -> CallForm:
    """Read the call form of an exported program.

    Raises:
        ProgramError: an argument or result of a kind that AOTInductor cannot have.
    """
    inputs, fixed_inputs = _arguments(program)
    outputs, fixed_outputs, number_outputs = _results(program)
    warnings = tuple(
        f"The argument at position {position} is no tensor; the model is built for its value "
        f"{value!r} and refuses others."
        for position, value in fixed_inputs.items()
        if value is not None
    )
    return CallForm(inputs, outputs, fixed_inputs, fixed_outputs, number_outputs, warnings)


def example_inputs(program: ExportedProgram) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the program's example inputs.

    Raises:
        ProgramError: it has none.
    """
    if program.example_inputs is None:
        raise ProgramError(
            "the program has no example inputs",
            cause="Inductor compiles for inputs of the kind that the program was exported with",
            next_step="Export it again, and keep its example inputs.",
        )
    args, kwargs = program.example_inputs
    return args, kwargs


def _refuse_gaps(name: str, tensor: Any) -> None:
    """Stop at an example input with gaps or overlaps in memory.

    AOTInductor compiles for the strides that it sees. Those of a slice or an expanded tensor are
    no property of the model, and code compiled for them reads a plain tensor out of its bounds.
    """
    if not _is_dense(tensor):
        raise ProgramError(
            f"the argument {name!r} was exported with an example that is not dense in memory",
            cause=f"its shape is {list(tensor.shape)}, its strides are {list(tensor.stride())}",
            next_step="Export the program with example.contiguous(), or example.clone().",
        )


def _is_dense(tensor: Any) -> bool:
    """Say whether the elements lie side by side, in whatever order of the dimensions."""
    if tensor.numel() == 0:
        return True
    expected = 1
    for stride, size in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if size != 1 and stride != expected:
            return False
        expected *= size
    return True


def _memory_order(tensor: Any) -> tuple[int, ...] | None:
    """Return the dimensions from slowest to fastest, or None where that is 0, 1, 2, ..."""
    if tensor.is_contiguous():
        return None
    dimensions = range(tensor.dim())
    order = tuple(sorted(dimensions, key=lambda dimension: -tensor.stride(dimension)))
    return None if order == tuple(dimensions) else order


def _arguments(program: ExportedProgram) -> tuple[tuple[TensorSpec, ...], dict[int, object]]:
    import torch
    from torch.utils import _pytree

    examples = _pytree.tree_leaves(example_inputs(program))
    placeholders = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
    inputs: list[TensorSpec] = []
    fixed: dict[int, object] = {}
    user_inputs = [
        spec.arg for spec in program.graph_signature.input_specs if spec.kind.name == "USER_INPUT"
    ]
    for position, argument in enumerate(user_inputs):
        name = getattr(argument, "name", "") or f"input{position}"
        node = placeholders.get(name)
        value = node.meta.get("val") if node is not None else None
        if isinstance(value, torch.Tensor):
            _refuse_gaps(name, examples[position])
            order = _memory_order(examples[position])
            inputs.append(replace(_tensor_spec(name, value), dim_order=order))
        elif value is None or isinstance(value, (bool, int, float, str)):
            fixed[position] = value
        else:
            raise ProgramError(
                f"the argument {name!r} is a {type(value).__name__}",
                cause="AOTInductor takes tensors, and constants that it bakes into the code",
                next_step="Pass it as a 0-d tensor, or fix its value when the program is exported.",
            )
    return tuple(inputs), fixed


def _results(
    program: ExportedProgram,
) -> tuple[tuple[TensorSpec, ...], dict[int, object], tuple[int, ...]]:
    import torch

    nodes = {node.name: node for node in program.graph.nodes}
    outputs: list[TensorSpec] = []
    fixed: dict[int, object] = {}
    numbers: list[int] = []
    user_outputs = [
        spec.arg for spec in program.graph_signature.output_specs if spec.kind.name == "USER_OUTPUT"
    ]
    for position, result in enumerate(user_outputs):
        name = getattr(result, "name", "") or f"output{position}"
        node = nodes.get(name)
        value = node.meta.get("val") if node is not None else getattr(result, "value", None)
        if isinstance(value, torch.Tensor):
            outputs.append(_tensor_spec(name, value))
            continue
        outputs.append(TensorSpec(name))
        if value is None or isinstance(value, int):
            fixed[position] = value
        elif isinstance(value, (torch.SymInt, torch.SymBool)):
            numbers.append(position)
        else:
            raise ProgramError(
                f"the result at position {position} is a {type(value).__name__}: {value!r}",
                cause="AOTInductor gives tensors, integers and None",
                next_step="Leave it out of what the module returns.",
            )
    return tuple(outputs), fixed, tuple(numbers)


def _tensor_spec(name: str, value: Any) -> TensorSpec:
    return TensorSpec(
        name,
        dtype=str(value.dtype).removeprefix("torch."),
        shape=tuple(size if isinstance(size, int) else str(size) for size in value.shape),
    )


def has_counter(program: ExportedProgram) -> bool:
    """Whether the code uses a buffer of one element, such as a step counter or a cache position.

    Inductor's constant folding (torch/_inductor/fx_passes/joint_graph.py) takes tensors of one
    element for their initial value, those that the program writes among them: with it, a counter
    would stand still.
    """
    nodes = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
    for spec in program.graph_signature.input_specs:
        node = nodes.get(getattr(spec.arg, "name", ""))
        if spec.kind.name != "BUFFER" or node is None or not node.users:
            continue
        value = node.meta.get("val")
        if value is not None and value.numel() == 1:
            return True
    return False

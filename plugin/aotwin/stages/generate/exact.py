"""A program run in float64, operator by operator: how far eager is from what is exact.

Part of the stage `generate`. What differs is what rounding makes of the network, and so what may be
asked of a DLL that rounds in other places.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.export import ExportedProgram


class InexactError(Exception):
    """An operator that depends on the bits of its argument."""


def exact_run(program: ExportedProgram, state: Mapping[str, Any]) -> Any:
    """A function that calls the program in float64 and gives its flat results.

    Args:
        program: stays as it is.
        state: buffers that the program writes, by name; the function keeps its own of them from
            call to call.

    Returns:
        A function of the flat arguments. It raises whatever an operator raises that cannot do
        with float64.
    """
    import torch
    from torch.fx import Interpreter
    from torch.utils import _pytree

    wide = {
        torch.float32: torch.float64,
        torch.float16: torch.float64,
        torch.bfloat16: torch.float64,
        torch.complex64: torch.complex128,
        torch.complex32: torch.complex128,
    }

    def widened(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return value.to(wide.get(value.dtype, value.dtype))
        return wide.get(value, value) if isinstance(value, torch.dtype) else value

    kept = {name: widened(value).clone() for name, value in state.items()}

    class Exact(Interpreter):
        def placeholder(self, target: Any, args: Any, kwargs: Any) -> Any:
            return widened(super().placeholder(target, args, kwargs))

        def get_attr(self, target: Any, args: Any, kwargs: Any) -> Any:
            # As it is: all weights are asked for before the first of them is used, and in float64
            # they would be in memory at once.
            found = kept.get(str(target))
            return super().get_attr(target, args, kwargs) if found is None else found

        def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
            if target is torch.ops.aten._assert_tensor_metadata.default:
                return None
            if target is torch.ops.aten.view.dtype:
                raise InexactError(str(target))
            args, kwargs = _pytree.tree_map(widened, (args, kwargs))
            return _pytree.tree_map(widened, super().call_function(target, args, kwargs))

    interpreter = Exact(program.module(check_guards=False))

    def run(leaves: list[Any]) -> list[Any]:
        with torch.no_grad():
            return list(interpreter.run(*leaves, enable_io_processing=False))

    return run

"""What the code that is generated for an exported program depends on, as one key.

The graph goes in as torch.export.save would write it, without what says where the program was
exported (paths, lines, addresses). Of its tensors the facts go in, and the values of small ones,
which Inductor writes into the code as numbers; values of the others are looked at where the code
says so (`remembered`). A program of which something cannot be told in full has no key.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import json
import platform
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

from aotwin.adapters.storage.results import key_of
from aotwin.own_code import own_code_digest
from aotwin.stages.generate.call_form import example_inputs
from aotwin.stages.generate.torch_settings import flags, inductor_settings, registered
from aotwin.stages.generate.torch_variables import torch_variables

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

#: Tensors of so many elements become numbers in the code (can_inline_constant in
#: torch/_inductor/graph.py), or are folded into it (UniformValueConstantFolder in joint_graph.py).
MAX_INLINED = 8
#: of a node's metadata, what tells where a program was exported, and nothing about it
_PLACES = ("stack_trace", "from_node")
#: operators whose lowerings come with torch; of others nothing is known but the name
_NAMESPACES = frozenset({"aten", "prims", "prim", "higher_order", "quantized_decomposed"})
_OPERATOR = re.compile(r"torch\.ops\.(\w+)\.")
_PLAIN = (type(None), bool, int, float, str)


@dataclass(frozen=True)
class Identity:
    """A program, as far as it decides the generated code."""

    #: of everything but the values of large tensors
    key: str
    #: every tensor that the program holds, by its name in it
    tensors: Mapping[str, Tensor]


class _UnknownError(Exception):
    """Something that cannot be told in full."""


def identity_of(program: ExportedProgram, options: Mapping[str, Any]) -> Identity | None:
    """The identity of a program, or None where it has something that cannot be told.

    Args:
        options: all settings that Inductor is given.
    """
    try:
        tensors = _tensors(program)
        parts = (
            own_code_digest(),
            _environment(),
            registered(),
            _told(sorted(options.items())),
            _graph(program),
            _told(_examples(program)),
            _told(_tensor_facts(tensors)),
        )
    # torch's serializer raises whatever it likes at what it does not know.
    except Exception:
        return None
    return Identity(key_of(*parts), tensors)


def value_digest(tensor: Tensor) -> bytes:
    """A digest of a tensor's elements."""
    return hashlib.sha256(_elements(tensor)).digest()


def _environment() -> str:
    """Versions, of torch and of what it prints code with, and everything that is set around it."""
    import torch

    return _told(
        [
            str(torch.__version__),
            str(torch.version.git_version),
            platform.python_version(),
            metadata.version("sympy"),
            torch_variables(),
            inductor_settings(),
            flags(),
        ]
    )


def _graph(program: ExportedProgram) -> str:
    from torch._export.serde import serialize as module

    serialize: Any = module
    serializer = serialize.GraphModuleSerializer(program.graph_signature, program.module_call_graph)
    with contextlib.ExitStack() as stack:
        stack.enter_context(
            serialize._enable_graph_inputs_of_type_nn_module(program.example_inputs)
        )
        graph = serializer.serialize(program.graph_module)
    if serializer.custom_objs:
        raise _UnknownError
    whole = [
        json.loads(serialize._to_json_bytes(graph)),
        sorted((str(symbol), str(bounds)) for symbol, bounds in program.range_constraints.items()),
        list(getattr(program, "_guards_code", ())),
    ]
    text = json.dumps(_without_places(whole), sort_keys=True)
    if set(_OPERATOR.findall(text)) - _NAMESPACES:
        raise _UnknownError
    return text


def _without_places(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _without_places(each)
            for key, each in value.items()
            if key not in _PLACES or not isinstance(each, str)
        }
    if isinstance(value, list):
        return [_without_places(each) for each in value]
    return value


def _examples(program: ExportedProgram) -> list[Any]:
    import torch
    from torch.utils import _pytree

    leaves, spec = _pytree.tree_flatten(example_inputs(program))
    return [
        str(spec),
        [_facts(each) if isinstance(each, torch.Tensor) else each for each in leaves],
    ]


def _tensors(program: ExportedProgram) -> dict[str, Tensor]:
    import torch

    found = {**program.state_dict, **program.constants}
    if len(found) != len(program.state_dict) + len(program.constants):
        raise _UnknownError
    for tensor in found.values():
        plain = type(tensor) in (torch.Tensor, torch.nn.Parameter)
        if not plain or tensor.is_conj() or tensor.is_neg() or tensor.is_quantized:
            raise _UnknownError
    return found


def _tensor_facts(tensors: Mapping[str, Tensor]) -> list[Any]:
    """Facts of every tensor: which share memory, and the values of small ones."""
    owners: dict[int, str] = {}
    facts: list[Any] = []
    for name, tensor in sorted(tensors.items()):
        storage = tensor.untyped_storage()
        owner = owners.setdefault(storage.data_ptr(), name) if storage.nbytes() else name
        small = _elements(tensor).hex() if tensor.numel() <= MAX_INLINED else ""
        facts.append([name, _facts(tensor), storage.nbytes(), owner, small])
    return facts


def _facts(tensor: Tensor) -> list[Any]:
    if tensor.device.type != "cpu" or str(tensor.layout) != "torch.strided":
        raise _UnknownError
    return [
        type(tensor).__name__,
        str(tensor.dtype),
        list(tensor.shape),
        list(tensor.stride()),
        tensor.storage_offset(),
        tensor.requires_grad,
    ]


def _elements(tensor: Tensor) -> bytes:
    flat = tensor.detach().contiguous()
    nbytes = flat.numel() * flat.element_size()
    return ctypes.string_at(flat.data_ptr(), nbytes) if nbytes else b""


def _told(value: Any) -> str:
    """Text that tells a value apart from all others, whatever the order of its dictionaries."""
    return json.dumps(list(_flat(value)))


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, _PLAIN):
        yield [type(value).__name__, repr(value)]
    elif isinstance(value, (list, tuple)):
        yield [type(value).__name__, [list(_flat(each)) for each in value]]
    elif isinstance(value, Mapping):
        pairs = sorted((repr(key), key) for key in value)
        yield ["mapping", [[name, list(_flat(value[key]))] for name, key in pairs]]
    elif isinstance(value, (set, frozenset)):
        yield ["set", sorted(map(repr, value))]
    else:
        raise _UnknownError

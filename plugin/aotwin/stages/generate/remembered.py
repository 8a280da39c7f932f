"""Generated code that is remembered for programs that differ in nothing but their weights.

A wrapper is kept with what each constant of its blob is: a tensor of the program, or of the program
as it is arranged for lowering, whose bytes are taken from whatever program asks next; or bytes that
Inductor computed. Values matter where they ended up in the code, or in such bytes: of a tensor that
the graph reads and that is not in the blob, nobody knows what became of it. Two results tell so:

    wrappers/<key of the program>          names of the tensors whose values matter
    wrappers/<that key and these values>   the wrapper
"""

from __future__ import annotations

import ctypes
import json
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aotwin.adapters.storage.results import enabled, key_of, recall, remember
from aotwin.stages.generate.program_key import MAX_INLINED, Identity, identity_of, value_digest
from aotwin.stages.generate.stored_wrapper import packed, unpacked
from aotwin.values import Wrapper
from aotwin.weights_source import MemoryRegion, MemoryWeights

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram

_KIND = "wrappers"
#: bytes that Inductor computed are kept up to this many
_MAX_COMPUTED_NBYTES = 200 << 20


class Memory:
    """What is remembered of one program, and where a new result goes.

    Args:
        options: all settings that Inductor is given.
    """

    def __init__(self, program: ExportedProgram, options: Mapping[str, Any]) -> None:
        self._identity = identity_of(program, options) if enabled() else None

    def recall(self, arranged: Callable[[], Any]) -> tuple[Wrapper, MemoryWeights] | None:
        """The wrapper of this program, and its constants, uncopied.

        Args:
            arranged: gives the program as a module, as it is lowered; asked for where constants
                are tensors of that.
        """
        if self._identity is None:
            return None
        names = _value_names(self._identity)
        if names is None:
            return None
        data = recall(_KIND, _key(self._identity, names))
        if data is None:
            return None
        try:
            wrapper, place, computed = unpacked(data)
            tensors = dict(self._identity.tensors)
            if place["arranged"]:
                tensors |= _arranged_names(read_tensors(arranged()))
            return wrapper, _weights(wrapper, place["constants"], computed, tensors)
        except (ValueError, KeyError, TypeError):
            return None

    def remember(
        self, wrapper: Wrapper, constants: Sequence[Tensor], arranged: Mapping[str, Tensor]
    ) -> None:
        """Keep a wrapper for later builds.

        Args:
            constants: of the wrapper, in their order.
            arranged: what the lowered module reads: its `read_tensors`.
        """
        identity = self._identity
        if identity is None:
            return
        own = identity.tensors
        # Of one tensor under both names, that in the program counts.
        tensors = {**_arranged_names(arranged), **own}
        names_of = {_memory(tensor): name for name, tensor in tensors.items()}
        place: list[Any] = []
        computed = bytearray()
        for constant, tensor in zip(wrapper.constants, constants, strict=True):
            name = names_of.get(_memory(tensor)) or _copied(own, constant.fqn, tensor)
            if name is not None:
                place.append(name)
                continue
            content = _bytes_of(tensor)
            if len(computed) + len(content) > _MAX_COMPUTED_NBYTES:
                return
            place.append([len(computed), len(content)])
            computed += content
        taken = {name for name in place if isinstance(name, str)}
        kept = {_memory(tensors[name]) for name in taken}
        missing = [tensor for tensor in arranged.values() if _memory(tensor) not in kept]
        names = {names_of[_memory(tensor)] for tensor in missing}
        if computed or not names <= own.keys():
            names = set(own)
        # What matters in one program may not in the next: both are looked at.
        listed = sorted(names | {*(_value_names(identity) or ())})
        remember(_KIND, identity.key, json.dumps(listed).encode())
        stored = {"constants": place, "arranged": not taken <= own.keys()}
        remember(_KIND, _key(identity, listed), packed(wrapper, stored, bytes(computed)))


def read_tensors(module: Any) -> dict[str, Tensor]:
    """The tensors that the graph of a module reads, by their names in it."""
    import torch

    found: dict[str, Tensor] = {}
    for node in module.graph.nodes:
        if node.op == "get_attr" and node.users:
            value = operator.attrgetter(str(node.target))(module)
            if isinstance(value, torch.Tensor):
                found[str(node.target)] = value
    return found


def _arranged_names(arranged: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of the arranged module under names that none of the program has."""
    return {f"arranged {name}": tensor for name, tensor in arranged.items()}


def _value_names(identity: Identity) -> list[str] | None:
    found = recall(_KIND, identity.key)
    try:
        names = None if found is None else json.loads(found)
    except ValueError:
        return None
    return names if isinstance(names, list) and set(names) <= identity.tensors.keys() else None


def _key(identity: Identity, names: Iterable[str]) -> str:
    # Values of small tensors are in the first key.
    large = [name for name in names if identity.tensors[name].numel() > MAX_INLINED]
    parts = [part for name in large for part in (name, value_digest(identity.tensors[name]))]
    return key_of("by values", identity.key, *parts)


def _copied(own: Mapping[str, Tensor], fqn: str, tensor: Tensor) -> str | None:
    """The buffer of the program that a constant is AOTInductor's copy of; None if it was computed.

    It is known by its name, facts and bytes.
    """
    original = own.get(fqn)
    if original is None or _memory(original)[1:] != _memory(tensor)[1:]:
        return None
    return fqn if _bytes_of(original) == _bytes_of(tensor) else None


def _memory(tensor: Tensor) -> tuple[Any, ...]:
    """Where a tensor lies, and how."""
    storage = tensor.untyped_storage()
    return (
        storage.data_ptr(),
        storage.nbytes(),
        tensor.dtype,
        tuple(tensor.shape),
        tuple(tensor.stride()),
        tensor.storage_offset(),
    )


def _bytes_of(tensor: Tensor) -> memoryview:
    """All bytes of a tensor's storage, in place."""
    storage = tensor.untyped_storage()
    return MemoryRegion(storage.data_ptr(), storage.nbytes(), storage.nbytes()).view()


def _weights(
    wrapper: Wrapper, place: Sequence[Any], computed: bytes, tensors: Mapping[str, Tensor]
) -> MemoryWeights:
    kept = ctypes.create_string_buffer(computed, len(computed))
    start = ctypes.addressof(kept)
    regions: list[MemoryRegion] = []
    for constant, each in zip(wrapper.constants, place, strict=True):
        if isinstance(each, str):
            storage = tensors[each].untyped_storage()
            address, nbytes = storage.data_ptr(), storage.nbytes()
        else:
            offset, nbytes = each
            address = start + offset
            if not 0 <= offset <= offset + nbytes <= len(computed):
                raise ValueError("computed constants lie outside of what was kept")
        region = MemoryRegion.of_constant(constant, address, nbytes)
        if region is None:
            raise ValueError("a constant has another size than the code expects")
        regions.append(region)
    return MemoryWeights(regions, (kept, tensors))

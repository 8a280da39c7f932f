"""Calls of operators, recorded while something runs, and run again on copies of their inputs."""

from __future__ import annotations

import collections
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from shims import Shim
from torch.utils._python_dispatch import TorchDispatchMode

#: candidates that are kept for one C function and dtype, from which a few are chosen
_MOST_CANDIDATES = 160
#: larger inputs are not recorded
_MOST_BYTES = 48 * 1024
#: storage offsets are kept up to this many elements
_LARGEST_OFFSET = 3


@dataclass(frozen=True)
class Captured:
    """A copy of a tensor: its storage from just before the first element to the last."""

    dtype: torch.dtype
    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int
    data: bytes

    @staticmethod
    def of(tensor: torch.Tensor, margin: int = _LARGEST_OFFSET) -> Captured:
        """Copy a dense tensor on the CPU."""
        sizes, strides = tuple(tensor.shape), tuple(tensor.stride())
        offset = tensor.storage_offset()
        kept = min(offset, margin)
        width = tensor.element_size()
        last = sum((n - 1) * s for n, s in zip(sizes, strides, strict=True))
        elements = 0 if 0 in sizes else kept + last + 1
        flat = torch.empty(0, dtype=torch.uint8)
        begin = (offset - kept) * width
        flat.set_(tensor.untyped_storage(), begin, (elements * width,), (1,))
        return Captured(tensor.dtype, sizes, strides, kept, flat.numpy().tobytes())

    def tensor(self) -> torch.Tensor:
        """A new tensor with these elements, at these places of a storage of its own."""
        flat = torch.empty(max(len(self.data), 1), dtype=torch.uint8)
        if self.data:
            flat[: len(self.data)] = torch.frombuffer(bytearray(self.data), dtype=torch.uint8)
        made = torch.empty(0, dtype=self.dtype)
        return made.set_(flat.untyped_storage(), self.offset, self.sizes, self.strides)

    @property
    def shape_key(self) -> tuple[Any, ...]:
        return (self.dtype, self.sizes, self.strides, self.offset)


@dataclass(frozen=True)
class Call:
    """One call of a C function's operator: values by the names of its schema."""

    shim: Shim
    dtype: str
    source: str
    arguments: Mapping[str, Any]
    tolerance: tuple[float, float] | None = None
    error: bool = False

    def key(self) -> str:
        return repr([(name, _key(value)) for name, value in self.arguments.items()])

    def rebuilt(self) -> dict[str, Any]:
        return {name: mapped(value, Captured.tensor) for name, value in self.arguments.items()}


def mapped(value: Any, change: Any) -> Any:
    """Apply `change` to each Captured in a value."""
    if isinstance(value, Captured):
        return change(value)
    return [mapped(one, change) for one in value] if isinstance(value, list) else value


def _key(value: Any) -> Any:
    if isinstance(value, Captured):
        return value.shape_key
    return tuple(map(_key, value)) if isinstance(value, list) else value


class UnsuitableError(Exception):
    """A value that cannot pass through the C interface, or is too large to be kept."""


def captured(value: Any, limit: int | None = _MOST_BYTES) -> Any:
    """Copy the tensors in an argument.

    Raises:
        UnsuitableError: it cannot be expressed, or is larger than the limit in bytes.
    """
    if isinstance(value, torch.Tensor):
        if value.layout != torch.strided or value.device.type != "cpu" or value.is_quantized:
            raise UnsuitableError
        value = value.detach().resolve_conj().resolve_neg()
        copy = Captured.of(value)
        if limit is not None and len(copy.data) > limit:
            raise UnsuitableError
        return copy
    if isinstance(value, (list, tuple)):
        return [captured(one, limit) for one in value]
    if isinstance(value, (complex, torch.Generator)):
        raise UnsuitableError
    if isinstance(value, (torch.SymInt, torch.SymFloat)):
        raise UnsuitableError
    return value


def bound(schema: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a call by name, with defaults.

    Raises:
        UnsuitableError: they do not fit the schema.
    """
    values, given = {}, dict(kwargs)
    for place, argument in enumerate(schema.arguments):
        if place < len(args) and not argument.kwarg_only:
            values[argument.name] = args[place]
        elif argument.name in given:
            values[argument.name] = given.pop(argument.name)
        elif argument.has_default_value():
            values[argument.name] = argument.default_value
        elif str(argument.type).startswith("Optional"):
            values[argument.name] = None
        elif not argument.is_out:
            raise UnsuitableError(argument.name)
    if given or len(args) > len(schema.arguments):
        raise UnsuitableError
    return values


@dataclass
class Candidates:
    """What was recorded, by C function and dtype."""

    calls: dict[tuple[str, str], list[Call]] = field(
        default_factory=lambda: collections.defaultdict(list)
    )
    _keys: set[str] = field(default_factory=set)

    def add(self, call: Call) -> None:
        found = self.calls[call.shim.name, call.dtype]
        key = f"{call.shim.name} {call.dtype} {call.error} {call.key()}"
        if len(found) < _MOST_CANDIDATES and key not in self._keys:
            self._keys.add(key)
            found.append(call)

    def full(self, shim: Shim, dtype: str) -> bool:
        return len(self.calls.get((shim.name, dtype), ())) >= _MOST_CANDIDATES


class Recorder(TorchDispatchMode):
    """Records the calls of the operators behind some C functions."""

    def __init__(self, shims: Sequence[Shim], into: Candidates) -> None:
        super().__init__()
        self.into = into
        self.by_operator: dict[Any, list[Shim]] = collections.defaultdict(list)
        for shim in shims:
            self.by_operator[shim.functional or shim.overload].append(shim)
        self.dtype = ""
        self.source = ""
        self.tolerance: tuple[float, float] | None = None
        self.expects_error = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        calls = [
            call
            for shim in self.by_operator.get(func, ())
            for call in self._call(shim, args, kwargs)
        ]
        try:
            result = func(*args, **kwargs)
        except Exception:
            if self.expects_error:
                for call in calls:
                    self.into.add(call)
            raise
        if not self.expects_error:
            for call in calls:
                self.into.add(call)
        return result

    def _call(self, shim: Shim, args: Any, kwargs: Any) -> list[Call]:
        if self.into.full(shim, self.dtype) and not self.expects_error:
            return []
        try:
            values = bound((shim.functional or shim.overload)._schema, args, kwargs)
            values = {name: captured(value) for name, value in values.items()}
        except UnsuitableError:
            return []
        return [
            Call(shim, self.dtype, self.source, values, self.tolerance, error=self.expects_error)
        ]

    def direct(self, shim: Shim, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Record a call without running it."""
        for call in self._call(shim, args, kwargs):
            self.into.add(call)

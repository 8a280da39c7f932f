"""A library with torch's C interface, called through ctypes; numpy is all that it needs."""

from __future__ import annotations

import ctypes
import os
from typing import Any, NamedTuple

import case_file
import numpy as np

Handle = ctypes.c_void_p
I64 = ctypes.c_int64
_POINTER = ctypes.c_void_p

#: kind -> types of its C arguments
_C_TYPES: dict[str, tuple[Any, ...]] = {
    "T": (Handle,),
    "i": (I64,),
    "d": (ctypes.c_double,),
    "f": (ctypes.c_float,),
    "b": (ctypes.c_int32,),
    "e": (ctypes.c_int32,),
    "s": (ctypes.c_char_p,),
    "D": (ctypes.c_int32, ctypes.c_int32),
    "D?": (_POINTER, ctypes.c_int32),
    "bool": (ctypes.c_bool,),
    "T[u32]": (_POINTER, ctypes.c_uint32),
}


class MismatchError(Exception):
    """A result that is not what was expected."""


class Value(NamedTuple):
    """What a handle refers to."""

    dtype: int
    sizes: list[int]
    strides: list[int]
    address: int
    elements: Any


class Library:
    """The C functions of a library, by ctypes."""

    def __init__(self, path: str) -> None:
        # with the folder of the library for what it needs itself
        self.loaded = ctypes.CDLL(path, winmode=0x1100) if os.name == "nt" else ctypes.CDLL(path)
        self.dropped: list[Any] = []

    def has(self, name: str) -> bool:
        return hasattr(self.loaded, name)

    def call(self, name: str, kinds: list[str], values: list[Any]) -> int:
        function = getattr(self.loaded, name)
        types: list[Any] = []
        arguments: list[Any] = []
        kept: list[Any] = []
        for kind, value in zip(kinds, values, strict=True):
            of_kind = types_of(kind)
            types += of_kind
            arguments += _c_values(kind, value, kept)
        function.argtypes = types
        function.restype = ctypes.c_int32
        return int(function(*arguments))

    def message(self) -> str:
        for name in ("torch_exception_get_what_without_backtrace", "torch_exception_get_what"):
            if self.has(name):
                function = getattr(self.loaded, name)
                function.restype = ctypes.c_char_p
                return (function() or b"").decode("utf-8", "replace")
        return ""

    def get(self, name: str, handle: int, kind: Any) -> Any:
        function = getattr(self.loaded, f"aoti_torch_{name}")
        function.argtypes, function.restype = (Handle, _POINTER), ctypes.c_int32
        result = kind()
        if function(handle, ctypes.byref(result)) != 0:
            raise MismatchError(f"aoti_torch_{name} fails: {self.message()}")
        return result.value

    def delete(self, handle: int) -> None:
        function = self.loaded.aoti_torch_delete_tensor_object
        function.argtypes, function.restype = (Handle,), ctypes.c_int32
        if function(handle) != 0:
            raise MismatchError(f"a result cannot be deleted: {self.message()}")

    def from_blob(self, address: int, descriptor: list[Any]) -> int:
        dtype, sizes, strides, offset, _, _ = descriptor
        ndim = len(sizes)
        dims = ctypes.c_int64 * max(ndim, 1)
        out = Handle()
        values = [address, ndim, dims(*sizes), dims(*strides), offset, dtype, 0, 0]
        function = self.loaded.aoti_torch_create_tensor_from_blob_v2
        function.argtypes = (
            (_POINTER, I64, _POINTER, _POINTER, I64)
            + (ctypes.c_int32,) * 3
            + (
                _POINTER,
                ctypes.c_int32,
                _POINTER,
                I64,
            )
        )
        function.restype = ctypes.c_int32
        if function(*values, ctypes.byref(out), 0, None, 0) != 0:
            raise MismatchError(f"aoti_torch_create_tensor_from_blob_v2 fails: {self.message()}")
        assert out.value
        return out.value

    def value(self, handle: int) -> Value:
        """Read a tensor through the C interface."""
        ndim = self.get("get_dim", handle, ctypes.c_int64)
        sizes = self._dims("get_sizes", handle, ndim)
        strides = self._dims("get_strides", handle, ndim)
        dtype = self.get("get_dtype", handle, ctypes.c_int32)
        address = self.get("get_data_ptr", handle, ctypes.c_void_p) or 0
        if dtype not in case_file.DTYPES:
            raise MismatchError(f"the result's dtype is {dtype}")
        last = 0 if 0 in sizes else 1 + sum((n - 1) * s for n, s in zip(sizes, strides))  # noqa: B905
        if last and not address:
            raise MismatchError("the result has no memory")
        width = case_file.DTYPES[dtype][1]
        raw = np.frombuffer(ctypes.string_at(address, last * width), np.uint8)
        return Value(
            dtype, sizes, strides, address, case_file.values(raw, dtype, sizes, strides, 0)
        )

    def _dims(self, name: str, handle: int, ndim: int) -> list[int]:
        address = self.get(name, handle, ctypes.c_void_p)
        return list((ctypes.c_int64 * ndim).from_address(address)) if ndim else []


def types_of(kind: str) -> tuple[Any, ...]:
    """The types of a kind's C arguments."""
    if kind in _C_TYPES:
        return _C_TYPES[kind]
    return (_POINTER, I64) if "[" in kind else (_POINTER,)


_ELEMENTS = {"i": I64, "d": ctypes.c_double, "b": ctypes.c_int32, "e": ctypes.c_int32}


def _c_values(kind: str, value: Any, kept: list[Any]) -> list[Any]:
    """A value of a case as C arguments; what they point at is put into `kept`."""

    def pointer(kind_of: Any, content: list[Any]) -> int:
        array = (kind_of * max(len(content), 1))(*content)
        kept.append(array)
        return ctypes.addressof(array)

    base = kind.rstrip("?")
    if kind == "D":
        return list(value)
    if kind == "D?":
        return [None if value is None else pointer(ctypes.c_int32, value[:1]), 0]
    if kind == "T?[]":
        places = [None if one is None else pointer(Handle, [one]) for one in value]
        return [pointer(ctypes.c_void_p, places), len(value)]
    if kind == "d?[]":
        numbers = [None if one is None else pointer(ctypes.c_double, [one]) for one in value]
        return [pointer(ctypes.c_void_p, numbers), len(value)]
    if kind in ("T[]", "T[u32]"):
        return [pointer(Handle, value), len(value)]
    if kind.endswith("[]?"):
        if value is None:
            return [None, 0]
        return [pointer(_POINTER, [pointer(_ELEMENTS[kind[0]], value)]), len(value)]
    if kind.endswith("[]"):
        return [pointer(_ELEMENTS[kind[0]], value), len(value)]
    if kind == "i*":
        return [pointer(I64, value)]
    if kind == "G?":
        return [None]
    if kind == "s":
        return [value.encode()]
    if not kind.endswith("?"):
        return [value]
    if value is None:
        return [None]
    if base == "T":
        return [pointer(Handle, [value])]
    if base == "s":
        return [pointer(ctypes.c_char_p, [value.encode()])]
    return [pointer(_ELEMENTS[base], [value])]

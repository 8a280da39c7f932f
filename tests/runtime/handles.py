"""Calls of the run time's C functions from Python, with torch's tensors in and out."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import torch

NUMBERS = {
    torch.uint8: 0,
    torch.int8: 1,
    torch.int16: 2,
    torch.int32: 3,
    torch.int64: 4,
    torch.float16: 5,
    torch.float32: 6,
    torch.float64: 7,
    torch.complex32: 8,
    torch.complex64: 9,
    torch.complex128: 10,
    torch.bool: 11,
    torch.bfloat16: 15,
    torch.float8_e5m2: 23,
    torch.float8_e4m3fn: 24,
    torch.float8_e5m2fnuz: 25,
    torch.float8_e4m3fnuz: 26,
    torch.uint16: 27,
    torch.uint32: 28,
    torch.uint64: 29,
    torch.float8_e8m0fnu: 44,
}
DTYPES = {number: dtype for dtype, number in NUMBERS.items()}


class RuntimeCallError(Exception):
    """A C function returned 1: its message."""


class Statistics(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_uint64)
        for name in ("used", "peak", "held", "system_calls", "blocks", "handles")
    ]


def longs(values: Any) -> Any:
    values = list(values)
    return (ctypes.c_int64 * max(len(values), 1))(*values)


class Handle:
    """Owns one tensor handle."""

    def __init__(self, runtime: Runtime, address: int, keep: Any = None) -> None:
        self.runtime = runtime
        self.address = address
        self.keep = keep

    def __del__(self) -> None:
        if self.address:
            self.runtime.library.aoti_torch_delete_tensor_object(ctypes.c_void_p(self.address))

    def _ask(self, name: str, kind: Any, *arguments: Any) -> Any:
        result = kind()
        self.runtime.call(f"aoti_torch_{name}", self, *arguments, ctypes.byref(result))
        return result.value

    def get(self, name: str) -> int:
        return int(self._ask(name, ctypes.c_int64))

    @property
    def dtype(self) -> torch.dtype:
        return DTYPES[self._ask("get_dtype", ctypes.c_int32)]

    @property
    def data(self) -> int:
        return self._ask("get_data_ptr", ctypes.c_void_p) or 0

    def _dims(self, name: str) -> tuple[int, ...]:
        pointer = ctypes.POINTER(ctypes.c_int64)()
        self.runtime.call(f"aoti_torch_{name}", self, ctypes.byref(pointer))
        return tuple(pointer[i] for i in range(self.get("get_dim")))

    @property
    def shape(self) -> tuple[int, ...]:
        return self._dims("get_sizes")

    @property
    def strides(self) -> tuple[int, ...]:
        return self._dims("get_strides")

    def torch(self) -> torch.Tensor:
        """A copy, with the same strides."""
        item = self.dtype.itemsize
        shape, strides = self.shape, self.strides
        count = (
            0
            if 0 in shape
            else 1 + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
        )
        memory = torch.empty(count * item, dtype=torch.uint8)
        if count:
            ctypes.memmove(memory.data_ptr(), self.data, count * item)
        return memory.view(self.dtype).as_strided(shape, strides)


class Runtime:
    def __init__(self, path: Path) -> None:
        self.library = ctypes.CDLL(str(path))
        self.library.torch_exception_get_what.restype = ctypes.c_char_p
        self.library.aotwin_take_failure.restype = ctypes.c_char_p
        self.library.aoti_torch_dtype_element_size.restype = ctypes.c_size_t

    def call(self, name: str, *arguments: Any) -> None:
        given = [ctypes.c_void_p(a.address) if isinstance(a, Handle) else a for a in arguments]
        if getattr(self.library, name)(*given) != 0:
            raise RuntimeCallError(self.library.torch_exception_get_what().decode())

    def make(self, name: str, *arguments: Any, keep: Any = None) -> Handle:
        """Calls a function whose last argument is the handle that it returns."""
        address = ctypes.c_void_p()
        self.call(name, *arguments, ctypes.byref(address))
        assert address.value
        return Handle(self, address.value, keep)

    def over(self, tensor: torch.Tensor) -> Handle:
        """The memory of a torch tensor, not copied."""
        storage = tensor.untyped_storage()
        return self.make(
            "aoti_torch_create_tensor_from_blob",
            ctypes.c_void_p(storage.data_ptr()),
            ctypes.c_int64(tensor.dim()),
            longs(tensor.shape),
            longs(tensor.stride()),
            ctypes.c_int64(tensor.storage_offset()),
            NUMBERS[tensor.dtype],
            0,
            -1,
            keep=tensor,
        )

    def empty(self, shape: Any, strides: Any, dtype: torch.dtype) -> Handle:
        return self.make(
            "aoti_torch_empty_strided",
            ctypes.c_int64(len(shape)),
            longs(shape),
            longs(strides),
            NUMBERS[dtype],
            0,
            -1,
        )

    def statistics(self) -> Statistics:
        result = Statistics()
        self.library.aotwin_memory_read_statistics(ctypes.byref(result))
        return result

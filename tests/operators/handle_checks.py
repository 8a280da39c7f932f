"""Handles that are no tensors of the library: null ones, and torch's own, which point at 8 bytes.

Each must be an error with a message, never a fault, at each place of each C function. torch's
handle is the address of an object of 8 bytes that hold a pointer; here the object ends where
readable memory ends, so that whoever reads more of it faults.
"""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from library import Handle, Library, MismatchError
from running import Run

Check = tuple[str, str, Callable[[], str]]

_PAGE = 65536


def foreign_handle() -> int:
    """The address of 8 bytes that hold a pointer, with nothing readable behind them."""
    if os.name == "nt":
        kernel = ctypes.windll.kernel32  # type: ignore[attr-defined]
        kernel.VirtualAlloc.restype = ctypes.c_void_p
        kernel.VirtualAlloc.argtypes = [
            ctypes.c_void_p,
            ctypes.c_size_t,
            ctypes.c_uint32,
            ctypes.c_uint32,
        ]
        # reserved as a whole, of which only the first part can be read
        start = kernel.VirtualAlloc(None, 2 * _PAGE, 0x2000, 0x01)
        kernel.VirtualAlloc(start, _PAGE, 0x1000, 0x04)
    else:
        area = mmap.mmap(-1, 2 * _PAGE)
        _KEPT.append(area)
        start = ctypes.addressof(ctypes.c_char.from_buffer(area))
        libc = ctypes.CDLL(None)
        libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        assert libc.mprotect(start + _PAGE, _PAGE, 0) == 0
    pointee = np.zeros(64, np.uint64)
    _KEPT.append(pointee)
    handle = int(start) + _PAGE - 8
    ctypes.c_uint64.from_address(handle).value = pointee.ctypes.data
    return handle


_KEPT: list[Any] = []


def handle_checks(
    library: Library, shims: dict[str, list[str]], cases: list[dict[str, Any]], data: bytes
) -> Iterator[Check]:
    """For each function, a null and a foreign handle at each place; those without cases too."""
    foreign = foreign_handle()
    sample: dict[str, dict[str, Any]] = {}
    for case in cases:
        if case.get("check") != "error":
            sample.setdefault(case["shim"], case)
    for name, kinds in sorted(shims.items()):
        if not any(kind.startswith("T") for kind in kinds):
            continue
        case = sample.get(name)
        for what, handle in (("null handle", None), ("foreign handle", foreign)):
            if case is not None:
                yield name, what, _bind(_with_case, library, case, kinds, data, handle)
            else:
                yield name, what, _bind(_bare, library, name, kinds, handle)
    for name, signature in _BY_HAND.items():
        for what, handle in (("null handle", None), ("foreign handle", foreign)):
            yield f"aoti_torch_{name}", what, _bind(_plain, library, name, signature, handle)


def _bind(check: Callable[..., str], *values: Any) -> Callable[[], str]:
    return lambda: check(*values)


def _with_case(
    library: Library, case: dict[str, Any], kinds: list[str], data: bytes, handle: int | None
) -> str:
    """A case's arguments, with one tensor after the other replaced."""
    optional = {value for kind, value in zip(kinds, case["args"], strict=True) if kind == "T?"}
    for number in range(len(case["tensors"])):
        if handle is None and number in optional:
            # may be taken for absent
            continue
        run = Run(library, case, data, 0)
        kept = run.inputs[number]
        run.inputs[number] = handle  # type: ignore[call-overload]
        try:
            code, _ = run.called(kinds)
        finally:
            run.inputs[number] = kept
        run.close()
        _must_fail(library, code, f"as tensor {number}")
    return ""


def _bare(library: Library, name: str, kinds: list[str], handle: int | None) -> str:
    """Arguments that mean little, all tensors replaced."""
    boxes = [Handle() for _ in kinds]
    plain = {"i": 1, "d": 1.0, "f": 1.0, "b": 0, "e": 6, "s": "sum", "D": [0, 0], "bool": False}
    values: list[Any] = []
    for kind, box in zip(kinds, boxes):  # noqa: B905
        if kind in ("R", "Ri"):
            values.append(ctypes.addressof(box))
        elif kind == "T":
            values.append(handle)
        elif kind.startswith("T[") or kind == "T?[]":
            values.append([handle])
        elif kind.endswith("[]") or kind == "i*":
            values.append([1, 1])
        else:
            values.append(plain.get(kind))
    _must_fail(library, library.call(name, kinds, values), "as each tensor")
    return ""


#: functions that are no operators: h = the handle, o = a place for a result, i = int64, I = int32
_BY_HAND = {
    "get_data_ptr": "ho",
    "get_storage_size": "ho",
    "get_dim": "ho",
    "get_numel": "ho",
    "get_storage_numel": "ho",
    "get_sizes": "ho",
    "get_size": "hio",
    "get_strides": "ho",
    "get_stride": "hio",
    "get_dtype": "ho",
    "get_device_type": "ho",
    "get_device_index": "ho",
    "get_layout": "ho",
    "get_storage_offset": "ho",
    "is_contiguous": "ho",
    "new_tensor_handle": "ho",
    "_alloc_from_pool": "hiIippo",
    "_reinterpret_tensor": "hippio",
    "as_strided": "hppo",
    "assign_tensors": "hh",
    "assign_tensors_out": "ho",
    "clone": "ho",
    "clone_preserve_strides": "ho",
    "copy_": "hhI",
    "tensor_copy_": "hh",
    "zero_": "h",
    "check_inf_and_nan": "sh",
    "item_float32": "ho",
    "item_float64": "ho",
    "item_float16": "ho",
    "item_bfloat16": "ho",
    "item_int64": "ho",
    "item_int32": "ho",
    "item_bool": "ho",
    "item_complex64": "ho",
}


def _plain(library: Library, name: str, signature: str, handle: int | None) -> str:
    box, sizes = (ctypes.c_int64 * 4)(), (ctypes.c_int64 * 4)(1, 1, 1, 1)
    given = {
        "h": lambda: Handle(handle),
        "o": lambda: ctypes.byref(box),
        "p": lambda: ctypes.byref(sizes),
        "i": lambda: ctypes.c_int64(0),
        "I": lambda: ctypes.c_int32(6),
        "s": lambda: ctypes.c_char_p(b"x"),
    }
    function = getattr(library.loaded, f"aoti_torch_{name}")
    function.argtypes, function.restype = None, ctypes.c_int32
    code = int(function(*[given[letter]() for letter in signature]))
    _must_fail(library, code, "")
    return ""


def _must_fail(library: Library, code: int, where: str) -> None:
    if code == 0:
        raise MismatchError(f"is no error {where}".strip())
    if not library.message():
        raise MismatchError(f"an error without a message {where}".strip())

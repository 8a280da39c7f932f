"""Checks of what surrounds the operators: messages, regions for profilers, numbers, threads."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from library import Handle, Library, MismatchError
from running import Run
from tensor_checks import Check, attempt, blob, call, dims, empty, equal

_I32, _I64, _P = ctypes.c_int32, ctypes.c_int64, ctypes.c_void_p
#: threads that call at once, and cases that each of them runs
_THREADS = 4
_CASES = 600


class _Complex64(ctypes.Structure):
    _fields_ = (("real", ctypes.c_float), ("imag", ctypes.c_float))


class _Complex128(ctypes.Structure):
    _fields_ = (("real", ctypes.c_double), ("imag", ctypes.c_double))


def service_checks(
    library: Library,
    shims: dict[str, list[str]],
    cases: list[dict[str, Any]],
    data: bytes,
    torchs: bool,
) -> Iterator[Check]:
    """The checks: C function, what is checked, and the check itself."""
    for name, check in _CHECKS + (() if torchs else _STRICTER):
        what = check.__name__.strip("_").replace("_", " ")
        yield name, what, _bind(check, library)
    yield (
        "aoti_torch_create_tensor_from_blob_v2",
        "several threads",
        _bind(_several_threads, library, shims, cases, data),
    )


def _bind(check: Callable[..., str], *values: Any) -> Callable[[], str]:
    return lambda: check(*values)


def _complex_numbers(library: Library) -> str:
    for name, kind in (("complex64", _Complex64), ("complex128", _Complex128)):
        out = Handle()
        call(library, f"scalar_to_tensor_{name}", kind(1.5, -2.25), ctypes.byref(out))
        got = library.value(out.value)
        equal(got.elements.item(), 1.5 - 2.25j, name)
        equal(got.elements.dtype.name, name, "the dtype")
        if name == "complex64":
            result = _Complex64()
            call(library, "item_complex64", Handle(out.value), ctypes.byref(result))
            equal((result.real, result.imag), (1.5, -2.25), "the item")
        library.delete(out.value)
    return ""


def _version(library: Library) -> str:
    function = library.loaded.aoti_torch_abi_version
    function.argtypes, function.restype = (), ctypes.c_uint64
    equal(function() >> 48, 0x020D, "major and minor version")
    return ""


def _from_memory(library: Library) -> str:
    array, out = np.arange(6, dtype=np.int64), Handle()
    places = (_I64(2), dims([2, 2]), dims([2, 1]), _I64(1), _I32(4), _I32(0), _I32(0))
    call(library, "create_tensor_from_blob", _P(array.ctypes.data), *places, ctypes.byref(out))
    equal(library.value(out.value).elements.tolist(), [[1, 2], [3, 4]], "the tensor")
    library.delete(out.value)
    return ""


def _null_memory(library: Library) -> str:
    out = Handle()
    for sizes, wrong in (([0, 3], False), ([2], True)):
        strides = dims([3, 1][2 - len(sizes) :])
        places = (_I64(len(sizes)), dims(sizes), strides, _I64(0), _I32(4), _I32(0), _I32(0))
        code = attempt(library, "create_tensor_from_blob", _P(None), *places, ctypes.byref(out))
        if code == 0:
            library.delete(out.value)
        if not wrong:
            equal(code, 0, "the code for no elements in no memory")
    return ""


def _an_undefined_tensor(library: Library) -> str:
    out = Handle()
    call(library, "new_uninitialized_tensor", ctypes.byref(out))
    equal(library.get("is_defined", out.value, ctypes.c_bool), False, "is_defined")
    array = np.arange(3, dtype=np.float32)
    other = blob(library, array)
    call(library, "assign_tensors", Handle(other), Handle(out.value))
    equal(library.value(out.value).elements.tolist(), [0.0, 1.0, 2.0], "the tensor")
    library.delete(other)
    library.delete(out.value)
    return ""


def _a_region(library: Library) -> str:
    start, end = library.loaded.aoti_record_function_start, library.loaded.aoti_record_function_end
    start.argtypes = (ctypes.c_char_p, _P, _P, ctypes.c_uint64, _P)
    end.argtypes = (_P,)
    start.restype = end.restype = _I32
    guard = Handle()
    equal(start(b"kernel", None, None, 0, ctypes.byref(guard)), 0, "the code")
    equal(end(guard), 0, "the code")
    return ""


def _a_message_per_thread(library: Library) -> str:
    if attempt(library, "get_dim", Handle(None), ctypes.byref(_I64())) == 0:
        raise MismatchError("a null handle has a dimension")
    here = library.message()
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(library.message()))
    thread.start()
    thread.join()
    if not here or found == [here]:
        raise MismatchError(f"here it is {here!r}, in another thread {found[0]!r}")
    return ""


def _no_new_memory_when_warm(library: Library) -> str:
    """The same sizes again and again come from what was given back."""
    seen: set[int] = set()
    for _ in range(50):
        handles = [empty(library, [size], [1], 6) for size in (1, 100, 5000, 300000)]
        seen |= {library.get("get_data_ptr", handle, _P) for handle in handles}
        for handle in handles:
            library.delete(handle)
    if len(seen) > 16:
        raise MismatchError(f"{len(seen)} places for 4 tensors at a time")
    return ""


def _several_threads(
    library: Library, shims: dict[str, list[str]], cases: list[dict[str, Any]], data: bytes
) -> str:
    """Cases that pass alone pass as well while other threads run others."""
    usable = [case for case in cases if library.has(case["shim"])]
    chosen = usable[:: max(1, len(usable) // _CASES)]
    failed: dict[int, str] = {}

    def one(number: int, case: dict[str, Any]) -> str:
        run = Run(library, case, data, number)
        try:
            run.run(shims[case["shim"]])
        except MismatchError as mismatch:
            return str(mismatch)
        finally:
            run.close()
        return ""

    alone = {number: one(number, case) for number, case in enumerate(chosen)}

    def work(first: int) -> None:
        order = list(enumerate(chosen))
        for number, case in order[first * len(order) // _THREADS :] + order:
            if not alone[number]:
                reason = one(number, case)
                if reason:
                    failed[number] = f"{case['shim']} {case['dtype']}: {reason}"

    threads = [threading.Thread(target=work, args=(first,)) for first in range(_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        first = next(iter(failed.values()))
        raise MismatchError(f"{len(failed)} of {len(chosen)} fail beside others: {first}")
    return f"{len(chosen)} cases in {_THREADS} threads"


_CHECKS: tuple[tuple[str, Callable[[Library], str]], ...] = (
    ("aoti_torch_scalar_to_tensor_complex64", _complex_numbers),
    ("aoti_torch_scalar_to_tensor_complex128", _complex_numbers),
    ("aoti_torch_item_complex64", _complex_numbers),
    ("aoti_torch_abi_version", _version),
    ("aoti_torch_create_tensor_from_blob", _from_memory),
    ("aoti_torch_new_uninitialized_tensor", _an_undefined_tensor),
    ("aoti_record_function_start", _a_region),
    ("aoti_record_function_end", _a_region),
)
#: what torch's own does otherwise, or does not check
_STRICTER: tuple[tuple[str, Callable[[Library], str]], ...] = (
    ("aoti_torch_create_tensor_from_blob", _null_memory),
    ("aoti_torch_get_dim", _a_message_per_thread),
    ("aoti_torch_empty_strided", _no_new_memory_when_warm),
)

"""What is expected of the functions that handle tensors and numbers, each a check of its own."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from typing import Any

import case_file
import numpy as np
from library import Handle, Library, MismatchError

_I32, _I64 = ctypes.c_int32, ctypes.c_int64
_P = ctypes.c_void_p

Check = tuple[str, str, Callable[[], str]]

#: functions without arguments that return a number
_CONSTANTS = {
    "device_type_cpu": 0,
    "device_type_cuda": 1,
    "device_type_meta": 14,
    "device_type_xpu": 12,
    "device_type_mps": 13,
    "device_type_privateuse1": 20,
    "layout_strided": 0,
    "layout_sparse_coo": 1,
    "layout_sparse_csr": 2,
    "layout__mkldnn": 3,
    "layout_sparse_csc": 4,
    "layout_sparse_bsr": 5,
    "layout_sparse_bsc": 6,
    "layout_jagged": 7,
    "memory_format_contiguous_format": 0,
    "memory_format_preserve_format": 1,
    "memory_format_channels_last": 2,
    "memory_format_channels_last_3d": 3,
    "dtype_uint8": 0,
    "dtype_int8": 1,
    "dtype_int16": 2,
    "dtype_int32": 3,
    "dtype_int64": 4,
    "dtype_float16": 5,
    "dtype_float32": 6,
    "dtype_float64": 7,
    "dtype_complex32": 8,
    "dtype_complex64": 9,
    "dtype_complex128": 10,
    "dtype_bool": 11,
    "dtype_bfloat16": 15,
    "dtype_float8_e5m2": 23,
    "dtype_float8_e4m3fn": 24,
    "dtype_float8_e5m2fnuz": 25,
    "dtype_float8_e4m3fnuz": 26,
    "dtype_uint16": 27,
    "dtype_uint32": 28,
    "dtype_uint64": 29,
    "dtype_float8_e8m0fnu": 44,
    "dtype_float4_e2m1fn_x2": 45,
}

_SCALARS: dict[str, tuple[Any, list[Any]]] = {
    "float32": (ctypes.c_float, [0.0, -1.5, 3e38, float("inf")]),
    "float64": (ctypes.c_double, [0.0, -1.5, 1e300]),
    "uint8": (ctypes.c_uint8, [0, 255]),
    "uint16": (ctypes.c_uint16, [0, 65535]),
    "uint32": (ctypes.c_uint32, [0, 2**32 - 1]),
    "uint64": (ctypes.c_uint64, [0, 2**64 - 1]),
    "int8": (ctypes.c_int8, [-128, 127]),
    "int16": (ctypes.c_int16, [-32768, 32767]),
    "int32": (ctypes.c_int32, [-(2**31), 2**31 - 1]),
    "int64": (ctypes.c_int64, [-(2**63), 2**63 - 1]),
    "bool": (ctypes.c_bool, [False, True]),
}


def tensor_checks(library: Library, torchs: bool) -> Iterator[Check]:
    """The checks: C function, what is checked, and the check itself."""
    for name, number in _CONSTANTS.items():
        yield f"aoti_torch_{name}", "constant", _bind(_constant, library, name, number)
    yield "aoti_torch_dtype_element_size", "all", _bind(_element_size, library)
    yield "aoti_torch_grad_mode_set_enabled", "set and read", _bind(_grad_mode, library)
    yield "aoti_torch_grad_mode_is_enabled", "set and read", _bind(_grad_mode, library)
    for dtype in _SCALARS:
        name = f"aoti_torch_scalar_to_tensor_{dtype}"
        yield name, "values", _bind(_scalar, library, dtype)
        yield f"aoti_torch_item_{dtype}", "values", _bind(_item, library, dtype)
    for dtype in ("float16", "bfloat16"):
        yield f"aoti_torch_item_{dtype}", "values", _bind(_item_half, library, dtype)
    yield "aoti_torch_item_float32", "of two elements", _bind(_item_of_two, library)
    for name, check in _OTHERS + (() if torchs else _STRICTER):
        what = check.__name__.strip("_").replace("_", " ")
        yield f"aoti_torch_{name}", what, _bind(check, library)


def _bind(check: Callable[..., str], *values: Any) -> Callable[[], str]:
    return lambda: check(*values)


def call(library: Library, name: str, *arguments: Any) -> None:
    """Call a function whose arguments are ctypes values; it must return 0."""
    code = attempt(library, name, *arguments)
    if code != 0:
        raise MismatchError(f"aoti_torch_{name} returns {code}: {library.message()[:300]}")


def attempt(library: Library, name: str, *arguments: Any) -> int:
    """Call a function whose arguments are ctypes values; its code."""
    function = getattr(library.loaded, f"aoti_torch_{name}")
    function.argtypes, function.restype = None, _I32
    return int(function(*arguments))


def equal(got: Any, expected: Any, what: str) -> None:
    if got != expected:
        raise MismatchError(f"{what} is {got}, expected {expected}")


def dims(values: list[int]) -> Any:
    return (_I64 * max(len(values), 1))(*values)


def blob(library: Library, array: np.ndarray, sizes: Any = None, strides: Any = None) -> int:
    """A tensor over an array's memory."""
    number = next(n for n, (_, _, kind) in case_file.DTYPES.items() if kind == array.dtype.type)
    sizes = list(array.shape) if sizes is None else sizes
    if strides is None:
        strides = [stride // array.itemsize for stride in array.strides]
    return library.from_blob(array.ctypes.data, [number, sizes, strides, 0, 0, 0])


def empty(library: Library, sizes: list[int], strides: list[int], dtype: int) -> int:
    out = Handle()
    call(
        library,
        "empty_strided",
        _I64(len(sizes)),
        dims(sizes),
        dims(strides),
        _I32(dtype),
        _I32(0),
        _I32(0),
        ctypes.byref(out),
    )
    assert out.value
    return out.value


def _constant(library: Library, name: str, number: int) -> str:
    function = getattr(library.loaded, f"aoti_torch_{name}")
    function.argtypes, function.restype = (), _I32
    equal(function(), number, name)
    return ""


def _element_size(library: Library) -> str:
    function = library.loaded.aoti_torch_dtype_element_size
    function.argtypes, function.restype = (_I32,), ctypes.c_size_t
    for number, (name, width, _) in case_file.DTYPES.items():
        equal(function(number), width, name)
    return ""


def _grad_mode(library: Library) -> str:
    get, put = (
        library.loaded.aoti_torch_grad_mode_is_enabled,
        library.loaded.aoti_torch_grad_mode_set_enabled,
    )
    get.argtypes, get.restype = (), ctypes.c_bool
    put.argtypes, put.restype = (ctypes.c_bool,), None
    for value in (False, True, False):
        put(value)
        equal(get(), value, "the mode")
    return ""


def _scalar(library: Library, dtype: str) -> str:
    kind, values = _SCALARS[dtype]
    for value in values:
        out = Handle()
        call(library, f"scalar_to_tensor_{dtype}", kind(value), ctypes.byref(out))
        got = library.value(out.value)
        equal(case_file.DTYPES[got.dtype][0], dtype, "dtype")
        equal(got.sizes, [], "sizes")
        equal(got.elements.item(), kind(value).value, "the value")
        library.delete(out.value)
    return ""


def _item(library: Library, dtype: str) -> str:
    kind, values = _SCALARS[dtype]
    for value in values:
        array = np.array([value], dtype)
        handle, result = blob(library, array, [], []), kind()
        call(library, f"item_{dtype}", Handle(handle), ctypes.byref(result))
        equal(result.value, kind(value).value, "the value")
        library.delete(handle)
    return ""


def _item_half(library: Library, dtype: str) -> str:
    bits = 0x3E00 if dtype == "float16" else 0x3FC0
    array, result = np.array([bits], np.uint16), ctypes.c_uint16()
    number = 5 if dtype == "float16" else 15
    handle = library.from_blob(array.ctypes.data, [number, [1, 1], [1, 1], 0, 0, 0])
    call(library, f"item_{dtype}", Handle(handle), ctypes.byref(result))
    equal(result.value, bits, "the bits")
    library.delete(handle)
    return ""


def _item_of_two(library: Library) -> str:
    array, result = np.array([1, 2], np.float32), ctypes.c_float()
    handle = blob(library, array)
    code = attempt(library, "item_float32", Handle(handle), ctypes.byref(result))
    library.delete(handle)
    if code == 0:
        raise MismatchError("takes one element of a tensor of two")
    return ""


def _metadata(library: Library) -> str:
    array = np.arange(40, dtype=np.float32)
    descriptor = [6, [2, 3, 1], [12, 4, 7], 5, 0, 0]
    handle = library.from_blob(array.ctypes.data, descriptor)
    expected = {
        "get_dim": 3,
        "get_numel": 6,
        "get_storage_offset": 5,
        "get_dtype": 6,
        "get_device_type": 0,
        "get_layout": 0,
        "get_data_ptr": array.ctypes.data + 20,
    }
    kinds = {"get_dtype": _I32, "get_device_type": _I32, "get_layout": _I32, "get_data_ptr": _P}
    for name, value in expected.items():
        equal(library.get(name, handle, kinds.get(name, _I64)), value, name)
    for name, wanted in (("size", [2, 3, 1]), ("stride", [12, 4, 7])):
        for place, value in enumerate(wanted):
            result = _I64()
            for index in (place, place - 3):
                arguments = (Handle(handle), _I64(index), ctypes.byref(result))
                call(library, f"get_{name}", *arguments)
                equal(result.value, value, f"{name} {index}")
        if attempt(library, f"get_{name}", Handle(handle), _I64(3), ctypes.byref(_I64())) == 0:
            raise MismatchError(f"get_{name} of dimension 3 of 3 is no error")
    equal(library.get("is_contiguous", handle, ctypes.c_bool), False, "is_contiguous")
    equal(library.get("is_defined", handle, ctypes.c_bool), True, "is_defined")
    library.delete(handle)
    return ""


def _sizes_of_empty_storages(library: Library) -> str:
    handle = empty(library, [2, 0, 3], [3, 3, 1], 7)
    equal(library.get("get_numel", handle, _I64), 0, "numel")
    equal(library.get("get_storage_size", handle, _I64), 0, "bytes of the storage")
    library.delete(handle)
    return ""


def _bytes_of_a_strided_storage(library: Library) -> str:
    handle = empty(library, [2, 3], [10, 2], 6)
    # up to the last element, as torch reserves it
    equal(library.get("get_storage_size", handle, _I64), 60, "bytes of the storage")
    if library.has("aoti_torch_get_storage_numel"):
        equal(library.get("get_storage_numel", handle, _I64), 15, "elements of the storage")
    library.delete(handle)
    return ""


def _many_shapes(library: Library) -> str:
    for sizes, strides in (([], []), ([5], [1]), ([3, 4], [1, 3]), ([1, 1, 2], [9, 5, 1])):
        for dtype in (0, 4, 6, 10, 11, 15):
            handle = empty(library, sizes, strides, dtype)
            got = library.value(handle)
            equal((got.sizes, got.strides, got.dtype), (sizes, strides, dtype), "the tensor")
            width = case_file.DTYPES[dtype][1]
            equal(got.address % width, 0, "the alignment")
            library.delete(handle)
    return ""


def _bad_shapes(library: Library) -> str:
    out = Handle()
    for sizes, strides in (([-1], [1]), ([2], [-1]), ([2**40, 2**40], [2**40, 1])):
        code = attempt(
            library,
            "empty_strided",
            _I64(len(sizes)),
            dims(sizes),
            dims(strides),
            _I32(6),
            _I32(0),
            _I32(0),
            ctypes.byref(out),
        )
        if code == 0:
            raise MismatchError(f"makes a tensor of sizes {sizes} and strides {strides}")
    return ""


def _no_dtype(library: Library) -> str:
    out = Handle()
    arguments = (_I64(1), dims([2]), dims([1]), _I32(99), _I32(0), _I32(0), ctypes.byref(out))
    if attempt(library, "empty_strided", *arguments) == 0:
        raise MismatchError("makes a tensor of dtype 99")
    return ""


def _shared_memory(library: Library) -> str:
    array = np.arange(24, dtype=np.float32)
    first = blob(library, array, [4, 6], [6, 1])
    second = Handle()
    arguments = (Handle(first), _I64(2), dims([3, 2]), dims([1, 6]), _I64(7), ctypes.byref(second))
    call(library, "_reinterpret_tensor", *arguments)
    got = library.value(second.value)
    equal(got.elements.tolist(), [[7.0, 13.0], [8.0, 14.0], [9.0, 15.0]], "the view")
    equal(library.get("get_storage_offset", second.value, _I64), 7, "the offset")
    # the storage lives as long as one of them
    library.delete(first)
    array[7] = 99
    equal(float(library.value(second.value).elements[0, 0]), 99.0, "the element written")
    library.delete(second.value)
    return ""


def _a_view_outlives_its_owner(library: Library) -> str:
    owner = empty(library, [1000], [1], 6)
    address = library.get("get_data_ptr", owner, _P)
    np.frombuffer((ctypes.c_char * 4000).from_address(address), np.float32)[:] = 5
    view = Handle()
    arguments = (Handle(owner), _I64(1), dims([10]), dims([1]), _I64(990), ctypes.byref(view))
    call(library, "_reinterpret_tensor", *arguments)
    library.delete(owner)
    others = [empty(library, [1000], [1], 6) for _ in range(4)]
    for other in others:
        place = library.get("get_data_ptr", other, _P)
        ctypes.memset(place, 0, 4000)
    equal(library.value(view.value).elements.tolist(), [5.0] * 10, "the view")
    for handle in [*others, view.value]:
        library.delete(handle)
    return ""


def _a_view_past_the_end(library: Library) -> str:
    array, out = np.zeros(24, np.float32), Handle()
    handle = blob(library, array)
    for sizes, strides, offset in (([25], [1], 0), ([3, 3], [12, 1], 0), ([2], [1], 23)):
        arguments = (_I64(len(sizes)), dims(sizes), dims(strides), _I64(offset), ctypes.byref(out))
        code = attempt(library, "_reinterpret_tensor", Handle(handle), *arguments)
        if code == 0 and sizes != [3, 3]:
            library.delete(out.value)
            raise MismatchError(f"shows {sizes} with {strides} from {offset} of 24 elements")
        if code == 0:
            library.delete(out.value)
    library.delete(handle)
    return ""


def _two_handles_one_tensor(library: Library) -> str:
    array, second = np.arange(3, dtype=np.float32), Handle()
    first = blob(library, array)
    call(library, "new_tensor_handle", Handle(first), ctypes.byref(second))
    equal(second.value != first, True, "another handle")
    library.delete(first)
    equal(library.value(second.value).elements.tolist(), [0.0, 1.0, 2.0], "the tensor")
    library.delete(second.value)
    return ""


def _assignment(library: Library) -> str:
    one, two = np.arange(3, dtype=np.float32), np.zeros((2, 2), np.int64)
    first, second = blob(library, one), blob(library, two)
    call(library, "assign_tensors", Handle(first), Handle(second))
    got = library.value(second)
    equal((got.sizes, got.dtype), ([3], 6), "the second tensor")
    equal(got.address, one.ctypes.data, "its memory")
    library.delete(first)
    equal(library.value(second).elements.tolist(), [0.0, 1.0, 2.0], "the second tensor")
    library.delete(second)
    return ""


def _assignment_to_a_new_one(library: Library) -> str:
    one, out = np.arange(3, dtype=np.float32), Handle()
    first = blob(library, one)
    call(library, "assign_tensors_out", Handle(first), ctypes.byref(out))
    equal(library.value(out.value).address, one.ctypes.data, "its memory")
    library.delete(first)
    library.delete(out.value)
    return ""


def _pool(library: Library) -> str:
    array, out = np.arange(32, dtype=np.float32), Handle()
    first = blob(library, array)
    arguments = (_I64(16), _I32(3), _I64(2), dims([2, 3]), dims([3, 1]), ctypes.byref(out))
    call(library, "_alloc_from_pool", Handle(first), *arguments)
    got = library.value(out.value)
    equal((got.address, got.dtype, got.sizes), (array.ctypes.data + 16, 3, [2, 3]), "the tensor")
    library.delete(out.value)
    library.delete(first)
    return ""


def _not_a_number(library: Library) -> str:
    for value, wrong in ((1.0, False), (float("nan"), True), (float("inf"), True)):
        array = np.array([1, value, 2], np.float32)
        handle = blob(library, array)
        code = attempt(library, "check_inf_and_nan", ctypes.c_char_p(b"x"), Handle(handle))
        library.delete(handle)
        equal(code != 0, wrong, f"an error for {value}")
    return ""


def _deleted_twice(library: Library) -> str:
    handle = empty(library, [3], [1], 6)
    library.delete(handle)
    if attempt(library, "delete_tensor_object", Handle(handle)) == 0:
        raise MismatchError("deletes a handle twice")
    return ""


_OTHERS: tuple[tuple[str, Callable[[Library], str]], ...] = (
    ("create_tensor_from_blob_v2", _metadata),
    ("get_dim", _metadata),
    ("get_numel", _metadata),
    ("get_storage_offset", _metadata),
    ("get_dtype", _metadata),
    ("get_device_type", _metadata),
    ("get_layout", _metadata),
    ("get_data_ptr", _metadata),
    ("get_size", _metadata),
    ("get_stride", _metadata),
    ("is_contiguous", _metadata),
    ("is_defined", _metadata),
    ("get_storage_size", _sizes_of_empty_storages),
    ("get_storage_size", _bytes_of_a_strided_storage),
    ("get_storage_numel", _bytes_of_a_strided_storage),
    ("empty_strided", _many_shapes),
    ("empty_strided", _bad_shapes),
    ("get_sizes", _many_shapes),
    ("get_strides", _many_shapes),
    ("_reinterpret_tensor", _shared_memory),
    ("_reinterpret_tensor", _a_view_outlives_its_owner),
    ("new_tensor_handle", _two_handles_one_tensor),
    ("assign_tensors", _assignment),
    ("assign_tensors_out", _assignment_to_a_new_one),
    ("_alloc_from_pool", _pool),
    ("check_inf_and_nan", _not_a_number),
)

#: what torch's own does not check
_STRICTER: tuple[tuple[str, Callable[[Library], str]], ...] = (
    ("empty_strided", _no_dtype),
    ("_reinterpret_tensor", _a_view_past_the_end),
    ("delete_tensor_object", _deleted_twice),
)

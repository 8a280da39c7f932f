"""The run time's DLL as Windows sees it, in a Python without torch. Prints "fine" at its end.

Arguments: the folder of the DLLs.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from typing import Any

folder = Path(sys.argv[1])
runtime = ctypes.CDLL(str(folder / "aotwin.dll"))
program = ctypes.CDLL(str(folder / "openmp_program.dll"))
runtime.torch_exception_get_what.restype = ctypes.c_char_p
runtime.aotwin_take_failure.restype = ctypes.c_char_p


def call(name: str, *arguments: Any) -> None:
    code = getattr(runtime, name)(*arguments)
    assert code == 0, (name, runtime.torch_exception_get_what())


def longs(*values: int) -> Any:
    return (ctypes.c_int64 * len(values))(*values)


def long(value: int) -> ctypes.c_int64:
    return ctypes.c_int64(value)


def check_regions(threads: int) -> None:
    runtime.aotwin_set_num_threads(threads)
    assert program.team_size() == threads
    assert program.nested() == threads
    assert program.phases(1000) == 0
    for schedule in range(7):
        counts = (ctypes.c_int32 * 97)()
        program.count_iterations(
            schedule, long(3), long(97), long(2 if schedule < 5 else 1), long(4), counts
        )
        assert set(counts) == {{4: 9, 5: 3}.get(schedule, 1)}, schedule
    most = ctypes.c_int()
    assert program.hosts_at_once(3, 50, ctypes.byref(most)) == 0
    program.failing_region(long(100), long(57))
    assert b"index out of bounds" in runtime.aotwin_take_failure()


def check_tensors() -> None:
    handle, view, copy = (ctypes.c_void_p() for _ in range(3))
    data = ctypes.c_void_p()
    call(
        "aoti_torch_empty_strided",
        long(2),
        longs(200, 300),
        longs(300, 1),
        6,
        0,
        0,
        ctypes.byref(handle),
    )
    call("aoti_torch_get_data_ptr", handle, ctypes.byref(data))
    assert data.value and data.value % 64 == 0
    (ctypes.c_float * 60_000).from_address(data.value)[:] = range(60_000)
    call(
        "aoti_torch__reinterpret_tensor",
        handle,
        long(2),
        longs(300, 200),
        longs(1, 300),
        long(0),
        ctypes.byref(view),
    )
    call(
        "aoti_torch_empty_strided",
        long(2),
        longs(300, 200),
        longs(200, 1),
        7,
        0,
        0,
        ctypes.byref(copy),
    )
    call("aoti_torch_copy_", copy, view, 0)
    call("aoti_torch_get_data_ptr", copy, ctypes.byref(data))
    result = (ctypes.c_double * 60_000).from_address(data.value)
    assert all(
        result[column * 200 + row] == row * 300 + column
        for row in range(0, 200, 7)
        for column in range(0, 300, 11)
    )
    for one in (handle, view, copy):
        call("aoti_torch_delete_tensor_object", one)


def check_complex_by_value() -> None:
    class Complex(ctypes.Structure):
        _fields_ = (("real", ctypes.c_float), ("imaginary", ctypes.c_float))

    handle, value = ctypes.c_void_p(), Complex()
    call("aoti_torch_scalar_to_tensor_complex64", Complex(1.5, -2.5), ctypes.byref(handle))
    call("aoti_torch_item_complex64", handle, ctypes.byref(value))
    assert (value.real, value.imaginary) == (1.5, -2.5)


for count in (1, 2, 3):
    check_regions(count)
assert program.failing_check() in (1, 2)
check_tensors()
check_complex_by_value()
print("fine")

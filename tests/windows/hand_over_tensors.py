"""Hands constants over to a model over our own run time, as a host written in C would.

Runs on Windows: python hand_over_tensors.py MODEL.dll LIBRARY.dll CONSTANTS.npz INPUT.npy. The
archive holds a constant for each name in the generated code. Prints what the model gives, one line
of JSON, by how it got them; and, under "refused", why it did not take what only looks like blocks.
"""

import ctypes
import json
import sys
from typing import Any

import numpy

_ADDRESS = ctypes.c_void_p


class Entry(ctypes.Structure):
    """AOTInductorConstantMapEntry."""

    _fields_ = (("name", ctypes.c_char_p), ("handle", _ADDRESS))


model, library = ctypes.CDLL(sys.argv[1]), ctypes.CDLL(sys.argv[2])
constants = dict(numpy.load(sys.argv[3]))
given = numpy.load(sys.argv[4])
#: memory that tensors lie in
kept: list[Any] = []


class ModelError(Exception):
    """What the model says."""


def checked(error: int) -> None:
    if error:
        reason = ctypes.c_char_p()
        model.AOTInductorGetLastError(ctypes.byref(reason))
        raise ModelError((reason.value or b"").decode())


def tensor(array: Any) -> Any:
    """A tensor over an array, with the array's strides."""
    kept.append(array)
    numbers = ctypes.c_int64 * array.ndim
    handle = _ADDRESS()
    error = library.aoti_torch_create_tensor_from_blob(
        _ADDRESS(array.ctypes.data),
        ctypes.c_int64(array.ndim),
        numbers(*array.shape),
        numbers(*(stride // array.itemsize for stride in array.strides)),
        ctypes.c_int64(0),
        library.aoti_torch_dtype_float32(),
        library.aoti_torch_device_type_cpu(),
        0,
        ctypes.byref(handle),
    )
    assert error == 0
    return handle


def container() -> Any:
    handle = _ADDRESS()
    checked(
        model.AOTInductorModelContainerCreateWithDevice(
            ctypes.byref(handle), ctypes.c_size_t(1), b"cpu", None
        )
    )
    return handle


def entries(tensors: dict[str, Any]) -> Any:
    made = (Entry * len(tensors))()
    for entry, (name, handle) in zip(made, tensors.items(), strict=True):
        entry.name, entry.handle = name.encode(), handle
    return made


def update(into: Any, tensors: dict[str, Any], *, user_managed: bool) -> None:
    name = "AOTInductorModelContainerUpdate{}ConstantBufferPairs".format(
        "UserManaged" if user_managed else ""
    )
    pairs = entries(tensors)
    checked(
        getattr(model, name)(
            into, pairs, ctypes.c_size_t(len(pairs)), ctypes.c_bool(False), ctypes.c_bool(True)
        )
    )


def extracted(of: Any) -> dict[str, Any]:
    """A container's own tensors, by their names in the generated code."""
    found, count = ctypes.POINTER(Entry)(), ctypes.c_size_t()
    checked(
        model.AOTInductorModelContainerExtractConstantsMapEntries(
            of, ctypes.byref(found), ctypes.byref(count), ctypes.c_bool(False)
        )
    )
    return {
        found[i].name.decode().replace(".", "_"): _ADDRESS(found[i].handle)
        for i in range(count.value)
    }


def run(of: Any) -> list[float]:
    inputs = (_ADDRESS * 1)(tensor(given))
    outputs = (_ADDRESS * 1)()
    one = ctypes.c_size_t(1)
    checked(model.AOTInductorModelContainerRun(of, inputs, one, outputs, one, None, None))
    data, count = _ADDRESS(), ctypes.c_int64()
    library.aoti_torch_get_data_ptr(_ADDRESS(outputs[0]), ctypes.byref(data))
    library.aoti_torch_get_numel(_ADDRESS(outputs[0]), ctypes.byref(count))
    numbers = ctypes.cast(data, ctypes.POINTER(ctypes.c_float))
    return [float(number) for number in numbers[: count.value]]


def turned(array: Any) -> Any:
    """The same with its first dimension the fastest; where that has less than a block, as it is."""
    return numpy.ascontiguousarray(array.T).T if len(array) > 32 else array


def sharing_places(array: Any) -> Any:
    """Of the same shape, with the strides of blocks over memory that is too small for them."""
    few = numpy.ones(32 * array.shape[1] + len(array), array.dtype)
    return numpy.lib.stride_tricks.as_strided(few, array.shape, (4, 128))


def refused(of: Any) -> str:
    tensors = {name: tensor(array) for name, array in constants.items()}
    tensors["first_weight"] = tensor(sharing_places(constants["first_weight"]))
    try:
        update(of, tensors, user_managed=True)
    except ModelError as error:
        return str(error)
    return ""


def main() -> None:
    first = container()
    results: dict[str, Any] = {"refused": refused(first), "as built": run(first)}
    for form, change in {"rows": numpy.ascontiguousarray, "turned": turned}.items():
        tensors = {name: tensor(change(array)) for name, array in constants.items()}
        for user_managed in (False, True):
            into = container()
            update(into, tensors, user_managed=user_managed)
            way = "user-managed" if user_managed else "copied"
            results[f"{form}, {way}"] = run(into)
            # What came from a container goes into another one as it lies.
            for again in (False, True):
                other = container()
                update(other, extracted(into), user_managed=again)
                way_again = "user-managed" if again else "copied"
                results[f"{form}, {way}, then {way_again}"] = run(other)
    for again in (False, True):
        other = container()
        update(other, extracted(first), user_managed=again)
        results[f"as built, then {'user-managed' if again else 'copied'}"] = run(other)
    print(json.dumps(results))


main()

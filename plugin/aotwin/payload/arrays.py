"""Tensors of users as the run time takes them.

Part of a model's package. Arguments are numpy arrays, torch tensors on the CPU, or anything with
`__dlpack__`. torch is never imported here: where an argument is a tensor of it, it is there.
Element types that numpy lacks come from ml_dtypes, if that is installed.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from .c_api import MAX_RANK, Tensor

if TYPE_CHECKING:
    from . import Input

#: arrays of so many sizes: ctypes keeps a type for each length that it was ever asked for
DIMS = [ctypes.c_int64 * rank for rank in range(MAX_RANK + 1)]
#: kDLCPU (dlpack.h)
_DLPACK_CPU = 1


class Dtype:
    """An element type.

    Args:
        name: torch's short name.
        number: aotwin_dtype's.
        storage: name of a type of numpy's with the same bytes; "" where it has this very type.
    """

    __slots__ = ("is_native", "itemsize", "name", "number", "storage", "typestr")

    def __init__(self, name: str, number: int, storage: str = "") -> None:
        self.name = name
        self.number = number
        self.is_native = not storage
        self.storage = np.dtype(storage or name)
        self.itemsize: int = self.storage.itemsize
        self.typestr: str = self.storage.str


_NATIVE = {
    "float32": 1, "float64": 2, "float16": 3, "int8": 5, "int16": 6, "int32": 7, "int64": 8,
    "uint8": 9, "uint16": 10, "uint32": 11, "uint64": 12, "bool": 13, "complex64": 15,
    "complex128": 16,
}  # fmt: skip
_OTHERS = {
    "bfloat16": (4, "int16"), "complex32": (14, "int32"), "float8_e4m3fn": (17, "uint8"),
    "float8_e5m2": (18, "uint8"), "float8_e4m3fnuz": (19, "uint8"),
    "float8_e5m2fnuz": (20, "uint8"),
}  # fmt: skip
#: torch's short name -> element type
DTYPES = {
    **{name: Dtype(name, number) for name, number in _NATIVE.items()},
    **{name: Dtype(name, number, storage) for name, (number, storage) in _OTHERS.items()},
}
BY_NUMBER = {dtype.number: dtype for dtype in DTYPES.values()}


@cache
def numpy_type(dtype: Dtype) -> Any:
    """The type of numpy's that has this name, or None: ml_dtypes is not there or has none."""
    if dtype.is_native:
        return dtype.storage
    try:
        import ml_dtypes
    except ImportError:
        return None
    found = getattr(ml_dtypes, dtype.name, None)
    return None if found is None else np.dtype(found)


def advice(dtype: Dtype) -> str:
    """What to do where numpy lacks an element type."""
    others = "." if dtype.name == "complex32" else ", or install ml_dtypes: pip install ml_dtypes"
    return f"numpy has no {dtype.name}: pass torch tensors{others}"


class Argument:
    """One input of a model: what is known of it made ready, so that a call only compares.

    Args:
        expected: what the manifest says.
    """

    def __init__(self, expected: Input) -> None:
        self.expected = expected
        self.dtype = DTYPES.get(expected.dtype)
        self.numpy_type = numpy_type(self.dtype) if self.dtype else None
        shape = expected.shape
        is_fixed = shape is not None and all(isinstance(size, int) for size in shape)
        #: all its sizes, where none is free
        self.shape: Any = tuple(shape or ()) if is_fixed else None
        self._torch_type: Any = None

    def put(self, leaf: Any, place: Place, torch: Any) -> Any:
        """Check a tensor and tell the run time where it lies.

        Args:
            leaf: what the user gave.
            place: of the call.
            torch: the module, or None where nobody has imported it.

        Returns:
            What must live until the call is over.
        """
        if type(leaf) is np.ndarray:
            return self._put_array(leaf, place)
        if torch is not None and isinstance(leaf, torch.Tensor):
            return self._put_torch(leaf, place, torch)
        if isinstance(leaf, (np.ndarray, np.generic)):
            return self._put_array(np.asarray(leaf), place)
        if hasattr(leaf, "__dlpack__") and hasattr(leaf, "__dlpack_device__"):
            return self._put_array(self._from_dlpack(leaf), place)
        return self.expected.refuse(leaf)

    def _put_array(self, array: Any, place: Place) -> Any:
        dtype = self.dtype
        if dtype is None:
            dtype = self._dtype_of(array.dtype.name)
        elif array.dtype is not self.numpy_type and array.dtype != self.numpy_type:
            self._refuse_dtype(dtype, str(array.dtype))
        shape = array.shape
        if shape != self.shape:
            self.expected.check(dtype.name, shape, "cpu")
        flags, strides = array.flags, None
        # A model may write its arguments: an array that must not be written is copied.
        if not (flags.c_contiguous and flags.aligned and flags.writeable):
            itemsize = array.itemsize
            if (
                not (flags.aligned and flags.writeable)
                or any(step < 0 or step % itemsize for step in array.strides)
            ):  # fmt: skip
                array = array.copy(order="K")
            strides = [step // itemsize for step in array.strides]
        elif self.expected.dim_order is not None:
            strides = [step // array.itemsize for step in array.strides]
        place.fill(array.ctypes.data, dtype, shape, strides)
        return array

    def _put_torch(self, tensor: Any, place: Place, torch: Any) -> Any:
        torch_type = tensor.dtype
        if torch_type is self._torch_type and self.dtype is not None:
            dtype, name = self.dtype, self.dtype.name
        else:
            name = str(torch_type).removeprefix("torch.")
            dtype = self.dtype or self._dtype_of(name)
        shape = tuple(tensor.shape)
        device = tensor.device.type
        if name != dtype.name or device != "cpu" or shape != self.shape:
            self.expected.check(name, shape, "cpu" if device == "cpu" else str(tensor.device))
        self._torch_type = torch_type
        if tensor.layout is not torch.strided:
            raise TypeError(f"{self.expected.title} must be dense, got {tensor.layout}")
        if tensor.is_conj() or tensor.is_neg():
            tensor = tensor.resolve_conj().resolve_neg()
        strides = None
        if self.expected.dim_order is not None or not tensor.is_contiguous():
            strides = tensor.stride()
        place.fill(tensor.data_ptr(), dtype, shape, strides)
        return tensor

    def _from_dlpack(self, leaf: Any) -> Any:
        kind, number = leaf.__dlpack_device__()
        if kind != _DLPACK_CPU:
            self.expected.check(self.expected.dtype, (), f"DLPack's device ({kind}, {number})")
        try:
            return np.from_dlpack(leaf)
        except (BufferError, RuntimeError, TypeError, ValueError) as error:
            raise TypeError(
                f"{self.expected.title} cannot be taken through DLPack: {error}. "
                "Pass a numpy array or a torch tensor."
            ) from error

    def _refuse_dtype(self, dtype: Dtype, found: str) -> None:
        hint = f". {advice(dtype)}" if self.numpy_type is None else ""
        raise TypeError(f"{self.expected.title} must be {dtype.name}, got {found}{hint}")

    def _dtype_of(self, name: str) -> Dtype:
        dtype = DTYPES.get(name)
        if dtype is None:
            raise TypeError(f"{self.expected.title} is {name}, which no model takes")
        return dtype


class Place:
    """Room for what the library is told of one input; used again by later calls.

    Args:
        tensor: an element of the array that the library gets.
    """

    __slots__ = ("_shape", "_sizes", "_steps", "_steps_address", "_tensor")

    def __init__(self, tensor: Tensor) -> None:
        self._tensor = tensor
        self._sizes: Any = DIMS[MAX_RANK]()
        self._steps: Any = DIMS[MAX_RANK]()
        self._steps_address = ctypes.addressof(self._steps)
        self._shape: tuple[int, ...] = ()
        tensor.sizes = ctypes.addressof(self._sizes)

    def fill(
        self, data: int, dtype: Dtype, shape: tuple[int, ...], strides: Sequence[int] | None
    ) -> None:
        """Describe a tensor; `strides` in elements, None where there are no gaps."""
        tensor, rank = self._tensor, len(shape)
        tensor.data = data
        tensor.dtype = dtype.number
        tensor.rank = rank
        if shape != self._shape:
            self._sizes[:rank] = shape
            self._shape = shape
        if strides is None:
            count = prod(shape)
            tensor.strides = None
        else:
            steps = zip(shape, strides, strict=True)
            count = 1 + sum((size - 1) * step for size, step in steps) if all(shape) else 0
            self._steps[:rank] = strides
            tensor.strides = self._steps_address
        tensor.nbytes = count * dtype.itemsize

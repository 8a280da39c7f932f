"""Results of the run time as users get them: arrays of numpy's, or tensors of torch's.

Part of a model's package.
"""

from __future__ import annotations

import ctypes
from typing import Any, NoReturn

import numpy as np

from .arrays import BY_NUMBER, DIMS, DTYPES, Dtype, advice, numpy_type
from .c_api import Library, Results, Tensor


class Scratch:
    """Where the library describes one result after another."""

    __slots__ = ("memory", "tensor")

    def __init__(self) -> None:
        self.tensor = Tensor()
        self.memory = ctypes.c_int32()


class _Memory:
    """A result's elements in the library: what an array refers to keeps them alive."""

    __slots__ = ("__array_interface__", "results")

    def __init__(self, results: Results, interface: dict[str, Any]) -> None:
        self.results = results
        self.__array_interface__ = interface


class Result:
    """One output of a model.

    Args:
        model: its name, for messages.
        index: its position.
        row: the manifest's.
    """

    def __init__(self, model: str, index: int, row: dict[str, Any]) -> None:
        self._title = f"{model}: the result {row['name']}"
        self._index = index
        self._model = model
        known = DTYPES.get(row.get("dtype") or "")
        self._dtype = known
        #: whether numpy has its type, as far as is known before a run
        self.is_numpys = known is None or numpy_type(known) is not None

    def refuse(self, found: Dtype | None = None) -> NoReturn:
        """Refuse to give a result of which numpy has no type."""
        dtype = found or self._dtype or DTYPES["bfloat16"]
        raise TypeError(f"{self._title} is {dtype.name}. {advice(dtype)}")

    def take(self, library: Library, results: Results, scratch: Scratch, torch: Any) -> Any:
        """The result as an array of numpy's or, with `torch`, as a tensor of it.

        It lies where the library has it, unless that is memory of somebody else: a view of an
        input, a weight or a buffer is copied, since arrays can be written.
        """
        found = scratch.tensor
        library.get(self._model, results, self._index, found)
        dtype = BY_NUMBER.get(found.dtype)
        if dtype is None:
            return None
        rank, itemsize = found.rank, dtype.itemsize
        shape = DIMS[rank].from_address(found.sizes)[:] if rank else ()
        strides = None
        if found.strides and rank:
            strides = tuple(step * itemsize for step in DIMS[rank].from_address(found.strides))
        if not all(shape):
            array = np.empty(shape, dtype.storage)
        else:
            interface = {
                "version": 3, "data": (found.data, False), "typestr": dtype.typestr,
                "shape": tuple(shape), "strides": strides,
            }  # fmt: skip
            array = np.asarray(_Memory(results, interface))
            if not library.is_own(results, self._index, scratch.memory):
                array = array.copy(order="K")
        if torch is not None:
            tensor = torch.from_numpy(array)
            return tensor if dtype.is_native else tensor.view(getattr(torch, dtype.name))
        if dtype.is_native:
            return array
        named = numpy_type(dtype)
        if named is None:
            self.refuse(dtype)
        return array.view(named)

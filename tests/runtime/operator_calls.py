"""Calls of operators from Python: arguments by their Python type, results as torch tensors."""

from __future__ import annotations

import ctypes
import functools
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from . import native_library
from .handles import NUMBERS, Handle, Runtime, longs

FOLDERS = ("core", "threads", "operators")


@dataclass(frozen=True)
class Optional:
    """An argument that may be absent: passed as a pointer."""

    value: Any


@dataclass(frozen=True)
class TensorList:
    """Tensors, as an array of handles."""

    tensors: list[torch.Tensor]


@dataclass(frozen=True)
class IndexList:
    """Tensors that may be absent, as an array of pointers to handles."""

    tensors: list[torch.Tensor | None]


#: dtype, layout, device, its number, pinned memory
DEFAULTS = (None, None, None, ctypes.c_int32(0), None)


def of_dtype(dtype: torch.dtype) -> tuple[Any, ...]:
    return (Optional(ctypes.c_int32(NUMBERS[dtype])), *DEFAULTS[1:])


class Operators(Runtime):
    """The library, with calls that build handles and take results."""

    def answers(self, name: str, count: int, *arguments: Any) -> list[torch.Tensor]:
        """Call a function that returns `count` tensors."""
        slots = [ctypes.c_void_p() for _ in range(count)]
        self.invoke(name, *arguments, *(ctypes.byref(slot) for slot in slots))
        return [Handle(self, slot.value or 0).torch() for slot in slots]

    def answer(self, name: str, *arguments: Any) -> torch.Tensor:
        return self.answers(name, 1, *arguments)[0]

    def invoke(self, name: str, *arguments: Any) -> None:
        """Call a function; tensors are passed by their memory, which it may write."""
        kept: list[Any] = []
        given: list[Any] = []
        for argument in arguments:
            given += self._given(argument, kept)
        self.call(name, *given)

    def _given(self, argument: Any, kept: list[Any]) -> list[Any]:
        if isinstance(argument, torch.Tensor):
            kept.append(self.over(argument))
            return [ctypes.c_void_p(kept[-1].address)]
        if isinstance(argument, bool):
            return [ctypes.c_int32(argument)]
        if isinstance(argument, int):
            return [ctypes.c_int64(argument)]
        if isinstance(argument, float):
            return [ctypes.c_double(argument)]
        if isinstance(argument, str):
            return [ctypes.c_char_p(argument.encode())]
        if isinstance(argument, (list, tuple, torch.Size)):
            return [longs(argument), ctypes.c_int64(len(argument))]
        if isinstance(argument, Optional):
            return self._pointed(argument, kept)
        if isinstance(argument, (TensorList, IndexList)):
            return self._array(argument, kept)
        return [argument]

    def _pointed(self, argument: Optional, kept: list[Any]) -> list[Any]:
        if argument.value is None:
            return [None]
        (value,) = self._given(argument.value, kept)
        kept.append(value)
        return [ctypes.byref(value)]

    def _array(self, argument: TensorList | IndexList, kept: list[Any]) -> list[Any]:
        handles = [None if one is None else self.over(one) for one in argument.tensors]
        addresses = [ctypes.c_void_p(one.address if one else None) for one in handles]
        kept += [handles, addresses]
        count = len(handles)
        if isinstance(argument, TensorList):
            values = (ctypes.c_void_p * count)(*(one.value for one in addresses))
        else:
            places = [ctypes.addressof(one) if one.value else None for one in addresses]
            values = (ctypes.c_void_p * count)(*places)
        kept.append(values)
        return [values, ctypes.c_int64(count)]


@functools.cache
def library() -> Path:
    ready = os.environ.get("AOTWIN_RUNTIME_LIBRARY")
    if ready:
        return Path(ready)
    path = Path(tempfile.mkdtemp(prefix="operators-")) / "libaotwin_operators.so"
    native_library.build(path, folders=FOLDERS)
    return path


@pytest.fixture(scope="session")
def operators() -> Operators:
    pytest.importorskip("ziglang")
    return Operators(library())

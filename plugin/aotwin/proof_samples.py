"""What a model is proven with: inputs and expected results of calls, in files rather than memory.

Made where eager runs, or read from an `.npz`; used where the DLL is run. Knows nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

#: bytes
_MAPPED_FROM = 1 << 20


@dataclass(frozen=True)
class StoredTensor:
    """Elements in a file, row by row, little endian."""

    #: torch's short name
    dtype: str
    shape: tuple[int, ...]
    #: in the file, in bytes
    offset: int
    nbytes: int


class TensorFile:
    """A file that tensors are appended to.

    Args:
        path: made anew.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO = path.open("wb")
        self._end = 0

    def append(self, dtype: str, shape: Sequence[int], elements: Any) -> StoredTensor:
        """Write a tensor's elements.

        Args:
            elements: something with the buffer interface, of bytes.
        """
        view = memoryview(elements)
        self._file.write(view)
        stored = StoredTensor(dtype, tuple(shape), self._end, view.nbytes)
        self._end += view.nbytes
        return stored

    def close(self) -> None:
        """Nothing is appended any more."""
        self._file.close()


def read_tensor(path: Path, stored: StoredTensor) -> Any:
    """A tensor's elements as a numpy array: of the file's own memory where they are many."""
    import numpy as np

    from aotwin.payload.comparing import stored_type

    dtype = stored_type(stored.dtype)
    if stored.nbytes < _MAPPED_FROM:
        with path.open("rb") as file:
            file.seek(stored.offset)
            return np.frombuffer(file.read(stored.nbytes), dtype).reshape(stored.shape)
    return np.memmap(path, dtype, "r", stored.offset, stored.shape)


@dataclass(frozen=True)
class ExpectedResult:
    """One of the flat results that is a tensor or a number."""

    #: among the flat results
    position: int
    name: str
    #: torch's short name; numbers are "int64" or "bool"
    dtype: str
    #: whether it depends on random numbers, so that only its form can be compared
    is_random: bool = False
    #: largest difference between eager and the same program in float64, None where it is not known
    noise: float | None = None
    #: its largest element, as eager has it; 0 where there is none
    largest: float = 0.0


@dataclass(frozen=True)
class Samples:
    """Calls of one model, in their order."""

    #: where they come from, as the manifest tells it
    source: str
    inputs_file: Path
    results_file: Path
    #: for each call, the tensors among the flat arguments
    inputs: tuple[tuple[StoredTensor, ...], ...]
    #: for each call, one for each of `outputs`
    results: tuple[tuple[StoredTensor, ...], ...]
    outputs: tuple[ExpectedResult, ...]
    #: how long the longest call took eagerly; 0 where that is not known
    seconds: float = 0.0
    #: of what made them
    versions: Mapping[str, str] = field(default_factory=dict)

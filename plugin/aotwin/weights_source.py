"""Where the bytes of a model's constants come from, without holding them all in memory.

A `WeightSource` gives the constants in blob order, padding included, as often as it is asked:
the blob is written from it once, and a check may read it again.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import cycle
from typing import BinaryIO, Protocol

from aotwin.values import BLOB_ALIGNMENT, Constant
from aotwin.weights_layout import laid_out, terms_to_lay_out

#: bytes handed out at a time: they stay in a CPU's cache while they are read, hashed and written
CHUNK_NBYTES = 1 << 20


class WeightSource(Protocol):
    """The constants' bytes of one model, in the order and padding of the blob, without trailer."""

    @property
    def nbytes(self) -> int:
        """Bytes of all constants, padding included."""
        ...

    @property
    def identity(self) -> str:
        """What decides all bytes, where that is known without reading them; else empty."""
        ...

    def chunks(self) -> Iterator[memoryview]:
        """Yield all bytes once, front to back, at most `CHUNK_NBYTES` at a time.

        A chunk is valid until the next but one is asked for. May be called more than once.

        Raises:
            WrapperError: the bytes cannot be read, or are fewer or more than `nbytes`.
        """
        ...


@dataclass(frozen=True)
class MemoryRegion:
    """Bytes somewhere in this process, and how many bytes they fill in the blob."""

    address: int
    nbytes: int
    #: `nbytes` rounded up to the blob's alignment
    padded_nbytes: int
    #: of a weight whose rows become blocks while they are written; 0: as they lie
    terms: int = 0

    @classmethod
    def of_constant(cls, constant: Constant, address: int, nbytes: int) -> MemoryRegion | None:
        """A constant's storage; None where the generated code expects another size."""
        terms = terms_to_lay_out(constant)
        # Blocks fill whole units of the alignment.
        padded_nbytes = nbytes if terms else nbytes + -nbytes % BLOB_ALIGNMENT
        if padded_nbytes != constant.nbytes:
            return None
        return cls(address, nbytes, padded_nbytes, terms)

    def view(self) -> memoryview:
        """The bytes, in place, as they lie; valid as long as their owner."""
        return _view(self.address, self.nbytes)

    def chunks(self) -> Iterator[memoryview]:
        """Views of the bytes themselves, or of what is laid out, and zeros for the padding."""
        lying = cut(self.view())
        yield from laid_out(lying, self.terms, CHUNK_NBYTES) if self.terms else lying
        for start in range(self.nbytes, self.padded_nbytes, CHUNK_NBYTES):
            yield memoryview(bytes(min(CHUNK_NBYTES, self.padded_nbytes - start)))


class MemoryWeights:
    """Constants that lie in memory (tensors' storages), handed out in place, without a copy.

    Only weights that are to lie in blocks are copied, piece by piece.

    Args:
        regions: in blob order.
        owner: whatever keeps the memory alive; held as long as this object.
        identity: what decides all bytes, where the caller knows.
    """

    def __init__(self, regions: Sequence[MemoryRegion], owner: object, identity: str = "") -> None:
        self.regions = tuple(regions)
        self.identity = identity
        self._owner = owner

    @property
    def nbytes(self) -> int:
        """Bytes of all constants, padding included."""
        return sum(region.padded_nbytes for region in self.regions)

    def chunks(self) -> Iterator[memoryview]:
        """Yield all regions in order."""
        for region in self.regions:
            yield from region.chunks()


def cut(content: memoryview) -> Iterator[memoryview]:
    """Bytes in memory, `CHUNK_NBYTES` at a time."""
    for start in range(0, len(content), CHUNK_NBYTES):
        yield content[start : start + CHUNK_NBYTES]


def _view(address: int, nbytes: int) -> memoryview:
    array = (ctypes.c_ubyte * nbytes).from_address(address) if nbytes else b""
    return memoryview(array).cast("B")


class StreamWeights:
    """Constants that lie in a file or in an archive's member, read in order.

    Args:
        nbytes: bytes that the stream must give, neither more nor less.
        opener: opens the stream at its first byte; a context manager, so that it is closed.
        wrong_size: makes the error to raise, from the bytes found (`None`: more than `nbytes`).
        identity: tells what decides all bytes, or "" where nobody knows.
    """

    def __init__(
        self,
        nbytes: int,
        opener: Callable[[], AbstractContextManager[BinaryIO]],
        wrong_size: Callable[[int | None], Exception],
        identity: Callable[[], str] = lambda: "",
    ) -> None:
        self._nbytes = nbytes
        self._opener = opener
        self._wrong_size = wrong_size
        self._identity = identity

    @property
    def identity(self) -> str:
        """What decides all bytes, where that is known; else empty."""
        return self._identity()

    @property
    def nbytes(self) -> int:
        """Bytes of all constants, padding included."""
        return self._nbytes

    def chunks(self) -> Iterator[memoryview]:
        """Yield views of two buffers that are filled in turns."""
        nbytes = min(CHUNK_NBYTES, self._nbytes)
        buffers = cycle([memoryview(bytearray(nbytes)) for _ in range(2)])
        with self._opener() as stream:
            done = 0
            while done < self._nbytes:
                buffer = next(buffers)
                chunk = buffer[: min(len(buffer), self._nbytes - done)]
                # readinto belongs to BufferedIOBase, which BinaryIO does not promise
                count: int = stream.readinto(chunk)  # type: ignore[attr-defined]
                if not count:
                    raise self._wrong_size(done)
                done += count
                yield chunk[:count]
            if stream.read(1):
                raise self._wrong_size(None)

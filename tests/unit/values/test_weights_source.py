"""Constants are handed out in order, padded, in bounded pieces."""

from __future__ import annotations

import contextlib
import ctypes
import io

import pytest

from aotwin import weights_source
from aotwin.weights_source import MemoryRegion, MemoryWeights, StreamWeights


def _region(buffer: ctypes.Array[ctypes.c_char], padded: int) -> MemoryRegion:
    return MemoryRegion(ctypes.addressof(buffer), len(buffer), padded)


@pytest.mark.parametrize("chunk", [1, 3, 64, 1 << 20])
def test_memory_is_handed_out_padded(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights_source, "CHUNK_NBYTES", chunk)
    first = (ctypes.c_char * 5).from_buffer(bytearray(b"abcde"))
    second = (ctypes.c_char * 8).from_buffer(bytearray(b"01234567"))
    weights = MemoryWeights([_region(first, 8), _region(second, 8)], (first, second))
    assert weights.nbytes == 16
    for _ in range(2):
        pieces = [bytes(piece) for piece in weights.chunks()]
        assert b"".join(pieces) == b"abcde\0\0\x0001234567"
        assert max(map(len, pieces)) <= chunk


def test_memory_is_not_copied() -> None:
    data = bytearray(b"abcd")
    array = (ctypes.c_char * 4).from_buffer(data)
    (piece,) = MemoryWeights([_region(array, 4)], array).chunks()
    data[0:1] = b"X"
    assert bytes(piece) == b"Xbcd"


def test_an_empty_region_takes_no_bytes() -> None:
    weights = MemoryWeights([MemoryRegion(0, 0, 0)], None)
    assert weights.nbytes == 0
    assert list(weights.chunks()) == []


def _stream(content: bytes, nbytes: int) -> StreamWeights:
    return StreamWeights(
        nbytes,
        lambda: contextlib.closing(io.BytesIO(content)),
        LookupError,
    )


def test_a_stream_is_handed_out_as_often_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights_source, "CHUNK_NBYTES", 3)
    weights = _stream(b"abcdefgh", 8)
    for _ in range(2):
        assert [bytes(piece) for piece in weights.chunks()] == [b"abc", b"def", b"gh"]


@pytest.mark.parametrize(("nbytes", "found"), [(9, 8), (7, None)], ids=["short", "long"])
def test_a_stream_of_another_length_is_an_error(nbytes: int, found: int | None) -> None:
    with pytest.raises(LookupError) as error:
        list(_stream(b"abcdefgh", nbytes).chunks())
    assert error.value.args == (found,)

"""A stream is written and hashed at once, in order, from two buffers that are used in turns."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator

import pytest

from aotwin.adapters.archives.hashed_stream import write_hashed

LARGE = 1 << 20


def reused(sizes: list[int]) -> Iterator[memoryview]:
    """Pieces of two buffers, each overwritten as soon as the next piece but one is asked for."""
    buffers = [memoryview(bytearray(max(sizes))) for _ in range(2)]
    for number, size in enumerate(sizes, start=1):
        buffer, other = buffers[number % 2], buffers[(number + 1) % 2]
        buffer[:size] = bytes([number]) * size
        yield buffer[:size]
        other[:] = b"\xff" * len(other)


@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param([1, 2, 3], id="small"),
        pytest.param([LARGE] * 4, id="large"),
        pytest.param([LARGE, 5, LARGE, 7], id="mixed"),
    ],
)
def test_bytes_and_digest_are_those_of_the_chunks(sizes: list[int]) -> None:
    sink, digest = io.BytesIO(), hashlib.sha256()
    nbytes = write_hashed(reused(sizes), sink.write, digest)
    expected = b"".join(bytes([number]) * size for number, size in enumerate(sizes, start=1))
    assert sink.getvalue() == expected
    assert nbytes == len(expected)
    assert digest.digest() == hashlib.sha256(expected).digest()


@pytest.mark.parametrize("size", [8, LARGE], ids=["small", "large"])
def test_what_the_sink_raises_ends_the_stream(size: int) -> None:
    asked = []

    def chunks() -> Iterator[bytes]:
        for number in range(3):
            asked.append(number)
            yield bytes(size)

    def full(_: bytes | memoryview) -> None:
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        write_hashed(chunks(), full, hashlib.sha256())
    # the next one is read ahead
    assert asked == [0, 1]

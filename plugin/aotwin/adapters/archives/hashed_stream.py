"""Write a stream and hash it on the way, each by a processor of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

#: below this, handing a chunk to another thread costs more than hashing it
_WORTH_A_THREAD = 256 * 1024


class Digest(Protocol):
    """What `hashlib` makes; its `update` lets other threads run."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Go on with these bytes."""
        ...


def write_hashed(
    chunks: Iterable[bytes | memoryview],
    write: Callable[[bytes | memoryview], object],
    digest: Digest,
) -> int:
    """Write all chunks in order, and update the digest with them meanwhile.

    Args:
        chunks: a chunk is looked at only until the next one is asked for.
        write: takes a whole chunk. What it raises ends the stream.
        digest: holds what was written when this returns.

    Returns:
        Bytes of all chunks.
    """
    nbytes = 0
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="aotwin-hash") as worker:
        for chunk in chunks:
            if len(chunk) < _WORTH_A_THREAD:
                write(chunk)
                digest.update(chunk)
            else:
                hashing = worker.submit(digest.update, chunk)
                write(chunk)
                hashing.result()
            nbytes += len(chunk)
    return nbytes
